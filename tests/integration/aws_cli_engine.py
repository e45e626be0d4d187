"""A whole aws-cli engine in a test: real launcher, real credential process, real S3; here is the worker's part."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from demo.seaweedfs import Server
from runner.config.settings import Mode, Pair
from runner.engine.interface import Engine, ServiceUnavailableError, Surroundings
from runner.engine.registry import create_engine
from runner.files.folder import Folder
from runner.files.lock import Holder, PairLock, try_lock
from runner.files.private import Private
from runner.model.passes import PassReport, Progress, Trigger
from runner.wire.channel import Channel
from tests.integration.aws_cli_launcher import ROOT, LauncherProcess, base_environment, make_pair, surroundings_of

_CREDENTIALS = """
import sys
from runner.store.credential_process import serve
from runner.wire.channel import Channel
serve(Channel.from_fd(int(sys.argv[1])))
"""


class Services:
    """The two service processes of a supervisor."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.launcher = LauncherProcess(environment)
        self._channel, theirs = Channel.pair()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _CREDENTIALS, str(theirs.fileno())],
            env=environment,
            cwd=ROOT,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()

    def connect(self, name: str) -> Channel:
        if name == "launcher":
            return self.launcher.connect(name)
        if self._process.poll() is not None:
            raise ServiceUnavailableError(f"no {name}")
        ours, theirs = Channel.pair()
        self._channel.send({"type": "client"}, (theirs.fileno(),))
        theirs.close()
        return ours

    def close(self) -> None:
        self.launcher.close()
        self._channel.close()
        self._process.kill()
        self._process.wait()


class Worker:
    """Holds the pair as a worker does. `engine` anew (`restart`) is what a restarted worker is."""

    def __init__(self, pair: Pair, services: Services, state_dir: Path | None = None) -> None:
        self.pair = pair
        self.token = ""
        self.stop = False
        self.on_progress: Callable[[Progress], None] = lambda _progress: None
        self.on_run: Callable[[], object] = lambda: None
        self.log: list[str] = []
        self.pids: list[int] = []
        self._services = services
        self._state_dir = state_dir
        self._open()

    def _open(self) -> None:
        self.folder = Folder.open(self.pair.folder, create=True, mountpoint=False)
        self.private = Private.open(self.folder, self.pair, self._state_dir)
        lock = try_lock(self.private, Holder("test", os.getpid(), 0.0))
        assert isinstance(lock, PairLock)
        self._lock = lock
        self.engine: Engine = create_engine(self.surroundings(), self.folder, self.private, lock.fd)

    def surroundings(self) -> Surroundings:
        plain = surroundings_of(self.pair, self._services.connect, lambda: self.stop, self._started)
        return replace(
            plain,
            state_dir=self._state_dir,
            approved_token=lambda: self.token,
            wall_clock=time.time,
            report_progress=self._progress,
            log=lambda level, message: self.log.append(f"{level} {message}"),
        )

    def _started(self, pid: int) -> None:
        self.pids.append(pid)
        self.on_run()

    def _progress(self, progress: Progress) -> None:
        self.on_progress(progress)

    def sync(self, trigger: Trigger = Trigger.REQUEST) -> PassReport:
        return self.engine.run_pass(trigger)

    def restart(self, **changes: object) -> None:
        """Ends and starts anew, with other settings perhaps."""
        self.close()
        self.pair = self.pair.model_copy(update=changes)
        self._open()

    def close(self) -> None:
        self.engine.close()
        self._lock.close()
        self.private.close()
        self.folder.close()


MakeWorker = Callable[..., Worker]


@pytest.fixture(scope="module")
def services(seaweed: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """One launcher and one credential process for the tests of a module."""
    place = tmp_path_factory.mktemp("services")
    added = seaweed.environment | {
        "AWS_CONFIG_FILE": str(place / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(place / "credentials"),
        "PATH": base_environment()["PATH"],
    }
    before = {name: os.environ.get(name) for name in added}
    os.environ.update(added)
    started = Services(dict(os.environ))
    yield started
    started.close()
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@pytest.fixture
def worker(services: Services, seaweed: Server, bucket: str, tmp_path: Path) -> Iterator[MakeWorker]:
    """worker(Mode.PUSH, delete=True, ...) -> a Worker on the folder `tmp_path/f` (or `folder=`) and the bucket."""
    made: list[Worker] = []

    def make(mode: Mode, *, state_dir: Path | None = None, **keys: object) -> Worker:
        folder = keys.pop("folder", tmp_path / "f")
        assert isinstance(folder, Path)
        endpoint = {"endpoint_url": seaweed.endpoint_url}
        name = str(keys.pop("bucket", bucket))
        pair = make_pair(name, folder, mode, **{**endpoint, **keys})
        made.append(Worker(pair, services, state_dir))
        return made[-1]

    yield make
    for one in made:
        one.close()
