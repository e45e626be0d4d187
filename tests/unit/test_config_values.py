"""Words of a person to numbers, and back."""

import os
from pathlib import Path

import pytest

from runner.config import values
from runner.config.encoding import dump, parse
from runner.config.settings import EngineName, Mode, Pair, Settings, Share, Symlinks


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("30s", 30), ("5m", 300), ("2h", 7200), ("7d", 604800), ("1.5h", 5400), ("30 s", 30), ("0", 0)],
)
def test_seconds_reads_durations(text: str, seconds: float) -> None:
    assert values.seconds(text) == seconds


@pytest.mark.parametrize(
    "text", ["30", "-1s", "1h30m", "s", "5M", "1e3s", "nan", "inf", "٣s", "", "9" * 40 + "s", "99999d"]
)
def test_seconds_refuses_anything_else(text: str) -> None:
    with pytest.raises(ValueError, match=r"has no unit|not a duration|too short|too long|is empty"):
        values.seconds(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [("10MB", 10**7), ("512MiB", 2**29), ("1.5GiB", 3 * 2**29), ("500kB", 500_000), ("7B", 7), ("2 TB", 2 * 10**12)],
)
def test_size_reads_sizes(text: str, size: int) -> None:
    assert values.size(text) == size


@pytest.mark.parametrize("text", ["10", "10M", "10Mb", "10mb", "-5MB", "1e9B", "", "99999999TiB"])
def test_size_refuses_anything_else(text: str) -> None:
    with pytest.raises(ValueError, match=r"has no unit|not a size|out of range|is empty"):
        values.size(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0s"), (0.5, "500ms"), (1, "1s"), (60, "60s"), (90, "90s"), (300, "5m"), (86400, "24h"), (604800, "7d")],
)
def test_spell_seconds_is_read_back(seconds: float, text: str) -> None:
    assert values.spell_seconds(seconds) == text
    assert values.seconds(text) == seconds


@pytest.mark.parametrize(("size", "text"), [(0, "0B"), (10**7, "10MB"), (2**29, "512MiB"), (1025, "1025B")])
def test_spell_bytes_is_read_back(size: int, text: str) -> None:
    assert values.spell_bytes(size) == text
    assert values.size(text) == size


def test_shown_is_short_harmless_and_keeps_no_password() -> None:
    assert values.shown("a\x1b[31m\n") == "'a\\x1b[31m\\x0a'"
    assert len(values.shown("x" * 1000)) == 82
    assert values.shown("https://me:secret@host/") == "'https://***@host/'"


def test_encoding_keeps_odd_names_and_numbers() -> None:
    pair = Pair(
        name="a",
        bucket="my-bucket",
        prefix="ä b/😀/",
        folder=Path(os.fsdecode(b"/data/\xff ")),
        mode=Mode.PULL,
        engine=EngineName.NATIVE,
        every=None,
        at=("02:30",),
        watch=False,
        symlinks=Symlinks.SKIP,
        required=True,
        trash=None,
        max_delete=0,
        max_change=Share(share=0.25),
        exclude=("*\n", "[!a]"),
        file_mode=0o640,
        on_change=("prog", "--x"),
    )
    settings = Settings(pairs=(pair,))
    assert parse(dump(settings)) == settings
