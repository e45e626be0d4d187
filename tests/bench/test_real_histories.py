"""A handful of the same histories on SeaweedFS; `make oracle` tries more of them, on new seeds."""

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from demo import seaweedfs
from tests.bench.real_s3 import histories_on

FEW = settings(
    max_examples=4,
    stateful_step_count=8,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def test_histories_on_seaweedfs_hold(seaweed: seaweedfs.Server) -> None:
    run_state_machine_as_test(histories_on(seaweed), settings=FEW)
