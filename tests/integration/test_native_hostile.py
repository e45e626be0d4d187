"""Strangers' keys, listings, metadata and links against the native engine: nothing outside is read or written."""

import contextlib
import os
import stat
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from runner.config.settings import Mode
from runner.model.passes import Outcome
from runner.store.request import Answer
from tests.bench.fake_web import WebS3
from tests.integration.native_engine import MakeRunner, credential_process, runner

__all__ = ["credential_process", "runner"]

IMPOSSIBLE = [
    "../up", "a/../../up", "/etc/up", "a//b", "./a", "a/./b", "a/.", ".", "..", "a\0b", "x" * 256, "tail/../", "//",
]  # fmt: skip
ODD = [
    "a\nb", "a\rb", "\x1b[2Jred", "\u202egpj.exe", "-rf", "$(id)", "%2e%2e%2fup", "..\\up", "con", " ", "é", "e\u0301",
    "d/" * 300 + "f",
]  # fmt: skip
PRIVATE = [".runner/state.db", ".runner/lock", ".runner-trash/2999-01-01/x", ".nfs0001", "d/.runner-probe-1"]


class HostileS3(WebS3):
    """instead: what listings are answered with. extra: headers of every GET and HEAD. body: of every GET."""

    instead: bytes | None = None
    extra: Mapping[str, str] = {}
    body: bytes | None = None

    def _ListObjectsV2(self, _key: str, query: Mapping[str, str], *rest: object) -> Answer:  # noqa: N802
        if self.instead is not None:
            return Answer(200, {}, self.instead)
        return super()._ListObjectsV2(_key, query, *rest)

    def _GetObject(self, key: str, *rest: Any) -> Answer:  # noqa: N802
        found = super()._GetObject(key, *rest)
        if self.body is None or found.status != 200:
            return found
        told = {name: value for name, value in found.headers.items() if name != "content-length"}
        return Answer(200, told, self.body)

    def _told(self, key: str) -> dict[str, str]:
        return super()._told(key) | dict(self.extra)


@pytest.fixture
def bucket() -> str:
    return "bkt"


@pytest.fixture
def there() -> HostileS3:
    return HostileS3()


@pytest.fixture
def url(there: HostileS3) -> Iterator[str]:
    with there.served() as address:
        yield address


def put(there: WebS3, key: str, body: bytes = b"theirs", **metadata: str) -> None:
    there.put(key, body, {name.replace("_", "-"): value for name, value in metadata.items()})


@pytest.mark.parametrize("mode", [Mode.TWO_WAY, Mode.PULL])
def test_keys_that_are_no_paths_are_named_never_written_and_never_deleted(
    runner: MakeRunner, there: HostileS3, url: str, home: Path, mode: Mode
) -> None:
    for key in (*IMPOSSIBLE, *ODD, *PRIVATE, "ok"):
        put(there, key)
    one = runner("deep/er/a", mode, endpoint_url=url, delete=True)
    first = one.sync()
    assert first.hydrated
    files = one.files()
    assert set(files) == {"ok", *ODD}
    assert set(files.values()) == {b"theirs"}
    assert {problem.path for problem in first.problems} == set(IMPOSSIBLE)
    assert all(problem.permanent for problem in first.problems)
    again = one.sync()
    assert (again.downloaded, again.deleted_remote, again.uploaded) == (0, 0, 0)
    assert set(IMPOSSIBLE) | set(PRIVATE) <= there.objects.keys()
    assert sorted(path.name for path in home.iterdir()) == ["deep"]
    assert sorted(path.name for path in (home / "deep").iterdir()) == ["er"]
    for name in ("ok", *ODD):
        (one.path / name).unlink()
    one.restart(max_delete=1000)
    one.sync()
    assert set(IMPOSSIBLE) | set(PRIVATE) <= there.objects.keys()


def _page(*keys: str, more: str = "", prefix: str = "") -> bytes:
    rows = "".join(
        f"<Contents><Key>{key}</Key><Size>6</Size><ETag>e</ETag><LastModified>2026-01-01T00:00:00Z</LastModified></Contents>"
        for key in keys
    )
    token = f"<NextContinuationToken>{more}</NextContinuationToken>" if more else ""
    return (
        f"<ListBucketResult><Name>bkt</Name><Prefix>{prefix}</Prefix><KeyCount>{len(keys)}</KeyCount>"
        f"<IsTruncated>{'true' if more else 'false'}</IsTruncated>{token}{rows}</ListBucketResult>"
    ).encode()


LISTINGS: dict[str, Callable[[], bytes]] = {  # made when they are needed: 40 MB would weigh on every fork of a test
    "token": lambda: _page("b", more="same"),  # for ever
    "empty": lambda: _page(more="same"),
    "prefix": lambda: _page("b", prefix="other/"),
    "twice": lambda: _page("b", "b"),
    "entities": lambda: (
        b"<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>]>" + _page("b&b;")
    ),
    "cut": lambda: _page("b")[:-10],
    "long": lambda: _page("b") + b" " * (20 << 20),
    "many": lambda: _page(*("k" * 900 + str(number) for number in range(20_000))),
    "nested": lambda: b"<ListBucketResult>" + b"<a>" * 50_000 + b"</a>" * 50_000 + b"</ListBucketResult>",
    "binary": lambda: b"\xff\xfe\x00garbage",
}


@pytest.mark.parametrize("listing", LISTINGS)
def test_listing_that_cannot_be_believed_moves_nothing(
    runner: MakeRunner, there: HostileS3, url: str, listing: str
) -> None:
    for name in ("a", "b"):
        put(there, name)
    one = runner("a", endpoint_url=url)
    one.sync()
    before = set(there.objects)
    there.instead = LISTINGS[listing]()
    report = one.sync()
    assert (report.outcome, report.retry) == (Outcome.FAILED, True)
    assert one.files() == {"a": b"theirs", "b": b"theirs"}
    there.instead = None
    assert one.sync().outcome is Outcome.DONE
    assert set(there.objects) == before


@pytest.mark.parametrize("body", [b"", b"shor", b"longer than told", b"x" * (1 << 20)])
def test_body_of_another_size_than_told_is_not_put_in_place(
    runner: MakeRunner, there: HostileS3, url: str, body: bytes
) -> None:
    put(there, "a", b"theirs")
    there.body = body
    one = runner("a", endpoint_url=url)
    report = one.sync()
    assert report.hydrated is not True
    assert one.files() == {}
    there.body = None
    one.sync()
    assert one.files() == {"a": b"theirs"}


def test_content_encoding_is_never_undone(runner: MakeRunner, there: HostileS3, url: str) -> None:
    bomb = b"\x1f\x8b\x08\x00" + bytes(100)
    put(there, "a.gz", bomb)
    there.extra = {"Content-Encoding": "gzip"}
    one = runner("a", endpoint_url=url)
    assert one.sync().downloaded == 1
    assert one.files() == {"a.gz": bomb}


@pytest.mark.parametrize(
    ("given", "mode"),
    [
        ({"file_permissions": "0107777"}, 0o777), ({"file_permissions": "0104755"}, 0o755),
        ({"file_permissions": "0100600", "file_owner": "0", "file_group": "0"}, 0o600), ({"mode": "33261"}, 0o755),
        ({"file_permissions": "9" * 1500}, None), ({"file_permissions": "-1"}, None), ({"mode": "0x1ff"}, None),
        ({"file_mtime": "9" * 400, "mtime": "nan"}, None), ({"mtime": "inf", "file_mtime": "-5ns"}, None),
        ({"mtime": "1e400"}, None), ({"sha256": "not hex"}, None), ({"runner_token": "x" * 1500}, None),
        ({"uid": "0", "gid": "0", "mode": "2541"}, None),
    ],
)  # fmt: skip
def test_metadata_of_strangers_never_makes_more_than_a_plain_file(
    runner: MakeRunner, there: HostileS3, url: str, given: dict[str, str], mode: int | None
) -> None:
    put(there, "a", b"theirs", **given)
    one = runner("a", endpoint_url=url)
    assert one.sync().outcome is Outcome.DONE
    state = (one.path / "a").stat()
    assert stat.S_ISREG(state.st_mode)
    assert not state.st_mode & 0o7000
    assert (state.st_uid, state.st_gid) == (os.getuid(), os.getgid())
    if mode is not None:
        assert stat.S_IMODE(state.st_mode) == mode
    assert one.files() == {"a": b"theirs"}
    assert one.sync().uploaded == 0


def test_link_objects_that_lead_outside_are_not_made(runner: MakeRunner, there: HostileS3, url: str) -> None:
    targets = {"abs": "/etc/passwd", "up": "../../x", "d/up": "../../x", "nul": "a\0b", "d/in": "../abs"}
    for key, target in targets.items():
        put(there, key, target.encode(), file_permissions="0120777")
    one = runner("a", endpoint_url=url)
    report = one.sync()
    assert {problem.path: problem.code for problem in report.problems} == dict.fromkeys(
        ("abs", "up", "d/up", "nul"), "link-outside"
    )
    assert report.hydrated
    assert [path.name for path in one.path.rglob("*") if path.is_symlink()] == ["in"]
    put(there, "d/in/below", b"through the link")
    one.sync()
    assert "d/in/below" not in one.files()
    assert set(targets) <= there.objects.keys()


def write_below(folder: Path, name: str) -> None:
    """Never through the planted link: the user of this test writes nothing outside."""
    folder_fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        file_fd = os.open(name, os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=folder_fd)
        os.write(file_fd, b"mine")
        os.close(file_fd)
    finally:
        os.close(folder_fd)


def test_links_planted_in_the_way_of_a_runner_lead_nowhere(
    runner: MakeRunner, there: HostileS3, url: str, home: Path
) -> None:
    outside = home / "outside"
    outside.mkdir()
    for number in range(20):
        (outside / f"f{number}").write_text("secret")
    one = runner("a", endpoint_url=url)
    (one.path / "d").mkdir()
    over = threading.Event()

    def plant() -> None:
        """`d` is in turn a folder with files and a link to one with secrets; so is the file `d/f0`."""
        real, link = one.path / "d", home / "link"
        while not over.is_set():
            with contextlib.suppress(OSError):
                link.symlink_to(outside)
                real.rename(home / "aside")
                link.rename(real)
                real.rename(link)
                (home / "aside").rename(real)
                link.unlink()
                (real / "f0").unlink(missing_ok=True)
                (real / "f0").symlink_to(outside / "f0")

    planter = threading.Thread(target=plant)
    planter.start()
    try:
        for turn in range(25):
            for number in range(10):
                put(there, f"d/f{number}", f"theirs {turn}".encode())
            with contextlib.suppress(OSError):
                write_below(one.path / "d", f"g{turn}")
            one.sync()
    finally:
        over.set()
        planter.join()
    for name in ("d", "d/f0"):
        if (one.path / name).is_symlink():
            (one.path / name).unlink()
    one.sync()
    assert one.sync().outcome is Outcome.DONE
    assert set(one.files().values()) <= {b"theirs 24", b"mine"} | {f"theirs {turn}".encode() for turn in range(25)}
    assert one.files()["d/f1"] == b"theirs 24"
    assert {path.name: path.read_text() for path in outside.iterdir()} == {f"f{n}": "secret" for n in range(20)}
    assert not [key for key, stored in there.objects.items() if b"secret" in stored.body]
