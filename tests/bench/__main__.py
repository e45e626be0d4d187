"""`make oracle MINUTES=n`: new histories until the time is up, or until one fails; then the shrunk one is shown.

    python -m tests.bench [--minutes 10] [--seed 1] [--scenes 6]

Each history has a seed of its own; `--seed` of a failing one shows it again. Every 200th is on SeaweedFS.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from demo import seaweedfs
from tests.bench.histories import Make, drawn, failure, shrunk
from tests.bench.real_s3 import world_on

_REAL_EVERY = 200  # histories


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    parser.add_argument("--scenes", type=int, default=6)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, seaweedfs.running(Path(place)) as server:
        return hunt(asked, world_on(server))


def hunt(asked: argparse.Namespace, real: Make) -> int:
    """The exit code. real: makes worlds on a real server, which every so often have their turn."""
    until = time.monotonic() + 60 * asked.minutes
    seed, steps = asked.seed, 0
    while time.monotonic() < until:
        history = drawn(seed, asked.scenes)
        make = real if seed % _REAL_EVERY == 0 else None
        found = failure(history, make)
        if found is not None:
            least = shrunk(history, make)
            print(f"{failure(least, make) or found!r}\n{least}")
            print(f"seed {seed} fails: python -m tests.bench --seed {seed} --scenes {asked.scenes}")
            return 1
        seed, steps = seed + 1, steps + len(history.steps)
    print(f"histories {asked.seed} to {seed - 1}, {steps} steps, {time.process_time():.0f} s of CPU: all hold")
    return 0


if __name__ == "__main__":
    sys.exit(main())
