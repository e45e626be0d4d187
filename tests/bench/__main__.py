"""`make oracle MINUTES=n`: new histories until the time is up, or until one fails; then the shrunk one is shown.

    python -m tests.bench [--minutes 10] [--seed 1] [--steps 30]

The seeds of a run follow the first one; `--seed` of a failing one shows it again. Every tenth seed has its histories
on SeaweedFS.
"""

import argparse
import random
import sys
import tempfile
import time
import traceback
from pathlib import Path

from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from demo import seaweedfs
from tests.bench.histories import Histories
from tests.bench.real_s3 import histories_on

_EXAMPLES = 50  # of one seed
_REAL_EXAMPLES = 5
_REAL_EVERY = 10  # seeds


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--raw", action="store_true", help="show a failing history as it is, not the smallest like it")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, seaweedfs.running(Path(place)) as server:
        return hunt(asked, histories_on(server))


def hunt(asked: argparse.Namespace, real: type[Histories]) -> int:
    """The exit code. real: the histories on a real server, which every so often have their turn."""
    until = time.monotonic() + 60 * asked.minutes
    number = asked.seed
    while time.monotonic() < until:
        try:
            is_real = number % _REAL_EVERY == 0
            run(number, asked.steps, real if is_real else Histories, shrunk=not asked.raw)
        except Exception as error:
            traceback.print_exc(limit=-3)
            print(error)
            print(f"seed {number} fails: python -m tests.bench --seed {number} --steps {asked.steps}")
            return 1
        number += 1
    print(f"{asked.steps} steps each, up to {_EXAMPLES} histories a seed, seeds {asked.seed} to {number - 1}: all hold")
    return 0


def run(number: int, steps: int, machine: type[Histories] = Histories, *, shrunk: bool) -> None:
    """Raises what a history raises."""
    phases = [Phase.generate, Phase.shrink] if shrunk else [Phase.generate]
    chosen = settings(
        max_examples=_EXAMPLES if machine is Histories else _REAL_EXAMPLES,
        stateful_step_count=steps, database=None, deadline=None, phases=phases,
        suppress_health_check=list(HealthCheck), verbosity=Verbosity.normal, report_multiple_bugs=False,
    )  # fmt: skip
    run_state_machine_as_test(seed(number)(machine), settings=chosen)


if __name__ == "__main__":
    sys.exit(main())
