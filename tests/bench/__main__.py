"""`make oracle MINUTES=n`: new histories until the time is up, or until one fails; then the shrunk one is shown.

    python -m tests.bench [--minutes 10] [--seed 1] [--scenes 6] [--side-by-side 2]

Each history has a seed of its own; `--seed` of a failing one shows it again. Every 200th is on SeaweedFS.
"""

import argparse
import gc
import multiprocessing
import os
import random
import sys
import tempfile
import time
from multiprocessing.queues import SimpleQueue
from pathlib import Path

from demo import seaweedfs
from tests.bench.drawing import drawn, wrong
from tests.bench.histories import Make
from tests.bench.real_s3 import world_on

_REAL_EVERY = 200  # histories


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    parser.add_argument("--scenes", type=int, default=6)
    parser.add_argument("--side-by-side", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, seaweedfs.running(Path(place)) as server:
        return side_by_side(asked, world_on(server))


def side_by_side(asked: argparse.Namespace, real: Make) -> int:
    """The exit code. real: makes worlds on a real server, which every so often have their turn."""
    forks = multiprocessing.get_context("fork")
    told: SimpleQueue[tuple[int, float, str]] = forks.SimpleQueue()
    until = time.monotonic() + 60 * asked.minutes
    gc.freeze()  # what is there by now is not looked through again and again
    hunters = [
        forks.Process(target=hunt, args=(asked, first, until, real, told), daemon=True)
        for first in range(asked.seed, asked.seed + asked.side_by_side)
    ]
    for hunter in hunters:
        hunter.start()
    steps, cpu_seconds = 0, 0.0
    for _ in hunters:
        taken, spent, failure = told.get()
        if failure:
            print(failure)
            return 1  # the others are daemons
        steps, cpu_seconds = steps + taken, cpu_seconds + spent
    print(f"seeds from {asked.seed}, {steps} steps, {steps / cpu_seconds:.0f} a second of CPU: all hold")
    return 0


def hunt(
    asked: argparse.Namespace, first: int, until: float, real: Make, told: "SimpleQueue[tuple[int, float, str]]"
) -> None:
    """In a process of its own, every so many seeds; says steps, seconds of CPU and a failure."""
    seed, steps, failure = first, 0, ""
    while time.monotonic() < until and not failure:
        failure = wrong(seed, asked.scenes, None if seed % _REAL_EVERY else real, _tell)
        steps += len(drawn(seed, asked.scenes).steps)
        seed += asked.side_by_side
    told.put((steps, time.process_time(), failure))


def _tell(failing: str) -> None:
    """At once: to make it smaller may take minutes."""
    print(f"{failing}\n  ... is made smaller", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
