"""The file, link or whatever has a name right now, held by a descriptor so that its inode cannot become another's."""

import errno
import os

from runner.files import stamp
from runner.files.lease import Lease, Quiet, quiet
from runner.files.moves import Name
from runner.files.scan_result import Entry

_READING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_HOLDING = getattr(os, "O_PATH", os.O_RDONLY) | os.O_NOFOLLOW | os.O_CLOEXEC


class Pinned:
    """Use it in `with`. fd: readable for regular files that we may read, else good for fstat(2) only."""

    def __init__(self, name: Name, kind: str, *, leases: bool) -> None:
        """kind: as in Entry; what is really there may be something else. Raises OSError (ENOENT: nothing is)."""
        self._leases = leases and kind == "file"
        try:
            self.fd = os.open(name.name, _READING if kind == "file" else _HOLDING, dir_fd=name.fd)
        except OSError as error:
            if error.errno not in {errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENXIO}:
                raise
            self._leases = False
            self.fd = os.open(name.name, _HOLDING, dir_fd=name.fd)

    def state(self) -> os.stat_result:
        return os.fstat(self.fd)

    def is_unchanged(self, expected: Entry) -> bool:
        """It is what was expected, with nothing done to it since."""
        return stamp.is_unchanged(self.state(), expected)

    def lease(self) -> Lease:
        """A read lease on it; of no use (UNKNOWN) on what is not a readable regular file."""
        return Lease(self.fd, possible=self._leases)

    def quiet(self) -> Quiet:
        """Whether anybody has it open for writing right now."""
        return quiet(self.fd, possible=self._leases)

    def __enter__(self) -> "Pinned":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)
