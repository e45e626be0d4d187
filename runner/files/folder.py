"""The folder of a pair, held by the descriptor of its root: proven once, and everything else reached below it.

Never makes a mount point, never follows a link below the root (the root itself may be reached through one).
"""

import errno
import grp
import os
import pwd
import stat
from contextlib import suppress
from pathlib import Path

from runner.files import beneath
from runner.model.errors import UserError
from runner.model.names import printable

RIGHTS_HINT = (
    "run as its owner (docker --user, securityContext.runAsUser), or share a group with it "
    "(securityContext.fsGroup, gid) and give the group r, w and x"
)
_MAKE_HINTS = {
    errno.EROFS: "mount a volume or a folder there, or correct `folder` (working_directory of a container)",
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room",
}


class FolderError(UserError):
    """The folder cannot be used as it is now; waiting or a person may cure it."""


class FolderNotMountedError(FolderError):
    """`mountpoint: true` and nothing is mounted there (yet): the pair waits, nothing was made."""


class FolderMissingError(FolderError):
    """The folder does not exist and was not to be made."""


class Folder:
    """A proven directory. Close it when the pair ends; runs may hold duplicates of `fd` for longer.

    path: as configured. real_path: without symlinks, as it was when opened. created: this call made it.
    """

    def __init__(self, path: Path, fd: int, *, mountpoint: bool = False, created: bool = False) -> None:
        self.path = path
        self.fd = fd
        self.created = created
        self.mountpoint = mountpoint
        state = os.fstat(fd)
        self.identity = (state.st_dev, state.st_ino)
        self.real_path = Path(os.path.realpath(path))

    @classmethod
    def open(cls, path: Path, *, create: bool, mountpoint: bool, dir_mode: int | None = None) -> "Folder":
        """Opens the folder; makes it with its parents when `create` and not `mountpoint`.

        dir_mode: permission bits of a folder that is made; None: what the umask leaves of 0777.
        Raises FolderNotMountedError, FolderMissingError, FolderError.
        """
        created = create and not mountpoint and not os.path.lexists(path)
        if created:
            _make(path, dir_mode)
        fd = _open_root(path, mountpoint=mountpoint)
        try:
            if mountpoint and not is_mount_point(fd):
                raise FolderNotMountedError(f"{_shown(path)} is not a mount point yet", "mount it; nothing was made")
            if not os.access(".", os.R_OK | os.X_OK, dir_fd=fd, effective_ids=True):
                raise FolderError(forbidden(path, os.fstat(fd)), RIGHTS_HINT)
        except BaseException:
            os.close(fd)
            raise
        return cls(path, fd, mountpoint=mountpoint, created=created)

    def is_same_now(self) -> bool:
        """The path still leads to this very directory (nothing unmounted, mounted over, moved or made anew)."""
        try:
            state = os.stat(self.path)
        except OSError:
            return False
        # The held descriptor keeps device and inode numbers from being given to something else.
        return (state.st_dev, state.st_ino) == self.identity

    def is_writable(self) -> bool:
        """This process may make files in the root. False on a read-only file system."""
        return os.access(".", os.W_OK | os.X_OK, dir_fd=self.fd, effective_ids=True)

    def open_beneath(self, path: str, flags: int, mode: int = 0o600) -> int:
        """See beneath.open_beneath. Raises OSError."""
        return beneath.open_beneath(self.fd, path, flags, mode)

    def open_regular_file(self, path: str) -> int:
        """See beneath.open_regular_file. Raises OSError."""
        return beneath.open_regular_file(self.fd, path)

    def lstat(self, path: str) -> os.stat_result | None:
        """What is at `path`, None when nothing is. Raises OSError when that cannot be known."""
        try:
            return beneath.lstat_beneath(self.fd, path)
        except FileNotFoundError:
            return None

    def make_dirs(self, path: str, mode: int = 0o777) -> tuple[str, ...]:
        """See beneath.make_dirs. Raises OSError."""
        return beneath.make_dirs(self.fd, path, mode)

    def remove_empty_dir(self, path: str) -> bool:
        """True when the directory was empty and is gone now. Raises OSError for anything but "not empty" or "gone"."""
        with beneath.parent_of(self.fd, path) as (parent, name):
            try:
                os.rmdir(name, dir_fd=parent)
            except OSError as error:
                if error.errno in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT}:
                    return False
                raise
        return True

    def close(self) -> None:
        """Gives the descriptor back."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _shown(path: Path) -> str:
    return printable(str(path))


def _make(path: Path, dir_mode: int | None) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(exist_ok=True)
        if dir_mode is not None:
            path.chmod(dir_mode)
    except OSError as error:
        reason = _forbidden_above(path) if error.errno == errno.EACCES else error.strerror
        hint = _MAKE_HINTS.get(error.errno or 0, RIGHTS_HINT)
        raise FolderError(f"{_shown(path)} cannot be made: {reason}", hint) from None


def _open_root(path: Path, *, mountpoint: bool) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        if mountpoint:
            raise FolderNotMountedError(
                f"{_shown(path)} does not exist, so nothing is mounted there", "mount it; nothing was made"
            ) from None
        what = "is a link that leads nowhere" if path.is_symlink() else "does not exist"
        raise FolderMissingError(f"{_shown(path)} {what}", "make it or correct `folder`") from None
    except NotADirectoryError:
        raise FolderError(f"{_shown(path)} is not a directory", "a pair needs a directory; correct `folder`") from None
    except PermissionError:
        raise FolderError(_forbidden_above(path), RIGHTS_HINT) from None
    except OSError as error:
        raise FolderError(f"{_shown(path)} cannot be opened: {error.strerror}", "see the system's log") from None


def _forbidden_above(path: Path) -> str:
    """The sentence for the directory on the way to `path` that turned this process away."""
    for candidate in (path, *path.parents):
        with suppress(OSError):
            return forbidden(candidate, os.stat(candidate))
    return f"{_shown(path)}: permission denied"


def forbidden(path: Path, state: os.stat_result) -> str:
    """The sentence for a permission that was denied: whose it is, and who I am."""
    mode = stat.S_IMODE(state.st_mode)
    owner = f"{state.st_uid}:{state.st_gid}{_names(state.st_uid, state.st_gid)}"
    me = f"{os.geteuid()}:{os.getegid()}{_names(os.geteuid(), os.getegid())}"
    return f"{_shown(path)}: permission denied: owner is {owner}, mode {mode:04o}, I am {me}"


def _names(uid: int, gid: int) -> str:
    """` (user:group)` where this machine knows both; containers often do not."""
    try:
        return f" ({pwd.getpwuid(uid).pw_name}:{grp.getgrgid(gid).gr_name})"
    except KeyError:
        return ""


def is_mount_point(fd: int) -> bool:
    """The directory is the root of a mount; a bind mount counts (its device number is that of its parent)."""
    above = os.open("..", beneath.DIRECTORY, dir_fd=fd)
    try:
        mine, theirs = _mount_id(fd), _mount_id(above)
        if mine is not None and theirs is not None:
            return mine != theirs or os.path.samestat(os.fstat(fd), os.fstat(above))
        here, there = os.fstat(fd), os.fstat(above)
        return here.st_dev != there.st_dev or here.st_ino == there.st_ino
    finally:
        os.close(above)


def _mount_id(fd: int) -> str | None:
    """The kernel's number of the mount a descriptor lies on (proc(5), fdinfo); None where /proc does not tell."""
    try:
        text = Path(f"/proc/self/fdinfo/{fd}").read_text("ascii")
    except OSError:
        return None
    return next((line.split()[1] for line in text.splitlines() if line.startswith("mnt_id:")), None)
