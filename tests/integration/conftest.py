"""Where scenarios are tried and native engines work if nothing else is said, and which files come first."""

from collections import Counter
from pathlib import Path

import pytest

from demo.seaweedfs import Server
from tests.integration.native_scenarios import is_long, places_of

_FORKING = ("test_worker_", "test_supervisor_", "test_wire_", "test_one_shot", "test_services")


def pytest_report_header() -> str:
    """Says what is left to the long form."""
    return "scenarios: " + ("at every place" if is_long() else "LOUD: at one place or two; `make scenarios` tries all")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Scenarios run at several places."""
    if "scenario_place" in metafunc.fixturenames:
        metafunc.parametrize("scenario_place", places_of(metafunc.definition), indirect=True, scope="module")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that fork workers come first, the long ones before the short: in a process that has talked to S3 the CRT's
    threads are there, and a fork among them may crash; no supervisor ever forks like that."""
    sizes = Counter(item.path for item in items)
    items.sort(key=lambda item: (not item.path.name.startswith(_FORKING), -sizes[item.path], item.path))


@pytest.fixture(scope="module")
def target(seaweed: Server) -> Server:
    """The server that native engines work with; a module may name another (native_scenarios.py)."""
    return seaweed


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where the folders of native engines lie."""
    return tmp_path
