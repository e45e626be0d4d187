"""One log file: rotation, a file moved away, and every way in which writing can fail."""

import errno
import os
from pathlib import Path

import pytest

from runner.supervisor.log_file import LogFile
from runner.supervisor.log_rotation import RotationRule

AT = 1_795_412_435.0
DAY = 86400.0


def _log(path: Path, rule: RotationRule | None = None, asked: list[Path] | None = None) -> LogFile:
    return LogFile(
        path,
        rule or RotationRule("size", 1_000_000, 3, compress=asked is not None),
        notice=lambda lost, reason, _at: f"{lost} lost: {reason}\n".encode(),
        request_compression=asked.append if asked is not None else None,
    )


def test_lines_are_appended_and_the_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "a.log"
    file = _log(path)
    assert file.write(b"one\n", AT)
    assert file.write(b"two\n", AT)
    file.close()
    assert path.read_bytes() == b"one\ntwo\n"


def test_log_is_nobody_elses(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        file = _log(tmp_path / "a.log")
        file.write(b"one\n", AT)
        file.close()
    finally:
        os.umask(before)
    assert (tmp_path / "a.log").stat().st_mode & 0o027 == 0


def test_existing_file_is_continued(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"old\n")
    file = _log(path)
    file.write(b"new\n", AT)
    file.close()
    assert path.read_bytes() == b"old\nnew\n"


def test_full_file_is_set_aside_and_its_compression_asked_for(tmp_path: Path) -> None:
    asked: list[Path] = []
    file = _log(tmp_path / "a.log", RotationRule("size", 10, 2, compress=True), asked)
    for _ in range(5):
        file.write(b"123456\n", AT)
    file.close()
    assert (tmp_path / "a.log").read_bytes() == b"123456\n"
    kept = sorted(entry.name for entry in tmp_path.iterdir())
    assert kept == ["a.log", "a.log.20261123T054035Z-2", "a.log.20261123T054035Z-3"]
    assert tmp_path / kept[1] in asked


def test_daily_file_is_set_aside_at_the_first_line_of_a_day_or_at_a_check(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    file = _log(path, RotationRule("daily", 10, 5, compress=False))
    file.write(b"monday\n", AT)
    file.write(b"still monday\n", AT)
    file.write(b"tuesday\n", AT + DAY)
    assert path.read_bytes() == b"tuesday\n"
    file.check(AT + 2 * DAY)
    assert path.read_bytes() == b""
    file.close()


def test_yesterdays_file_of_an_earlier_process_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"yesterday\n")
    os.utime(path, (AT - DAY, AT - DAY))
    file = _log(path, RotationRule("daily", 10, 5, compress=False))
    file.write(b"today\n", AT)
    file.close()
    assert path.read_bytes() == b"today\n"


@pytest.mark.parametrize("how", ["moved", "removed", "folder removed"])
def test_file_that_is_gone_is_made_anew_at_the_next_check(tmp_path: Path, how: str) -> None:
    path = tmp_path / "logs" / "a.log"
    file = _log(path)
    file.write(b"one\n", AT)
    if how == "moved":
        path.rename(tmp_path / "moved")
    else:
        path.unlink()
    if how == "folder removed":
        path.parent.rmdir()
    file.check(AT)
    file.write(b"two\n", AT)
    file.close()
    assert path.read_bytes() == b"two\n"


def test_truncated_file_gets_no_hole(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    file = _log(path)
    file.write(b"one\n", AT)
    os.truncate(path, 0)  # logrotate's copytruncate
    file.check(AT)
    file.write(b"two\n", AT)
    file.close()
    assert path.read_bytes() == b"two\n"


def test_unwritable_file_loses_lines_counts_them_and_says_so_once_when_it_works_again(tmp_path: Path) -> None:
    blocked = tmp_path / "logs"
    blocked.write_bytes(b"a file where the folder should be")
    file = _log(blocked / "a.log")
    assert not file.write(b"one\n", AT)
    assert not file.write(b"two\n", AT)
    assert (file.lost, file.trouble) == (2, "File exists")
    blocked.unlink()
    file.check(AT)
    assert file.write(b"three\n", AT)
    assert file.write(b"four\n", AT)
    file.close()
    assert (blocked / "a.log").read_bytes() == b"2 lost: File exists\nthree\nfour\n"
    assert (file.lost, file.trouble) == (2, "")


def test_full_disk_loses_lines_and_a_torn_line_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.log"
    file = _log(path)
    file.write(b"one\n", AT)
    real = os.write

    def half(fd: int, data: bytes) -> int:
        return real(fd, data[:2])

    def full(_fd: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", half)
    assert not file.write(b"torn\n", AT)
    monkeypatch.setattr(os, "write", full)
    assert not file.write(b"gone\n", AT)
    monkeypatch.setattr(os, "write", real)
    assert file.write(b"two\n", AT)
    file.close()
    assert path.read_bytes() == b"one\nto\n2 lost: No space left on device\ntwo\n"


def test_log_behind_a_symlink_rotates_the_real_file(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "a.log").symlink_to("real/b.log")
    file = _log(tmp_path / "a.log", RotationRule("size", 5, 2, compress=False))
    file.write(b"1234\n", AT)
    file.write(b"5678\n", AT)
    file.close()
    assert (tmp_path / "a.log").is_symlink()
    assert len(list((tmp_path / "real").iterdir())) == 2


def test_device_is_written_and_never_rotated() -> None:
    file = _log(Path("/dev/null"), RotationRule("size", 1, 2, compress=False))
    for _ in range(3):
        assert file.write(b"12345\n", AT)
    file.check(AT)
    file.close()
    assert Path("/dev/null").is_char_device()
