"""The folder's side of what is armed: before each look, rename and row something may happen, as before a request."""

import errno
from collections.abc import Callable, Set
from contextlib import ExitStack
from typing import Any
from unittest import mock

from runner.engine.native.memory import Memory
from runner.files import scan, system_calls
from runner.files.tree import Tree
from tests.bench.faults import FaultName

_TREE = ("look", "open", "place", "replace", "remove", "set_aside", "link_aside", "set_mode", "remove_folder", "sync")


class Disturbed:
    """Until it is closed. fault_now: asked each time; a directory may be found unreadable."""

    def __init__(self, fault_now: Callable[[Set[FaultName]], FaultName | None]) -> None:
        self._fault_now = fault_now
        self._patches = ExitStack()
        for name in _TREE:
            self._before(Tree, name)
        for name in ("record", "forget"):
            self._before(Memory, name, "at-row")
        self._before(system_calls, "_renameat2", "at-rename")  # where names change places: after the last look
        self._before(scan, "read_names", "unreadable")

    def close(self) -> None:
        self._patches.close()

    def _before(self, owner: Any, name: str, *suits: FaultName) -> None:
        real = getattr(owner, name)

        def disturbed(*arguments: Any, **named: Any) -> Any:
            if self._fault_now({"meanwhile", *suits}) == "unreadable":
                raise OSError(errno.EIO, "it cannot be read")
            return real(*arguments, **named)

        self._patches.enter_context(mock.patch.object(owner, name, disturbed))
