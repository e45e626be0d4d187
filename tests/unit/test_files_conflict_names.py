"""What conflict copies are called, and which file they are copies of."""

import time

import pytest

from runner.files.conflict_names import conflict_name, is_conflict_copy

NOW = 1_800_000_000.0  # 2027-01-15T08:00:00Z


def name(path: str, host: str = "h", *, taken: tuple[str, ...] = ()) -> str:
    return conflict_name(path, NOW, host, lambda candidate: candidate in taken)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.txt", "a.conflict-20270115T080000Z-h.txt"),
        ("d/e/a.txt", "d/e/a.conflict-20270115T080000Z-h.txt"),
        ("noext", "noext.conflict-20270115T080000Z-h"),
        (".bashrc", ".bashrc.conflict-20270115T080000Z-h"),
        ("a.tar.gz", "a.tar.conflict-20270115T080000Z-h.gz"),
        ("X.txt", "X.conflict-20270115T080000Z-h.txt"),
        ("ends.", "ends..conflict-20270115T080000Z-h"),
        ("..x", "..x.conflict-20270115T080000Z-h"),
        ("d.d/noext", "d.d/noext.conflict-20270115T080000Z-h"),
    ],
)
def test_conflict_name_of_a_path_keeps_folder_and_extension(path: str, expected: str) -> None:
    assert name(path) == expected
    assert is_conflict_copy(expected) == path


def test_conflict_copy_of_a_name_without_a_beginning_is_none() -> None:
    assert is_conflict_copy("d/.conflict-20270115T080000Z-h") is None
    assert is_conflict_copy(".conflict-20270115T080000Z-h") is None


def test_conflict_name_that_is_taken_is_numbered() -> None:
    first = name("a.txt")
    second = name("a.txt", taken=(first,))
    third = name("a.txt", taken=(first, second))
    assert (second, third) == ("a.conflict-20270115T080000Z-h-2.txt", "a.conflict-20270115T080000Z-h-3.txt")
    assert is_conflict_copy(third) == "a.txt"


@pytest.mark.parametrize(
    "path", ["é" * 127 + ".txt", "x" * 255, "x" * 200 + "." + "y" * 54, "😀" * 63, "d/" + "x" * 255]
)
def test_conflict_name_of_a_long_name_fits_a_name_of_255_bytes(path: str) -> None:
    copy = name(path, host="a-very-long-host-name-" * 10)
    assert len(copy.rpartition("/")[2].encode()) <= 255
    copy.encode()  # no character was cut in two
    assert is_conflict_copy(copy) is not None


def test_conflict_name_tells_the_time_in_utc_wherever_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert name("a") == "a.conflict-20270115T080000Z-h"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("host", "expected"), [("Web.Example.com", "Web-Example-com"), ("-x y-", "x-y"), ("\t", "host"), ("XhX", "XhX")]
)
def test_conflict_name_of_a_host_keeps_letters_digits_and_dashes(host: str, expected: str) -> None:
    assert name("a", host=host) == f"a.conflict-20270115T080000Z-{expected}"


@pytest.mark.parametrize(("letters", "is_extension"), [(31, True), (32, False)])
def test_conflict_name_keeps_an_extension_of_at_most_32_bytes(letters: int, is_extension: bool) -> None:
    end = "." + "y" * letters
    mark = ".conflict-20270115T080000Z-h"
    assert name(f"a{end}") == (f"a{mark}{end}" if is_extension else f"a{end}{mark}")


def test_conflict_name_of_a_name_that_is_not_utf8_is_made_all_the_same() -> None:
    assert name("a\udcff.txt") == "a\udcff.conflict-20270115T080000Z-h.txt"


def test_conflict_name_of_a_conflict_copy_does_not_grow() -> None:
    copy = name("d/a.txt")
    again = name(copy, taken=(copy,))
    assert again == "d/a.conflict-20270115T080000Z-h-2.txt"


@pytest.mark.parametrize("host", ["web.example.com", "x/../y", "", "ü\n", "..."])
def test_conflict_name_of_an_odd_host_stays_one_harmless_name(host: str) -> None:
    copy = name("d/a.txt", host=host)
    assert copy.startswith("d/a.conflict-20270115T080000Z-")
    assert copy.count("/") == 1
    assert "\n" not in copy
    assert is_conflict_copy(copy) == "d/a.txt"


@pytest.mark.parametrize(
    "path",
    ["a.txt", "conflict-20270115T080000Z-h.txt", "a.conflict-2027-h.txt", "a.conflict-20270115T080000Z", "x.conflict"],
)
def test_is_conflict_copy_of_other_names_is_none(path: str) -> None:
    assert is_conflict_copy(path) is None
