"""A process that dies at the n-th step outside of itself, or is refused it: a request, a row of memory, a changed file.

A pass that dies runs in a forked child that ends by os._exit, so nothing is tidied up: no `finally`, no commit, no
unlink. The counting is SQLite's own: n = 1, 2, 3 ... until none fires (sqlite.org/testing.html, 3.1).
"""

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NoReturn

from runner.engine.memory_file import MemoryFile
from runner.store.conversation import Conversation
from runner.store.errors import ServerFaultError
from tests.bench.doors import Doors, wrap
from tests.bench.fake_door import Door

_KILLED, _DONE = 9, 0


def dies_at(
    number: int, doors: Doors, work: Callable[[], object], left: Callable[[], bytes] = bytes
) -> tuple[bool, bytes]:
    """Does the work in a child that dies before its step `number`; whether it died, and what it left.

    left: what is to be known of the child, asked when it dies or ends.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        _run(number, doors, work, left, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in {_KILLED, _DONE}, f"the pass ended with {code}"
    return (code == _KILLED, told)


def _run(number: int, doors: Doors, work: Callable[[], object], left: Callable[[], bytes], pipe: int) -> NoReturn:
    really_write = os.write

    def end(code: int) -> NoReturn:
        told = left()
        while told:
            told = told[really_write(pipe, told) :]
        os._exit(code)

    try:
        _count(number, doors, lambda _owner: end(_KILLED))
        work()
        end(_DONE)
    finally:
        os._exit(1)


@contextmanager
def refused_at(number: int, doors: Doors) -> Iterator[Callable[[], bool]]:
    """For so long, the step `number` is refused as its kind is: an I/O error, a server's fault, a memory that fails.

    Gives whether it came to that.
    """
    fired = False

    def refuse(owner: Any) -> NoReturn:
        nonlocal fired
        fired = True
        raise _error_of(owner)

    undo = _count(number, doors, refuse)
    try:
        yield lambda: fired
    finally:
        undo()


def _count(number: int, doors: Doors, fire: Callable[[Any], NoReturn]) -> Callable[[], None]:
    left = number

    def step(owner: Any) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            fire(owner)

    undone = [wrap(owner, name, partial(step, owner)) for owner, name in doors]

    def undo() -> None:
        for one in undone:
            one()

    return undo


def _error_of(owner: Any) -> Exception:
    if isinstance(owner, type) and issubclass(owner, MemoryFile):
        return sqlite3.OperationalError("disk I/O error")
    if owner in (Door, Conversation):
        return ServerFaultError("no answer came", status=500)
    return OSError(errno.EIO, os.strerror(errno.EIO))
