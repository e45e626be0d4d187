"""Where a pair keeps what is not the user's: `<folder>/.runner/`, or a state folder when the source is read-only.

Owns names, rights and trust of that place. Never looks into the marker or the database.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from runner.config.settings import Mode, Pair
from runner.files import beneath
from runner.files.folder import RIGHTS_HINT, Folder, forbidden
from runner.model.errors import UserError
from runner.model.names import printable

NAME = ".runner"
_STATE_NAME = "state.db"
_READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


class PrivateError(UserError):
    """The private place of a pair cannot be made or must not be trusted."""


class Private:
    """One pair's private directory, 0700, open.

    path: of the directory. read_only_source: nothing can be written into the folder, so everything lives elsewhere and
    there is no trash beside the files. pair_id: set by whoever reads or makes the marker (files/marker.py does).
    """

    def __init__(self, path: Path, fd: int, *, state_dir: Path | None, read_only_source: bool) -> None:
        self.path = path
        self.fd = fd
        self.read_only_source = read_only_source
        self.pair_id: str | None = None
        self._state_dir = state_dir

    @classmethod
    def open(
        cls, folder: Folder, pair: Pair, state_dir: Path | None, environment: Mapping[str, str] = os.environ
    ) -> "Private":
        """Makes and opens it. Raises PrivateError: a link or a stranger's directory is in its place, or no room."""
        path = folder.path / NAME
        try:
            fd = _open_own(folder)
        except OSError as error:
            if not _is_read_only_source(folder, pair, error):
                raise PrivateError(_cannot_make(path, error), _hint(pair, error)) from None
            return cls._open_outside(folder, pair, state_dir, environment)
        private = cls(path, fd, state_dir=state_dir, read_only_source=False)
        try:
            _trust(fd, path, folder)
            private._write_gitignore()
        except OSError as error:
            private.close()
            if _is_read_only_source(folder, pair, error):
                return cls._open_outside(folder, pair, state_dir, environment)
            raise PrivateError(_cannot_make(path, error), _hint(pair, error)) from None
        except BaseException:
            private.close()
            raise
        return private

    @classmethod
    def _open_outside(
        cls, folder: Folder, pair: Pair, state_dir: Path | None, environment: Mapping[str, str]
    ) -> "Private":
        path = (state_dir or default_state_dir(environment)) / outside_id(folder.real_path, pair.bucket, pair.prefix)
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise PrivateError(
                f"{_closed(folder)}, and its memory cannot be kept in {printable(str(path))}: {error.strerror}",
                "set supervisor.state_dir (without a config: XDG_STATE_HOME) to a folder that can be written",
            ) from None
        try:
            _trust(fd, path, None)
        except BaseException:
            os.close(fd)
            raise
        return cls(path, fd, state_dir=None, read_only_source=True)

    @property
    def state_path(self) -> Path:
        """Of the database; its directory exists. With supervisor.state_dir it is named by the marker's pair id.

        Raises LookupError before the marker was read or made (a mistake of ours), PrivateError when the directory
        cannot be made.
        """
        if self._state_dir is None:
            return self.path / _STATE_NAME
        if self.pair_id is None:
            raise LookupError("the database's place is named by the marker: read or make the marker first")
        directory = self._state_dir / self.pair_id
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise PrivateError(_cannot_make(directory, error), "correct supervisor.state_dir") from None
        return directory / _STATE_NAME

    def is_same_now(self) -> bool:
        """The path still leads to this very directory: not removed with all that was in the folder, not made anew."""
        try:
            named = os.stat(self.path, follow_symlinks=False)
        except OSError:
            return False
        return os.path.samestat(named, os.fstat(self.fd))

    def subfolder(self, name: str) -> int:
        """A new descriptor of `tmp` or `trash`, made when missing (0700). Raises OSError, ELOOP for a planted link."""
        with suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=self.fd)
            os.fsync(self.fd)  # what will lie in it must not be lost with its name
        return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.fd)

    def close(self) -> None:
        """Gives the descriptor back."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def _write_gitignore(self) -> None:
        """So that no version control takes our database for the user's work."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            fd = os.open(".gitignore", flags, 0o600, dir_fd=self.fd)
        except FileExistsError:
            # Also the proof that a directory of an earlier run can still be written.
            if not os.access(".", os.W_OK | os.X_OK, dir_fd=self.fd, effective_ids=True):
                raise OSError(errno.EACCES, os.strerror(errno.EACCES)) from None
            return
        with os.fdopen(fd, "wb") as file:
            file.write(b"*\n")


def default_state_dir(environment: Mapping[str, str]) -> Path:
    """`$XDG_STATE_HOME/runner`, else `~/.local/state/runner` (XDG Base Directory Specification)."""
    base = environment.get("XDG_STATE_HOME", "")
    if os.path.isabs(base):  # the specification: a relative value is to be ignored
        return Path(base) / "runner"
    home = environment.get("HOME", "")
    if not os.path.isabs(home):
        raise PrivateError(
            "the source is read-only and there is no home folder to keep its memory in", "set supervisor.state_dir"
        )
    return Path(home) / ".local" / "state" / "runner"


def outside_id(real_folder: Path, bucket: str, prefix: str) -> str:
    """The name of a read-only source's place: the same for the same folder, bucket and prefix."""
    text = b"\0".join((os.fsencode(real_folder), bucket.encode(), prefix.encode(errors="surrogateescape")))
    return hashlib.sha256(text).hexdigest()[:32]


def _open_own(folder: Folder) -> int:
    try:
        os.mkdir(NAME, 0o700, dir_fd=folder.fd)
    except FileExistsError:
        pass
    else:
        os.fsync(folder.fd)
    return beneath.open_beneath(folder.fd, NAME, os.O_RDONLY | os.O_DIRECTORY)


def _trust(fd: int, path: Path, folder: Folder | None) -> None:
    """Refuses a directory that somebody else could have laid there to steer us. Raises PrivateError, OSError.

    A foreign owner alone is no crime (another uid after a redeployment, a squashing NFS server) unless everybody may
    write into the folder; a directory that everybody may write into is never taken.
    """
    state = os.fstat(fd)
    me = os.geteuid()
    mode = stat.S_IMODE(state.st_mode)
    if mode & 0o077 and me in {state.st_uid, 0}:
        # Set-group-id with group rights is the mark of Kubernetes' fsGroup: the next pod may need the group's way in.
        mode &= 0o2770 if mode & stat.S_ISGID else 0o700
        os.fchmod(fd, mode)
    owners = {me, 0}
    crowded = True
    if folder is not None:
        root = os.fstat(folder.fd)
        owners.add(root.st_uid)
        crowded = bool(root.st_mode & stat.S_IWOTH)
    if mode & stat.S_IWOTH or (crowded and state.st_uid not in owners):
        raise PrivateError(
            f"{printable(str(path))} belongs to uid {state.st_uid} (mode {mode:04o}), I am uid {me}: not trusted",
            "find out who made it; move it away or run as its owner",
        )


def _is_read_only_source(folder: Folder, pair: Pair, error: OSError) -> bool:
    """A private directory that is closed to us in a folder we may write is a stranger's, not a read-only source."""
    return pair.mode is Mode.PUSH and error.errno in _READ_ONLY and not folder.is_writable()


def _closed(folder: Folder) -> str:
    """Why nothing can be written there: a read-only mount, or somebody else's folder."""
    system = os.fstatvfs(folder.fd)
    if system.f_flag & os.ST_RDONLY:
        return f"{printable(str(folder.path))} is read-only"
    return forbidden(folder.path, os.fstat(folder.fd))


def _cannot_make(path: Path, error: OSError) -> str:
    shown = printable(str(path))
    if error.errno == errno.ELOOP or (error.errno == errno.ENOTDIR and path.is_symlink()):
        return f"{shown} is a symlink: not trusted"
    if error.errno in {errno.ENOTDIR, errno.EEXIST}:
        return f"{shown} is in the way: not a directory of ours"
    if error.errno == errno.EACCES:
        with suppress(OSError):
            return forbidden(path, os.stat(path, follow_symlinks=False))
        with suppress(OSError):
            return forbidden(path.parent, os.stat(path.parent))
    return f"{shown} cannot be used: {error.strerror}"


def _hint(pair: Pair, error: OSError) -> str:
    if error.errno in {errno.ELOOP, errno.ENOTDIR, errno.EEXIST}:
        return "move it away"
    if error.errno == errno.EROFS:
        return f"mode {pair.mode.value} writes into the folder: mount it writable, or use mode push"
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "make room"
    return RIGHTS_HINT
