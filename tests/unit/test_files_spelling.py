"""Names on a file system that folds case, as far as any can show it: second links that no listing shows."""

import errno
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from runner.files import ground, system_calls
from runner.files.folder import Folder
from runner.files.spelling import SpelledOtherwiseError, Spelling


class _Listing:
    """What os.scandir gives, without the names in small letters where the other spelling is there."""

    def __init__(self, fd: int) -> None:
        with real_scandir(fd) as found:
            entries = list(found)
        names = {entry.name for entry in entries}
        self._entries = [entry for entry in entries if not (entry.name.islower() and entry.name.upper() in names)]

    def __enter__(self) -> Iterator[os.DirEntry[str]]:
        return iter(self._entries)

    def __exit__(self, *_: object) -> None: ...


real_scandir: Any = os.scandir


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Folder]:
    """`A` and `d/B`, which are found as `a` and `d/b`, too."""
    (tmp_path / "d").mkdir()
    for name in ("A", "d/B"):
        (tmp_path / name).write_bytes(b"x")
        other = tmp_path / name.replace("A", "a").replace("B", "b")
        other.hardlink_to(tmp_path / name)
    monkeypatch.setattr("runner.files.spelling.os.scandir", _Listing)
    with closing(Folder.open(tmp_path, create=False, mountpoint=False)) as opened:
        yield opened


@pytest.mark.parametrize(
    ("path", "other"),
    [
        ("A", ""),
        ("a", "A"),
        ("d/B", ""),
        ("d/b", "d/B"),
        ("d/new", ""),
        ("new/b", ""),
        ("A/below", ""),
        ("a/below", "A"),
    ],
)
def test_path_that_has_another_spelling_is_told_from_its_own(folder: Folder, path: str, other: str) -> None:
    assert Spelling(folder.fd, folds=True).other(path) == other
    assert Spelling(folder.fd, folds=False).other(path) == ""


def test_name_is_given_only_where_no_other_spelling_has_it(folder: Folder) -> None:
    subject = Spelling(folder.fd, folds=True)
    with subject.taking("d/new"), subject.taking("A"):
        pass
    with pytest.raises(SpelledOtherwiseError) as raised, subject.taking("d/b"):
        pass
    assert (raised.value.errno, raised.value.other) == (errno.EEXIST, "d/B")


def test_look_at_another_spelling_finds_nothing(folder: Folder) -> None:
    subject = ground.Ground(folder, rights=None, leases=False, folds=True)  # type: ignore[arg-type]
    assert subject.look("a") is None
    found = subject.look("A")
    assert found is not None
    assert found.size == 1


def test_rename_where_there_are_neither_flags_nor_links_never_overwrites(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(system_calls, "_RENAMEAT2", None)
    monkeypatch.setattr("runner.files.system_calls.os.link", refuse)
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    with closing(Folder.open(tmp_path, create=False, mountpoint=False)) as opened:
        with pytest.raises(FileExistsError):
            system_calls.rename_no_replace(opened.fd, "a", opened.fd, "b")
        system_calls.rename_no_replace(opened.fd, "a", opened.fd, "c")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"b": "b", "c": "a"}
