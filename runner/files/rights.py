"""Who may do what with a file or folder that a pass makes: what the metadata says, else what the pair says.

Never gives setuid, setgid or sticky. What the file system does not let us set is told, not raised.
"""

import errno
import os
from dataclasses import dataclass

_MAY_NOT = frozenset({errno.EPERM, errno.EACCES, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EOVERFLOW})


@dataclass(frozen=True, slots=True)
class Rights:
    """file_mode, dir_mode: permission bits, None: what `umask` leaves of 0666 and 0777. gid: None leaves it alone.
    uid_wanted: an owner that the metadata names is set too."""

    file_mode: int | None = None
    dir_mode: int | None = None
    umask: int = 0o022
    gid: int | None = None
    uid_wanted: bool = False

    def of_file(self, mode: int | None) -> int:
        """mode: of the metadata (a whole st_mode is fine), None where it says nothing."""
        if mode is not None:
            return mode & 0o777
        return self.file_mode & 0o777 if self.file_mode is not None else 0o666 & ~self.umask

    def of_folder(self) -> int:
        return self.dir_mode & 0o777 if self.dir_mode is not None else 0o777 & ~self.umask

    def owner(self, uid: int | None, gid: int | None) -> tuple[int, int]:
        """uid and gid for chown(2), -1 for what is left alone. The pair's gid comes before the metadata's."""
        wanted_gid = self.gid if self.gid is not None else (gid if self.uid_wanted else None)
        return (
            uid if self.uid_wanted and uid is not None else -1,
            wanted_gid if wanted_gid is not None else -1,
        )


def process_umask() -> int:
    """Of this process; umask(2) itself could only set it, and for all threads."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith("Umask:"):
                    return int(line.split()[1], 8)
    except OSError:
        pass
    return 0o077  # not to be known: closed to others rather than open to all


def set_owner(fd: int, owner: tuple[int, int]) -> bool:
    """False when it may not be set. Raises OSError for anything else."""
    if owner == (-1, -1):
        return True
    try:
        os.chown(fd, *owner)
    except (OSError, OverflowError) as error:
        return _told(error)
    return True


def set_mode(fd: int, mode: int) -> bool:
    """As set_owner."""
    try:
        os.fchmod(fd, mode)
    except OSError as error:
        return _told(error)
    return True


def set_mtime(fd: int, mtime_ns: int) -> bool:
    """As set_owner; False also for a time the file system cannot hold."""
    try:
        os.utime(fd, ns=(mtime_ns, mtime_ns))
    except (OSError, OverflowError) as error:
        return _told(error)
    return True


def _told(error: OSError | OverflowError) -> bool:
    if isinstance(error, OverflowError) or error.errno in _MAY_NOT:
        return False
    raise error
