"""The doors through which a pass reaches what outlives it: calls that change files, requests, rows of memory."""

import os
from collections.abc import Callable
from typing import Any

from runner.engine.native.memory import Memory
from runner.files import system_calls
from tests.bench.fake_door import Door

_CALLS = ("rename", "replace", "link", "symlink", "unlink", "mkdir", "rmdir", "fsync", "fdatasync", "write", "pwrite",
          "chmod", "fchmod", "utime")  # fmt: skip
_ROWS = ("record", "forget", "set_meta", "set_first_pass_done", "spend_plan")
DOORS: tuple[tuple[Any, str], ...] = (
    *((os, name) for name in _CALLS),
    (system_calls, "_renameat2"),
    (Door, "_request"),
    *((Memory, name) for name in _ROWS),
)


def _nothing(*_arguments: Any) -> None: ...


def wrap(
    owner: Any, name: str, before: Callable[[], None] = lambda: None, after: Callable[..., None] = _nothing
) -> None:
    """For the rest of this process. after: is given the arguments, when the call came through."""
    real = getattr(owner, name)

    def wrapped(*arguments: Any, **named: Any) -> Any:
        before()
        result = real(*arguments, **named)
        after(*arguments)
        return result

    setattr(owner, name, wrapped)
