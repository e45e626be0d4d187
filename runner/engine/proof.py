"""Is the folder the one it was? Asked before every pass; the answer decides whether anything may be deleted at all.

standing.py judges. FolderProof acts on it: makes a first marker, opens memory, moves over to the folder when the same
one is back at its path. It never takes "cannot be read" for "is not there".
"""

import contextlib
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

from runner.config.settings import Pair
from runner.engine import brakes
from runner.engine.memory_file import (
    Identity,
    MemoryCorruptError,
    MemoryFile,
    OtherFormatError,
    path_bytes,
    set_aside,
)
from runner.engine.standing import Standing, judge
from runner.files import marker as markers
from runner.files.folder import Folder, FolderError
from runner.files.lock import Holder, LockUnavailableError, PairLock, try_lock
from runner.files.marker import Marker, MarkerUnreadableError
from runner.files.private import NAME as PRIVATE_NAME
from runner.files.private import Private, PrivateError
from runner.model.errors import UserError
from runner.model.names import printable
from runner.model.passes import Halt

MemoryT = TypeVar("MemoryT", bound=MemoryFile)


@dataclass(frozen=True, slots=True)
class Proven(Generic[MemoryT]):
    """The folder may be worked on. note: what a person should know ("" mostly)."""

    memory: MemoryT
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Found(Generic[MemoryT]):
    """What lay in memory's place. unreadable: why it was set aside, "" mostly."""

    memory: MemoryT | None = None
    identity: Identity | None = None
    unreadable: str = ""

    def close(self) -> None:
        if self.memory:
            self.memory.close()


class FolderProof(Generic[MemoryT]):
    """The folder, its private place and its lock, as they are proven now. `folder.fd` is what runs work on.

    memory_class: the engine's kind of memory; the other engine's is set aside like one that cannot be read.
    """

    def __init__(
        self,
        pair: Pair,
        folder: Folder,
        private: Private,
        lock_fd: int,
        state_dir: Path | None,
        memory_class: type[MemoryT],
    ) -> None:
        self.pair = pair
        self.folder = folder
        self.private = private
        self.lock_fd = lock_fd
        self._state_dir = state_dir
        self._memory_class = memory_class
        self._known_id = ""
        self._own: list[Folder | Private | PairLock] = []  # what we opened ourselves after a move

    def prove(self, approves: Callable[[str], bool], now: float) -> Proven[MemoryT] | Halt:
        """Before a pass. approves: has a person approved this token? now: seconds since the epoch.

        Raises OSError, sqlite3.OperationalError, MarkerExistsError (try again).
        """
        if not (self.folder.is_same_now() and self.private.is_same_now()):
            halt = self._follow_the_path(approves)
            if halt is not None:
                return halt
        try:
            marker = markers.read(self.private)
        except MarkerUnreadableError as error:
            halt = self._halt("folder-unreadable", str(error))
            if not approves(halt.token):
                return halt
            fd = self.private.fd
            os.rename(markers.NAME, f"{markers.NAME}.unreadable", src_dir_fd=fd, dst_dir_fd=fd)
            marker, self._known_id = None, ""
        # Where memory lies may hang on the marker; without one there is none to speak of.
        found = self._open_memory(marker, now)
        standing = judge(marker, self._known_id, found.identity.pair_id if found.identity else "", self.pair)
        try:
            return self._settle(standing, marker, found, approves, now)
        except BaseException:
            found.close()
            raise

    def look(self) -> tuple[MemoryT, Path | None]:
        """For a plan: the memory to read, an empty one where none is to be trusted, and where it lies (None then).

        Makes and changes nothing. Raises UserError.
        """
        marker = markers.read(self.private)
        standing = judge(marker, self._known_id, "", self.pair)
        if standing in {Standing.MISSING, Standing.FOREIGN} or not self.folder.is_same_now():
            raise UserError("the folder is not the one it was, so nothing can be said", "see `runner status`")
        path = self._memory_path(marker) if standing is Standing.SAME else None
        memory = self._memory_class.open_read_only(path)
        if path is not None and marker is not None and memory.identity() == Identity.of(marker):
            return memory, path
        memory.close()
        return self._memory_class.open_read_only(None), None

    def distrust(self, now: float) -> Path | None:
        """Sets aside a memory found damaged in a pass, older than its folder should it come back. Raises OSError."""
        with contextlib.suppress(MarkerUnreadableError):
            marker = markers.read(self.private)
            if marker is not None:
                markers.bump_generation(self.private, marker)
        return set_aside(self.private.state_path, now)

    def close(self) -> None:
        """Closes what a move has opened; what the worker lent stays open."""
        for thing in self._own:
            thing.close()
        self._own.clear()

    # ── acting on the judgement ──

    def _settle(
        self,
        standing: Standing,
        marker: Marker | None,
        found: _Found[MemoryT],
        approves: Callable[[str], bool],
        now: float,
    ) -> Proven[MemoryT] | Halt:
        note, as_new = found.unreadable, False
        if standing in {Standing.MISSING, Standing.FOREIGN}:
            halt = self._halt(standing.value, self._sentence(standing), marker)
            if not approves(halt.token):
                found.close()
                return halt
            note, as_new = "the folder was accepted as new by approval: this pass deletes nothing", True
        if marker is None:
            marker = markers.create(self.private, self.pair, now)
        elif not marker.belongs_to(self.pair):
            note = (
                f"the folder was synced with {_target(marker)} before: its memory is set aside, nothing is deleted now"
            )
            marker = self._retargeted(marker)
        self._known_id = marker.pair_id
        return self._with_memory(marker, found, note, now, as_new=as_new)

    def _with_memory(
        self, marker: Marker, found: _Found[MemoryT], note: str, now: float, *, as_new: bool
    ) -> Proven[MemoryT]:
        if found.memory and found.identity == Identity.of(marker) and not as_new:
            return Proven(found.memory, note)
        found.close()
        if found.identity is not None or found.unreadable:
            # So that this memory, should it ever come back (a restored volume), is older than its folder.
            marker = markers.bump_generation(self.private, marker)
        if found.identity is not None:
            set_aside(self.private.state_path, now)
            note = note or "the memory found is not this folder's: it is set aside and this pass deletes nothing"
        fresh = self._memory_class.open(self.private.state_path)
        fresh.adopt(Identity.of(marker))
        return Proven(fresh, note)

    def _retargeted(self, marker: Marker) -> Marker:
        pair = self.pair
        other = replace(marker, bucket=pair.bucket, prefix=pair.prefix, endpoint_url=pair.endpoint_url)
        return markers.bump_generation(self.private, other)

    def _memory_path(self, marker: Marker | None) -> Path | None:
        try:
            path = self.private.state_path
        except LookupError:  # named by the marker, and there is none
            return None
        return path if marker is not None or path.exists() else None

    def _open_memory(self, marker: Marker | None, now: float) -> _Found[MemoryT]:
        path = self._memory_path(marker)
        if path is None or not path.exists():
            return _Found()
        try:
            memory = self._memory_class.open(path)
            try:
                return _Found(memory, memory.identity())
            except BaseException:
                memory.close()
                raise
        except MemoryCorruptError as error:
            aside = set_aside(path, now)
            where = f" ({printable(str(aside))})" if aside else ""
            why = (
                "the memory was written by the other engine (or another version) and"
                if isinstance(error, OtherFormatError)
                else "the memory cannot be read and"
            )
            return _Found(unreadable=f"{why} was set aside{where}; this pass deletes nothing: {error}")

    # ── another directory at the path ──

    def _follow_the_path(self, approves: Callable[[str], bool]) -> Halt | None:
        """The path leads elsewhere now: move over if the same marker is there, else halt."""
        try:
            folder = Folder.open(self.pair.folder, create=False, mountpoint=self.pair.mountpoint)
        except FolderError as error:
            return self._halt("folder-unreadable", str(error), approvable=False)
        private: Private | None = None
        try:
            halt = self._may_move(folder, approves)
            if halt is None:
                private = Private.open(folder, self.pair, self._state_dir)
                halt = self._move(folder, private, approves)
        except (OSError, PrivateError, MarkerUnreadableError, LockUnavailableError) as error:
            halt = self._halt("folder-unreadable", str(error), approvable=False)
        if halt is not None:
            if private is not None:
                private.close()
            folder.close()
        return halt

    def _may_move(self, folder: Folder, approves: Callable[[str], bool]) -> Halt | None:
        """Looks without making anything: an unmounted volume's mount point must stay clean."""
        # A read-only source carries no marker; what may be written now is another folder, or it would carry one.
        outside = self.private.read_only_source and not folder.is_writable()
        if outside or folder.lstat(f"{PRIVATE_NAME}/{markers.NAME}") is not None:
            return None
        halt = self._halt(Standing.MISSING.value, self._sentence(Standing.MISSING))
        return None if approves(halt.token) else halt

    def _move(self, folder: Folder, private: Private, approves: Callable[[str], bool]) -> Halt | None:
        marker = markers.read(private)
        if marker is not None and self._known_id and marker.pair_id != self._known_id:
            halt = self._halt(Standing.FOREIGN.value, self._sentence(Standing.FOREIGN), marker)
            if not approves(halt.token):
                return halt
        lock_fd = self._lock(private)
        if isinstance(lock_fd, Holder):
            return self._halt("folder-unreadable", f"another folder is here and {lock_fd} holds it", approvable=False)
        self.folder, self.private, self.lock_fd = folder, private, lock_fd
        self._own += [folder, private]
        return None

    def _lock(self, private: Private) -> int | Holder:
        """The same lock file (seen through another mount) is ours already: flock would refuse it to us."""
        with contextlib.suppress(OSError):
            named = os.stat("lock", dir_fd=private.fd, follow_symlinks=False)
            ours = os.fstat(self.lock_fd)
            if (named.st_dev, named.st_ino) == (ours.st_dev, ours.st_ino):
                return self.lock_fd
        lock = try_lock(private, Holder(socket.gethostname(), os.getpid(), 0.0))
        if isinstance(lock, Holder):
            return lock
        self._own.append(lock)
        return lock.fd

    # ── sentences ──

    def _halt(self, brake: str, reason: str, found: Marker | None = None, *, approvable: bool = True) -> Halt:
        """found: the marker that is there, so that a yes to one volume is none to the next."""
        facts = [str(self.pair.folder), self._known_id, *([found.pair_id] if found else [])]
        token = brakes.token(brake, [path_bytes(fact) for fact in facts]) if approvable else ""
        return Halt(brake, reason, token, 0)

    def _sentence(self, standing: Standing) -> str:
        shown = printable(str(self.pair.folder))
        if standing is Standing.MISSING:
            return (
                f"{shown} has lost its marker: unmounted, emptied or replaced? Nothing is changed until it is back, "
                "or until the folder is approved as a new one"
            )
        return (
            f"{shown} carries another marker than before: another volume? Nothing is changed until the right one is "
            "back, or until the folder is approved as a new one"
        )


def _target(marker: Marker) -> str:
    return (
        f"s3://{printable(marker.bucket)}/{printable(marker.prefix)} at {printable(marker.endpoint_url or 'Amazon S3')}"
    )
