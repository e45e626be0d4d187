"""What is not to be kept (trash off), unlinked a moment later and only if nobody has written into it since.

A program that had looked the name up before it was taken away may open the file just after: what it writes then must
not be lost. Thread-safe.
"""

import os
import threading
from contextlib import suppress
from typing import NamedTuple

from runner.files import beneath, stamp
from runner.files.lease import Quiet
from runner.files.moves import Name
from runner.files.pinned import Pinned
from runner.files.scan_result import Entry
from runner.files.trash import Trash


class _Discard(NamedTuple):
    stored_as: str
    entry: Entry


class Discards:
    """The ones that wait. They lie in the trash until `flush`; after a crash they expire there."""

    def __init__(self, trash: Trash) -> None:
        self._trash = trash
        self._waiting: list[_Discard] = []
        self._lock = threading.Lock()

    def add(self, stored_as: str, name: Name) -> None:
        """stored_as: below the trash; name: the same in its open directory. Raises OSError."""
        with self._lock:
            self._waiting.append(_Discard(stored_as, stamp.entry_of(stored_as, name.state())))

    def flush(self) -> None:
        """Unlinks those that are as they were put there; what was written since stays in the trash. Never raises."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for one in waiting:
            with suppress(OSError):
                self._drop(one)

    def _drop(self, one: _Discard) -> None:
        with beneath.parent_of(self._trash.fd, one.stored_as) as (fd, text):
            name = Name(fd, text)
            with Pinned(name, one.entry.kind, leases=True) as pinned, pinned.lease() as lease:
                if lease.quiet is Quiet.BUSY or not stamp.is_version(pinned.state(), one.entry):
                    return
                os.unlink(text, dir_fd=fd)
        self._trash.forget_empty(one.stored_as)
