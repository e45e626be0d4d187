"""`python -m tests.end_to_end.dying_supervisor N runner ...`: the command, whose supervisor dies before its step N.

A step is what the supervisor does outside of itself: a fork, a word to a worker, a signal, a reaping, a written line, a
changed file. Its children live undisturbed, as far as a child may after its parent's death.
"""

import os
import signal
import sys

from runner.cli.main import main
from runner.wire.channel import Channel
from tests.bench.doors import CALLS, Doors, wrap

DOORS: Doors = (
    *CALLS,
    *((os, name) for name in ("fork", "pipe", "kill", "killpg", "waitid", "waitpid", "posix_spawn")),
    (Channel, "pair"),
    (Channel, "send"),
)


def die_at(number: int) -> None:
    supervisor_pid = os.getpid()
    kill, left = os.kill, number

    def step() -> None:
        nonlocal left
        if os.getpid() == supervisor_pid:
            left -= 1
            if left == 0:
                kill(supervisor_pid, signal.SIGKILL)

    for owner, name in DOORS:
        wrap(owner, name, step)


if __name__ == "__main__":
    die_at(int(sys.argv[1]))
    sys.argv = sys.argv[2:]
    sys.exit(main())
