"""The doors through which a pass reaches what outlives it: calls that change files, requests, rows of memory."""

import os
from collections.abc import Callable
from typing import Any

from runner.engine.memory_file import MemoryFile
from runner.engine.native.memory import Memory
from runner.files import system_calls
from runner.store.conversation import Conversation
from runner.wire.channel import Channel
from tests.bench.fake_door import Door

_NAMES = ("rename", "replace", "link", "symlink", "unlink", "mkdir", "rmdir", "fsync", "fdatasync", "write", "pwrite",
          "chmod", "fchmod", "utime")  # fmt: skip
_ROWS = ("record", "forget", "set_meta", "set_first_pass_done", "spend_plan")
Doors = tuple[tuple[Any, str], ...]
CALLS: Doors = (*((os, name) for name in _NAMES), (system_calls, "_renameat2"))
# Of the native engine on the bucket in memory, and of any engine on a real one.
DOORS: Doors = (*CALLS, (Door, "_request"), *((Memory, name) for name in _ROWS))
REAL_DOORS: Doors = (*CALLS, (Conversation, "ask"), (MemoryFile, "writing"), (Channel, "send"))


def _nothing(*_arguments: Any) -> None: ...


def wrap(
    owner: Any, name: str, before: Callable[[], None] = lambda: None, after: Callable[..., None] = _nothing
) -> Callable[[], None]:
    """Until what it gives is called. after: is given the arguments, when the call came through."""
    real = getattr(owner, name)

    def wrapped(*arguments: Any, **named: Any) -> Any:
        before()
        result = real(*arguments, **named)
        after(*arguments)
        return result

    setattr(owner, name, wrapped)
    return lambda: setattr(owner, name, real)
