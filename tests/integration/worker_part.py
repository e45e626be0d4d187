"""The worker's part in tests of engines: it holds a pair, lends an engine what it needs, and is begun anew.

Services are real processes, started as the supervisor starts them.
"""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from runner.config.settings import Pair
from runner.engine.interface import Engine, ServiceUnavailableError, Surroundings
from runner.engine.registry import create_engine
from runner.files.folder import Folder
from runner.files.lock import Holder, PairLock, try_lock
from runner.files.private import Private
from runner.model.passes import Progress
from runner.wire.channel import Channel
from tests.witness import wait_until

ROOT = Path(__file__).parents[2]
CREDENTIALS = """
import sys
from runner.store.credential_process import serve
from runner.wire.channel import Channel
serve(Channel.from_fd(int(sys.argv[1])))
"""


class ServiceProcess:
    """code: Python that serves the channel of its first argument. `channel` is the supervisor's end."""

    def __init__(self, name: str, code: str, environment: Mapping[str, str]) -> None:
        self.name = name
        self._parent_pid = os.getpid()
        self.channel, theirs = Channel.pair()
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, str(theirs.fileno())],
            env={**environment},
            cwd=ROOT,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()

    def connect(self, name: str) -> Channel:
        is_here = os.getpid() != self._parent_pid or self.process.poll() is None  # a fork of us has no such child
        if name != self.name or not is_here:
            raise ServiceUnavailableError(f"no {name}")
        ours, theirs = Channel.pair()
        try:
            self.channel.send({"type": "client"}, (theirs.fileno(),))
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        return ours

    def close(self) -> None:
        self.channel.close()
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def lent_environment(added: Mapping[str, str], place: Path) -> Iterator[dict[str, str]]:
    """Of this process, for so long, with an AWS config of its own in `place`."""
    files = {"AWS_CONFIG_FILE": str(place / "config"), "AWS_SHARED_CREDENTIALS_FILE": str(place / "credentials")}
    before = {name: os.environ.get(name) for name in {**added, **files}}
    os.environ.update({**added, **files})
    try:
        yield dict(os.environ)
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def surroundings_of(
    pair: Pair,
    connect: Callable[[str], Channel],
    should_stop: Callable[[], bool] = lambda: False,
    run_started: Callable[[int], None] = lambda _pid: None,
) -> Surroundings:
    return Surroundings(
        pair=pair,
        state_dir=None,
        connect=connect,
        should_stop=should_stop,
        report_progress=lambda _progress: None,
        run_started=run_started,
        run_ended=lambda _pid: None,
        slot_acquire=lambda: None,
        slot_release=lambda: None,
        approved_token=lambda: "",
        wall_clock=lambda: 0.0,
        log=lambda _level, _message: None,
    )


class WorkerPart:
    """Holds one pair. `restart` is what a new worker is."""

    def __init__(self, pair: Pair, connect: Callable[[str], Channel], state_dir: Path | None = None) -> None:
        self.pair = pair
        self.token = ""
        self.stop = False
        self.only_push = False
        self.on_progress: Callable[[Progress], None] = lambda _progress: None
        self.on_run: Callable[[], object] = lambda: None
        self.log: list[str] = []
        self.pids: list[int] = []
        self._connect = connect
        self._state_dir = state_dir
        self._open()

    @property
    def path(self) -> Path:
        return self.pair.folder

    def _open(self) -> None:
        self.folder = Folder.open(self.pair.folder, create=True, mountpoint=False)
        self.private = Private.open(self.folder, self.pair, self._state_dir)
        wait_until(self._locks, "the lock, which a killed worker's run may hold for moments", 10.0)
        self.engine = self._engine(self._lock.fd)

    def _locks(self) -> bool:
        lock = try_lock(self.private, Holder("test", os.getpid(), 0.0))
        if isinstance(lock, PairLock):
            self._lock = lock
        return isinstance(lock, PairLock)

    def _engine(self, lock_fd: int) -> Engine:
        return create_engine(self.surroundings(), self.folder, self.private, lock_fd)

    def surroundings(self) -> Surroundings:
        return replace(
            surroundings_of(self.pair, self._connect, lambda: self.stop, self._started),
            state_dir=self._state_dir,
            report_progress=self._progress,
            approved_token=lambda: self.token,
            wall_clock=time.time,
            log=lambda level, message: self.log.append(f"{level} {message}"),
            only_push=lambda: self.only_push,
        )

    def _started(self, pid: int) -> None:
        self.pids.append(pid)
        self.on_run()

    def _progress(self, progress: Progress) -> None:
        self.on_progress(progress)

    def restart(self, **changes: object) -> None:
        """With other settings perhaps."""
        self.close()
        self.pair = self.pair.model_copy(update=changes)
        self._open()

    def close(self) -> None:
        self.engine.close()
        self._lock.close()
        self.private.close()
        self.folder.close()
