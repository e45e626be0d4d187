"""When a log is full, and what becomes of it."""

import errno
import os
from pathlib import Path

import pytest

from runner.supervisor.log_rotation import (
    RotationRule,
    archives,
    compress_all,
    day,
    is_due,
    remove_surplus,
    set_aside,
)

AT = 1_795_412_435.0
BY_SIZE = RotationRule("size", 100, 2, compress=True)
DAILY = RotationRule("daily", 100, 2, compress=True)


@pytest.mark.parametrize(
    ("rule", "size", "more", "opened", "today", "due"),
    [
        (BY_SIZE, 100, 0, 5, 5, False),
        (BY_SIZE, 100, 1, 5, 5, True),
        (BY_SIZE, 0, 500, 5, 5, False),
        (BY_SIZE, 50, 10, 5, 9, False),
        (DAILY, 50, 1000, 5, 5, False),
        (DAILY, 50, 10, 5, 6, True),
        (DAILY, 0, 10, 5, 6, False),
        (DAILY, 50, 10, 6, 5, False),
    ],
)
def test_is_due(rule: RotationRule, size: int, more: int, opened: int, today: int, *, due: bool) -> None:
    assert is_due(rule, size_bytes=size, more_bytes=more, opened_day=opened, today=today) is due


def test_day_changes_at_utc_midnight() -> None:
    assert day(86400 - 0.001) == 0
    assert day(86400) == 1


def _file(folder: Path) -> tuple[Path, int]:
    path = folder / "runner.log"
    return path, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def test_set_aside_gives_a_name_with_the_time_and_never_takes_one(tmp_path: Path) -> None:
    names = []
    for _ in range(3):
        path, fd = _file(tmp_path)
        archive = set_aside(path, fd, BY_SIZE, AT)
        assert archive is not None
        names.append(archive.name)
        os.close(fd)
    assert names == [f"runner.log.20261123T054035Z{number}" for number in ("", "-1", "-2")]
    assert [archive.name for archive in archives(tmp_path / "runner.log")] == names


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY])
def test_set_aside_empties_a_file_that_cannot_be_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    path, fd = _file(tmp_path)
    os.write(fd, b"old\n")

    def refuse(_self: Path, _target: Path) -> Path:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "rename", refuse)
    assert set_aside(path, fd, BY_SIZE, AT) is None
    os.close(fd)
    assert path.read_bytes() == b""


def test_remove_surplus_keeps_the_newest_and_strangers(tmp_path: Path) -> None:
    path = tmp_path / "runner.log"
    names = [f"runner.log.2026112{n}T000000Z" for n in range(5)]
    for name in [*names[:3], *(f"{name}.gz" for name in names[3:]), "runner.log.bak", "runner.log2", "other.log"]:
        (tmp_path / name).touch()
    remove_surplus(path, BY_SIZE, keep=None)
    left = sorted(entry.name for entry in tmp_path.iterdir())
    assert left == ["other.log", f"{names[3]}.gz", f"{names[4]}.gz", "runner.log.bak", "runner.log2"]


def test_remove_surplus_counts_the_fresh_archive_and_never_removes_it(tmp_path: Path) -> None:
    path = tmp_path / "runner.log"
    fresh = tmp_path / "runner.log.20000101T000000Z"  # the clock went back
    for name in (fresh.name, "runner.log.20261101T000000Z", "runner.log.20261102T000000Z"):
        (tmp_path / name).touch()
    remove_surplus(path, BY_SIZE, keep=fresh)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [fresh.name, "runner.log.20261102T000000Z"]


def test_compress_all_asks_for_what_is_not_compressed(tmp_path: Path) -> None:
    for name in ("runner.log.20261101T000000Z", "runner.log.20261102T000000Z.gz", "runner.log"):
        (tmp_path / name).touch()
    asked: list[Path] = []
    compress_all(tmp_path / "runner.log", asked.append)
    assert [path.name for path in asked] == ["runner.log.20261101T000000Z"]
