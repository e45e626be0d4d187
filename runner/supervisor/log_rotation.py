"""When a log file is full and what happens to it then: a new name with the UTC time, old ones removed beyond `backups`.

Archives are named `<file>.<yyyymmddThhmmssZ>[-n][.gz]`: nothing is ever renamed twice, so a compression that is still
running is never disturbed. A file in a folder where nothing can be renamed is emptied instead.
"""

import contextlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

_ARCHIVE = re.compile(r"\.(\d{8}T\d{6}Z)(?:-(\d+))?(\.gz)?$")


@dataclass(frozen=True, slots=True)
class RotationRule:
    """rotate: `size` (max_size_bytes) or `daily` (UTC midnight). backups: archives kept; 0 keeps none."""

    rotate: Literal["size", "daily"]
    max_size_bytes: int
    backups: int
    compress: bool


def day(at: float) -> int:
    """Days since the epoch in UTC."""
    return int(at // 86400)


def is_due(rule: RotationRule, *, size_bytes: int, more_bytes: int, opened_day: int, today: int) -> bool:
    """Whether to rotate before writing more_bytes. An empty file never is, nor one from a day still to come."""
    if size_bytes <= 0:
        return False
    if rule.rotate == "daily":
        return today > opened_day
    return size_bytes + more_bytes > rule.max_size_bytes


def set_aside(path: Path, fd: int, rule: RotationRule, at: float) -> Path | None:
    """Gives the file its archive name, or empties it (returns None) where it cannot be renamed or none are kept.

    Raises OSError when neither can be done.
    """
    if rule.backups > 0:
        target = _free_name(path, at)
        with contextlib.suppress(OSError):
            path.rename(target)
            return target
    os.ftruncate(fd, 0)
    return None


def remove_surplus(path: Path, rule: RotationRule, *, keep: Path | None) -> None:
    """Removes the oldest archives beyond `backups`; what cannot be removed stays. keep: never removed."""
    surplus = [archive for archive in archives(path) if archive != keep]
    kept = max(rule.backups - (keep is not None), 0)
    for archive in surplus[: max(len(surplus) - kept, 0)]:
        with contextlib.suppress(OSError):
            archive.unlink()


def compress_all(path: Path, request: Callable[[Path], None]) -> None:
    """Asks for the compression of each archive that is not compressed yet, such as one whose compressor was killed."""
    for archive in archives(path):
        if archive.suffix != ".gz":
            request(archive)


def archives(path: Path) -> list[Path]:
    """This file's archives, oldest first; empty when the folder cannot be read."""
    return [path.with_name(name) for _stamp, _number, name in _found(path)]


def _found(path: Path) -> list[tuple[str, int, str]]:
    """Stamp, number and name of each archive, oldest first."""
    try:
        names = os.listdir(path.parent)
    except OSError:
        return []
    found = []
    for name in names:
        match = _ARCHIVE.fullmatch(name[len(path.name) :]) if name.startswith(path.name) else None
        if match:
            found.append((match[1], int(match[2] or 0), name))
    return sorted(found)


def _free_name(path: Path, at: float) -> Path:
    """A second's archives are numbered upwards; a removed one's number is not given again while others are left."""
    stamp = f"{datetime.fromtimestamp(at, UTC):%Y%m%dT%H%M%SZ}"
    number = max((number + 1 for found, number, _name in _found(path) if found == stamp), default=0)
    return path.with_name(f"{path.name}.{stamp}-{number}" if number else f"{path.name}.{stamp}")
