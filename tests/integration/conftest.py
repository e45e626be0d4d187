"""The witness under the name that the integration tests use, and where native engines work if nothing else is said."""

from pathlib import Path

import pytest

from demo.seaweedfs import Server
from tests.witness import aws

__all__ = ["aws"]


@pytest.fixture(scope="module")
def target(seaweed: Server) -> Server:
    """The server that native engines work with; a module may name another (native_scenarios.py)."""
    return seaweed


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where the folders of native engines lie."""
    return tmp_path
