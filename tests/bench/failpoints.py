"""A process that dies at the n-th step outside of itself: a request, a row of memory, a call that changes files.

The pass runs in a forked child that ends by os._exit, so nothing is tidied up: no `finally`, no commit, no unlink.
What it did to the bucket in memory comes back through a pipe. The counting is SQLite's own: n = 1, 2, 3 ... until none
fires (sqlite.org/testing.html, 3.1).
"""

import os
from typing import NoReturn

from runner.model.passes import WHOLE, Trigger, Work
from tests.bench.doors import DOORS, wrap
from tests.bench.fake_s3 import FakeS3
from tests.bench.runners import BenchRunner

_KILLED, _DONE = 9, 0


def dies_at(number: int, runner: BenchRunner, bucket: FakeS3, work: Work = WHOLE) -> bool:
    """One pass of `runner` that dies before its step `number`. False: it came to its end. Then `restart` the runner."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        _run(number, runner, bucket, work, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in {_KILLED, _DONE}, f"the pass ended with {code}"
    bucket.thaw(told)
    return code == _KILLED


def _run(number: int, runner: BenchRunner, bucket: FakeS3, work: Work, pipe: int) -> NoReturn:
    left = number
    really_write = os.write

    def end(code: int) -> NoReturn:
        state = bucket.frozen()
        while state:
            state = state[really_write(pipe, state) :]
        os._exit(code)

    def step() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            end(_KILLED)

    try:
        for owner, name in DOORS:
            wrap(owner, name, step)
        runner.engine.run_pass(Trigger.REQUEST, work)
        end(_DONE)
    finally:
        os._exit(1)
