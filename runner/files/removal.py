"""A file leaves the folder: renamed into the trash in one step, then looked at, and put back when it is not that one.

Never unlinks what has the name: only what came out and was the version that both sides agreed on.
"""

from contextlib import suppress
from dataclasses import dataclass

from runner.files import moves, stamp
from runner.files.abilities import Abilities
from runner.files.lease import Lease, Quiet
from runner.files.moves import Name
from runner.files.pinned import Pinned
from runner.files.scan_result import Entry


class BusyError(Exception):
    """Somebody has the file open for writing: what they write must not go to the trash. Wait and look again."""


@dataclass(frozen=True, slots=True)
class Removal:
    """One name, the slot in the trash it goes to, and what is expected to be there."""

    abilities: Abilities
    target: Name
    slot: Name
    expected: Entry

    def run(self, old: Pinned) -> bool:
        """True: it is in the slot. False: it is not `expected` (any more). old: what has the name.

        Raises BusyError, OSError (EXDEV: the trash is on another file system); then it is where it was.
        """
        with old.lease() as lease:
            if lease.quiet is Quiet.BUSY:
                raise BusyError(self.expected.path)
            if not old.is_unchanged(self.expected):
                return False
            try:
                moves.into_private(self.abilities, self.target, self.slot)
            except FileNotFoundError:
                return False
            return self._look(lease)

    def _look(self, lease: Lease) -> bool:
        """A writer that came since waits for the lease, and finds its file in its place."""
        came = self.slot.state()
        is_it = stamp.is_version(came, self.expected) and stamp.is_same_mode(came, self.expected)
        if is_it and lease.is_whole():
            return True
        with suppress(FileExistsError):  # the name has something newer: this one stays in the trash
            moves.into_public(self.abilities, self.slot, self.target)
        if is_it:
            raise BusyError(self.expected.path)
        return False
