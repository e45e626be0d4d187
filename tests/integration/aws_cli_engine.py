"""A whole aws-cli engine in a test: real launcher, real credential process, real S3; here is the worker's part."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.seaweedfs import Server
from runner.config.settings import Mode
from runner.model.passes import PassReport, Trigger
from runner.wire.channel import Channel
from tests.integration.aws_cli_launcher import LauncherProcess, base_environment, make_pair
from tests.integration.worker_part import CREDENTIALS, ServiceProcess, WorkerPart, lent_environment


class Services:
    """The two service processes of a supervisor."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.launcher = LauncherProcess(environment)
        self._credentials = ServiceProcess("credentials", CREDENTIALS, environment)

    def connect(self, name: str) -> Channel:
        return (self.launcher if name == "launcher" else self._credentials).connect(name)

    def close(self) -> None:
        self.launcher.close()
        self._credentials.close()


class Worker(WorkerPart):
    def sync(self, trigger: Trigger = Trigger.REQUEST) -> PassReport:
        return self.engine.run_pass(trigger)


MakeWorker = Callable[..., Worker]


@pytest.fixture(scope="module")
def services(seaweed: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """One launcher and one credential process for the tests of a module."""
    added = seaweed.environment | {"PATH": base_environment()["PATH"]}
    with lent_environment(added, tmp_path_factory.mktemp("services")) as environment:
        started = Services(environment)
        yield started
        started.close()


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
        made.append(Worker(pair, services.connect, state_dir))
        return made[-1]

    yield make
    for one in made:
        one.close()
