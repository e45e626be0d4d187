"""One log file: appended to, rotated, found again when somebody moves it away. Never raises, counts what it lost.

Devices, pipes and anything under /dev or /proc are written to but never rotated, truncated or looked for.
"""

import contextlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

from runner.supervisor import log_rotation
from runner.supervisor.log_rotation import RotationRule

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_MODE = 0o640


class LogFile:
    """notice(lost_lines, reason, at) makes the line that says, once, that lines are missing.

    request_compression gets the path of each new archive and must return at once. `lost` counts for ever.
    """

    def __init__(
        self,
        path: Path,
        rule: RotationRule,
        *,
        notice: Callable[[int, str, float], bytes],
        request_compression: Callable[[Path], None] | None,
    ) -> None:
        special = str(path).startswith(("/dev/", "/proc/"))
        self.path = path if special else Path(os.path.realpath(path))
        self.lost = 0
        self.trouble = ""  # why lines are being lost now
        self._rule = rule
        self._notice = notice
        self._request_compression = request_compression if rule.compress else None
        self._is_special = special
        self._rotates = False
        self._was_tried = False
        self._fd = -1
        self._size_bytes = 0
        self._opened_day = 0
        self._unsaid = 0
        self._line_is_torn = False

    def open(self) -> bool:
        """Opens or re-opens; makes the folder when it is missing. False: see `trouble`."""
        self.close()
        self._was_tried = True
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(self.path, _FLAGS, _MODE)
            found = os.fstat(self._fd)
        except (OSError, ValueError) as error:
            self._fail(error)
            return False
        self._rotates = stat.S_ISREG(found.st_mode) and not self._is_special
        self._size_bytes = found.st_size
        self._opened_day = log_rotation.day(found.st_mtime)
        self._line_is_torn = False
        if self._rotates and self._request_compression:
            log_rotation.compress_all(self.path, self._request_compression)
        return True

    def write(self, line: bytes, at: float) -> bool:
        """Appends one line, which ends with a line end. False: it was lost here and is counted."""
        if self._fd < 0 and not self._was_tried:
            self.open()
        if self._fd >= 0:
            self._rotate_if_due(len(line), at)
        if self._fd < 0:
            self._lose()
            return False
        data = line
        if self._unsaid:
            data = self._notice(self._unsaid, self.trouble, at) + line
        if self._line_is_torn:
            data = b"\n" + data
        return self._append(data)

    def check(self, at: float) -> None:
        """Every few seconds: the file was moved, removed, truncated or could not be opened; or a day has passed."""
        if self._fd < 0:
            self.open()
        elif self._rotates:
            self._look_for_the_file()
        if self._fd >= 0:
            self._rotate_if_due(0, at)

    def close(self) -> None:
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.close(self._fd)
        self._fd = -1

    def _append(self, data: bytes) -> bool:
        try:
            written = os.write(self._fd, data)
        except OSError as error:
            self._fail(error)
            self._lose()
            return False
        self._size_bytes += written
        self._line_is_torn = written < len(data)
        if self._line_is_torn:  # a full disk takes a part first
            self.trouble = "the file system is full"
            self._lose()
            return False
        self._unsaid = 0
        self.trouble = ""
        return True

    def _look_for_the_file(self) -> None:
        try:
            ours = os.fstat(self._fd)
            there = os.stat(self.path)
        except OSError:
            self.open()
            return
        if (ours.st_dev, ours.st_ino) != (there.st_dev, there.st_ino):
            self.open()
        else:
            self._size_bytes = ours.st_size  # another hand may have truncated it (logrotate's copytruncate)

    def _rotate_if_due(self, more_bytes: int, at: float) -> None:
        today = log_rotation.day(at)
        if not self._size_bytes:
            self._opened_day = today
        sizes = {"size_bytes": self._size_bytes, "more_bytes": more_bytes}
        if not self._rotates or not log_rotation.is_due(self._rule, **sizes, opened_day=self._opened_day, today=today):
            return
        try:
            archive = log_rotation.set_aside(self.path, self._fd, self._rule, at)
        except OSError as error:
            self._fail(error)
            self._opened_day = today
            return
        self._size_bytes = 0
        log_rotation.remove_surplus(self.path, self._rule, keep=archive)
        if archive is not None:
            self.open()
        self._opened_day = today  # not the file's own time: the caller's clock decides

    def _fail(self, error: Exception) -> None:
        self.trouble = getattr(error, "strerror", None) or str(error)

    def _lose(self) -> None:
        self.lost += 1
        self._unsaid += 1
