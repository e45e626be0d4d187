"""One build for the whole run; containers that go when their test ends."""

import os
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from demo import seaweedfs
from tests.container import podman as engine
from tests.container.container import Container, remove
from tests.container.podman import Answer, podman

HARDENED = (
    "--read-only", "--tmpfs", "/tmp:rw,noexec,nosuid,size=64m,mode=1777", "--cap-drop", "ALL",
    "--security-opt", "no-new-privileges", "--pids-limit", "200", "--memory", "512m",
)  # fmt: skip
NONE: Mapping[str, str] = {}


BUILD_SECONDS = 900  # the first test waits for base and image
FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test's time limit counts its fixtures, and one of them builds."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(BUILD_SECONDS))


@pytest.fixture(scope="session")
def image() -> str:
    """The built image's name; a loud skip where containers cannot be had."""
    reason = engine.missing()
    if reason:
        pytest.skip(f"LOUD SKIP: no container tests: {reason}")
    return engine.build()


class Ground:
    """What the tests of one file share: the image, the server, and how to start a container against it."""

    def __init__(self, image: str, server: seaweedfs.Server, folder: Path) -> None:
        self.image, self.server, self.folder = image, server, folder
        self.started: list[Container] = []

    def _words(self, variables: Mapping[str, str]) -> list[str]:
        together = {**self.server.environment, **variables}
        return [word for name, value in together.items() for word in ("-e", f"{name}={value}")]

    def run(self, *arguments: str, options: tuple[str, ...] = (), variables: Mapping[str, str] = NONE) -> Answer:
        """`podman run IMAGE arguments` to its end."""
        command = ("run", "--rm", "--pull=never", "--network", "host", *self._words(variables), *options)
        return podman(*command, self.image, *arguments, check=False)

    def start(self, *arguments: str, options: tuple[str, ...] = (), variables: Mapping[str, str] = NONE) -> Container:
        """In the background, like `docker run -d`."""
        command = ("run", "-d", "--pull=never", "--network", "host", *self._words(variables), *options)
        container = Container(podman(*command, self.image, *arguments).stdout.strip())
        self.started.append(container)
        return container

    def volume(self, name: str, owner: int = 1000) -> Path:
        """A folder of the host for -v."""
        path = self.folder / name
        path.mkdir(exist_ok=True)
        os.chown(path, owner, owner)
        return path

    def config(self, pairs: list[dict[str, Any]], **sections: Any) -> tuple[str, ...]:
        """Options that mount a config file where the image looks for it."""
        path = self.folder / f"sync-{len(list(self.folder.glob('sync-*')))}.yaml"
        defaults = {"endpoint_url": self.server.endpoint_url, **sections.pop("defaults", {})}
        path.write_text(yaml.safe_dump({"pairs": pairs, "defaults": defaults, **sections}))
        return ("-v", f"{path}:/etc/runner/sync.yaml:ro")

    def close(self) -> None:
        remove(self.started)


@pytest.fixture
def ground(image: str, seaweed: seaweedfs.Server, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Ground]:
    """Containers started through it are removed at the end; their logs are shown when the test failed."""
    ground = Ground(image, seaweed, tmp_path)
    tmp_path.chmod(0o755)
    yield ground
    if request.node.stash.get(FAILED, False):
        for container in ground.started:
            print(f"--- {container.id[:12]}\n{container.logs()[-3000:]}\n{container.log_file()[-3000:]}")
    ground.close()
