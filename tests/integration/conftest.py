"""The witness under the name that the integration tests use, and where native engines work if nothing else is said."""

from pathlib import Path

import pytest

from demo.seaweedfs import Server
from tests.integration.native_scenarios import is_long, places_of
from tests.witness import aws

__all__ = ["aws"]


def pytest_report_header() -> str:
    """Says what is left to the long form."""
    return "scenarios: " + ("at every place" if is_long() else "LOUD: at one place or two; `make scenarios` tries all")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Scenarios run at several places."""
    if "scenario_place" in metafunc.fixturenames:
        metafunc.parametrize("scenario_place", places_of(metafunc.definition), indirect=True, scope="module")


@pytest.fixture(scope="module")
def target(seaweed: Server) -> Server:
    """The server that native engines work with; a module may name another (native_scenarios.py)."""
    return seaweed


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where the folders of native engines lie."""
    return tmp_path
