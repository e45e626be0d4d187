"""Histories on the bucket in memory: always the same ones, so that `make test` means the same everywhere."""

from hypothesis import HealthCheck, settings

from tests.bench.histories import Histories

TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=60,
    stateful_step_count=20,
    derandomize=True,
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
