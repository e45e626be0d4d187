"""A handful of the same histories on SeaweedFS; `make oracle` tries more of them, on new seeds."""

from demo import seaweedfs
from tests.bench.drawing import drawn
from tests.bench.histories import run
from tests.bench.real_s3 import world_on


def test_histories_on_seaweedfs_hold(seaweed: seaweedfs.Server) -> None:
    for seed in range(4):
        run(drawn(seed, scenes=2), world_on(seaweed))
