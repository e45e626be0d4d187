"""Taking a pair into possession: folder, private place, lock, watches, engine; in this order, or not at all.

Runs in the pass thread, because a dead network file system may block any of it. Decides nothing about trying again.
"""

import os
import socket
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from runner.config.settings import Mode, Pair
from runner.engine.interface import Engine, Surroundings
from runner.files.filters import Filters
from runner.files.folder import Folder
from runner.files.lock import Holder, PairLock, tell_hydrated, try_lock
from runner.files.private import NAME as PRIVATE_NAME
from runner.files.private import Private
from runner.files.watch import Watcher

EngineFactory = Callable[[Surroundings, Folder, Private, int], Engine]


@dataclass(slots=True)
class Possession:
    """What a worker holds of its pair. scratch: a stand-in for a plan over a folder that nobody has synced yet."""

    folder: Folder
    private: Private
    lock: PairLock
    engine: Engine
    me: Holder
    watcher: Watcher | None = None
    scratch: bool = False
    temporary: tempfile.TemporaryDirectory[str] | None = None

    def tell_hydrated(self) -> None:
        """For a worker in standby behind this one. Once."""
        if not self.me.hydrated and not self.scratch:
            tell_hydrated(self.private, self.me)
            self.me = replace(self.me, hydrated=True)

    def close(self) -> None:
        """The watcher is the loop's and stays open."""
        self.engine.close()
        self.lock.close()
        self.private.close()
        self.folder.close()
        if self.temporary:
            self.temporary.cleanup()


def take_possession(
    surroundings: Surroundings, make_engine: EngineFactory, since: float, *, watch: bool
) -> Possession | Holder:
    """The pair, or who holds it. since: seconds since the epoch, for the next one who asks.

    Raises UserError (wait and try again), PermanentFailureError, OSError.
    """
    pair = surroundings.pair
    with ExitStack() as undo:
        folder = Folder.open(pair.folder, create=True, mountpoint=pair.mountpoint, dir_mode=pair.dir_mode)
        undo.callback(folder.close)
        private = Private.open(folder, pair, surroundings.state_dir)
        undo.callback(private.close)
        me = Holder(socket.gethostname(), os.getpid(), since)
        lock = try_lock(private, me)
        if isinstance(lock, Holder):
            return lock
        undo.callback(lock.close)
        # Before the first scan, so that no change can fall between the two.
        watcher = start_watcher(folder, pair) if watch else None
        if watcher:
            undo.callback(watcher.close)
        engine = make_engine(surroundings, folder, private, lock.fd)
        undo.pop_all()
    return Possession(folder, private, lock, engine, me, watcher)


def take_scratch(surroundings: Surroundings, make_engine: EngineFactory) -> Possession | None:
    """For a plan that must leave no trace: private place and, if need be, folder stand in a temporary directory.

    None when the folder has its private place already, or cannot have one: then the real ones are to be used.
    Raises UserError, PermanentFailureError, OSError.
    """
    pair = surroundings.pair
    exists = os.path.lexists(pair.folder)
    if pair.mountpoint and not exists:
        return None
    with ExitStack() as undo:
        temporary = tempfile.TemporaryDirectory(prefix="runner-plan-")
        undo.callback(temporary.cleanup)
        stand_in = Path(temporary.name) / "folder"
        if not exists:
            stand_in.mkdir()
        folder = Folder.open(
            pair.folder if exists else stand_in, create=False, mountpoint=pair.mountpoint, dir_mode=pair.dir_mode
        )
        undo.callback(folder.close)
        if folder.lstat(PRIVATE_NAME) is not None or not folder.is_writable():
            return None
        place = Path(temporary.name) / PRIVATE_NAME
        place.mkdir(mode=0o700)
        fd = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        private = Private(place, fd, state_dir=None, read_only_source=False)
        undo.callback(private.close)
        me = Holder(socket.gethostname(), os.getpid(), 0.0)
        lock = try_lock(private, me)
        assert isinstance(lock, PairLock)
        undo.callback(lock.close)
        engine = make_engine(surroundings, folder, private, lock.fd)
        undo.pop_all()
    return Possession(folder, private, lock, engine, me, None, scratch=True, temporary=temporary)


def is_watched(pair: Pair) -> bool:
    """A pull changes its folder itself: watching it would make it answer its own downloads."""
    return pair.watch and pair.mode is not Mode.PULL


def start_watcher(folder: Folder, pair: Pair) -> Watcher:
    return Watcher.start(folder, Filters(pair.exclude, pair.include))
