"""One real S3 server for the whole test run, started when first asked for, and a fresh bucket for each test."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings

from demo import seaweedfs
from tests import radosgw
from tests.witness import make_bucket

# How long an example takes says something about the machine, and nothing about the code.
settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[seaweedfs.Server]:
    """A SeaweedFS on loopback."""
    with seaweedfs.running(tmp_path_factory.mktemp("seaweed")) as server:
        yield server


@pytest.fixture
def bucket(seaweed: seaweedfs.Server) -> str:
    """The name of a fresh, empty bucket."""
    return make_bucket(seaweed, f"b-{uuid4().hex[:12]}")


@pytest.fixture(scope="session")
def ceph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[seaweedfs.Server]:
    """Ceph's radosgw on loopback; a loud skip where it is not installed."""
    if not radosgw.is_installed():
        pytest.skip("LOUD SKIP: radosgw is not installed on this machine")
    with radosgw.running(tmp_path_factory.mktemp("ceph")) as server:
        yield server


@pytest.fixture
def ceph_bucket(ceph: seaweedfs.Server) -> str:
    """The name of a fresh, empty bucket on radosgw."""
    return make_bucket(ceph, f"b-{uuid4().hex[:12]}")
