"""A handful of the same histories on SeaweedFS; `make oracle` tries more of them, on new seeds."""

from uuid import uuid4

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from demo import seaweedfs
from tests.bench.fake_s3 import Kind
from tests.bench.histories import Histories, Pairs, pair_of
from tests.bench.real_s3 import RealClock, RealS3, RealServer
from tests.bench.runners import BenchRunner
from tests.bench.world import World
from tests.witness import make_bucket


def test_histories_on_seaweedfs_hold(seaweed: seaweedfs.Server) -> None:
    run_state_machine_as_test(histories_on(seaweed), settings=FEW)


def histories_on(server: seaweedfs.Server) -> type[Histories]:
    """The state machine, each history on a fresh bucket of this server."""

    class OnServer(Histories):
        def make(self, kind: Kind, pairs: Pairs) -> World:
            bucket = RealS3(server, make_bucket(server, f"h-{uuid4().hex[:12]}"))
            runners = [
                BenchRunner(
                    pair_of(self.root, number, *pair, bucket=bucket.name),
                    RealClock(),
                    lambda around: RealServer(around, bucket),
                )
                for number, pair in enumerate(pairs)
            ]
            return World(bucket, RealClock(), runners, runners[0].pair.prefix)

    return OnServer


FEW = settings(
    max_examples=4,
    stateful_step_count=8,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
