"""What paths lead to, asked of the file system once each: real path, identity, what lies in what."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

Sign = Path | tuple[int, int]  # the real path; device and inode, which also see through bind mounts and case


class Places:
    """A cache for one check. A path that does not exist (yet) is judged by its nearest existing parents."""

    def __init__(self) -> None:
        self._real: dict[Path, Path] = {}
        self._stat: dict[Path, os.stat_result | None] = {}

    def real(self, path: Path) -> Path:
        if path not in self._real:
            self._real[path] = Path(os.path.realpath(path))
        return self._real[path]

    def exists(self, path: Path) -> bool:
        return self._status(self.real(path)) is not None

    def is_folder(self, path: Path) -> bool:
        status = self._status(self.real(path))
        return status is not None and stat.S_ISDIR(status.st_mode)

    def same(self, one: Path, other: Path) -> bool:
        return bool(set(self.signs(one)) & set(self.signs(other)))

    def is_within(self, inner: Path, outer: Path) -> bool:
        """The same or somewhere below."""
        return self.below(inner, outer) is not None

    def below(self, inner: Path, outer: Path) -> Path | None:
        """inner relative to outer, None where it does not lie in it."""
        wanted = set(self.signs(outer))
        real = self.real(inner)
        for place in (real, *real.parents):
            if not wanted.isdisjoint(self._signs_of_real(place)):
                return real.relative_to(place)
        return None

    def signs(self, path: Path) -> Iterator[Sign]:
        """By any of which the folder is known again; the real path comes first."""
        return self._signs_of_real(self.real(path))

    def signs_above(self, path: Path) -> Iterator[Sign]:
        """The signs of all folders around it, the nearest first."""
        for parent in self.real(path).parents:
            yield from self._signs_of_real(parent)

    def _signs_of_real(self, real: Path) -> Iterator[Sign]:
        yield real
        status = self._status(real)
        if status is not None:
            yield status.st_dev, status.st_ino

    def _status(self, real: Path) -> os.stat_result | None:
        if real not in self._stat:
            try:
                self._stat[real] = real.stat()
            except OSError:
                self._stat[real] = None
        return self._stat[real]
