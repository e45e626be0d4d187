"""A copy that replaces a rename: whole and on disk, or not there at all."""

import os
from pathlib import Path

import pytest

from runner.files import copying


def _copied(place: Path) -> None:
    fd = os.open(place, os.O_RDONLY)
    try:
        copying.copy_file(fd, "a", fd, "b")
    finally:
        os.close(fd)


def test_copy_is_on_disk_with_its_rights_and_time_when_it_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"content")
    (tmp_path / "a").chmod(0o4640)
    os.utime(tmp_path / "a", ns=(5, 7))
    synced: list[tuple[str, int, int, int]] = []

    def fsync(fd: int) -> None:
        state = os.fstat(fd)
        name = Path(os.readlink(f"/proc/self/fd/{fd}")).name
        synced.append((name, state.st_size, state.st_mode & 0o7777, state.st_mtime_ns))

    monkeypatch.setattr(os, "fsync", fsync)
    _copied(tmp_path)
    assert synced == [("b", 7, 0o640, 7)]


def test_copy_of_a_file_that_changes_meanwhile_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"x" * 100)
    monkeypatch.setattr(copying, "_CHUNK_BYTES", 60)
    real = os.write

    def edited(fd: int, data: bytes) -> int:
        (tmp_path / "a").write_bytes(b"y" * 100)
        return real(fd, data)

    monkeypatch.setattr(os, "write", edited)
    with pytest.raises(BlockingIOError):
        _copied(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
