"""One name gets a new content, and what it had goes to the trash: exchanged in one step, then looked at.

At every instant the name leads to one whole version, and both versions have a name somewhere. What came out and is not
what was expected is the user's newer version: it goes back. Never unlinks anything that was the user's.
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

from runner.files import moves, stamp
from runner.files.abilities import Abilities
from runner.files.copying import copy_file, copy_open_file
from runner.files.lease import Lease, Quiet
from runner.files.moves import Name
from runner.files.pinned import Pinned
from runner.files.scan_result import Entry
from runner.files.temporary import Temporary

_WAYS_BACK = 16  # each needs somebody who takes the name in the microseconds between two calls


class ReplaceResult(Enum):
    """DONE: the old version is in the trash. CHANGED: what is there is not what was expected. BUSY: it is being
    written."""

    DONE = "done"
    CHANGED = "changed"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class Replacement:
    """One name, the slot in the trash, the new version, and what is expected to be there.

    After CHANGED or BUSY `new` is usable again,
    unless somebody has touched it in the moment it was to be seen: then it lies in the trash.
    """

    abilities: Abilities
    target: Name
    slot: Name
    new: Temporary
    expected: Entry

    def run(self, old: Pinned) -> ReplaceResult:
        """old: what has the name. Raises OSError: then the name has its old version still."""
        temporary = Name(self.new.directory_fd, self.new.name)
        if self.abilities.exchange:
            # From here the slot keeps whichever version the name has not: a kill at any instant loses neither.
            moves.into_private(self.abilities, temporary, self.slot)
            try:
                with Pinned(
                    self.slot, "file" if self.new.finished().kind == "file" else "symlink", leases=self.abilities.lease
                ) as mine:
                    result = self._exchange(old, mine)
            except BaseException:
                self._take_back(temporary)
                raise
            if result is not None:
                return result
        return self._rename_over(old, temporary)

    # ── where names can change places ──

    def _exchange(self, old: Pinned, mine: Pinned) -> ReplaceResult | None:
        """None: the file system cannot, nothing was changed."""
        temporary = Name(self.new.directory_fd, self.new.name)
        with old.lease() as lease:
            refused = self._refused(old, lease)
            if refused is None:
                try:
                    if moves.exchange(self.abilities, self.slot, self.target):
                        self.new.is_usable = False
                        return self._look(old, mine, lease)
                except FileNotFoundError:
                    refused = ReplaceResult.CHANGED
        self._take_back(temporary)
        return refused

    def _refused(self, old: Pinned, lease: Lease) -> ReplaceResult | None:
        if lease.quiet is Quiet.BUSY:
            return ReplaceResult.BUSY
        return None if old.is_unchanged(self.expected) else ReplaceResult.CHANGED

    def _look(self, old: Pinned, mine: Pinned, lease: Lease) -> ReplaceResult:
        """What came out? The lease is still held: a writer that came since waits, and finds its file in its place."""
        came = self.slot.state()
        is_it = os.path.samestat(came, old.state()) and stamp.is_version(came, self.expected)
        if is_it and stamp.is_same_mode(came, self.expected) and lease.is_whole():
            return ReplaceResult.DONE
        self._go_back(mine)
        return ReplaceResult.BUSY if is_it and not lease.is_whole() else ReplaceResult.CHANGED

    def _go_back(self, mine: Pinned) -> None:
        """The name gets back the newest version that was not ours; what came out on the way stays in the trash."""
        put = mine.state()  # what has the name now, as far as we know
        for _ in range(_WAYS_BACK):
            following = self.slot.state()
            try:
                if not moves.exchange(self.abilities, self.slot, self.target):
                    return
            except FileNotFoundError:
                return  # the name was removed meanwhile: the version it had before us stays in the trash
            if os.path.samestat(self.slot.state(), put):
                break
            put = following
        self._reclaim(mine)

    def _reclaim(self, mine: Pinned) -> None:
        """Ours came out again. If nobody touched it while it was to be seen, it is a temporary again.

        Somebody who opened it meanwhile would go on writing into a file that is discarded: then it stays in the trash.
        """
        temporary = Name(self.new.directory_fd, self.new.name)
        with mine.lease() as lease:
            state = mine.state()
            if not os.path.samestat(self.slot.state(), state) or not stamp.is_version(state, self.new_entry):
                return
            if not stamp.is_same_mode(state, self.new_entry):
                return
            if lease.quiet is not Quiet.YES and self.new_entry.kind == "file":
                return
            moves.into_private(self.abilities, self.slot, temporary)
            if lease.is_whole():
                self.new.is_usable = True
            else:
                moves.into_private(self.abilities, temporary, self.slot)

    @property
    def new_entry(self) -> Entry:
        assert self.new.entry is not None
        return self.new.entry

    def _take_back(self, temporary: Name) -> None:
        """Out of the slot, before anything was exchanged."""
        if self.new.is_usable:
            with suppress(FileNotFoundError):
                moves.into_private(self.abilities, self.slot, temporary)

    # ── where they cannot ──

    def _rename_over(self, old: Pinned, temporary: Name) -> ReplaceResult:
        """A second name in the trash first, then a rename over the name, then a look.

        A file that another program renames to the name in the microseconds between look and rename is lost to it: the
        file system has no call that could tell (docs/guarantees.md names it).
        """
        try:
            if not self.abilities.hard_links:
                self._copy_aside()  # before the lease: a large file takes its time
            with old.lease() as lease:
                refused = self._refused(old, lease)
                linked = refused is None and self._link_aside()
                if refused is None and not (self._is_still(old) and lease.is_whole()):
                    refused = ReplaceResult.CHANGED
                if refused is None:
                    return self._rename(old, temporary, lease, linked=linked)
        except (FileNotFoundError, BlockingIOError):
            refused = ReplaceResult.CHANGED
        self._drop_slot()
        return refused

    def _rename(self, old: Pinned, temporary: Name, lease: Lease, *, linked: bool) -> ReplaceResult:
        try:
            os.rename(temporary.name, self.target.name, src_dir_fd=temporary.fd, dst_dir_fd=self.target.fd)
        except OSError:
            self._drop_slot()
            raise
        self.new.is_usable = False
        if stamp.is_version(old.state(), self.expected) and lease.is_whole():
            return ReplaceResult.DONE
        if linked:
            self._rename_back(temporary)
        else:
            self._copy_again(old)
        return ReplaceResult.CHANGED

    def _link_aside(self) -> bool:
        """False: no links, there is a copy."""
        if moves.link(self.abilities, self.target, self.slot):
            return True
        if self.abilities.hard_links:
            self._copy_aside()
        return False

    def _drop_slot(self) -> None:
        """A second name, or a copy, of what has its own."""
        with suppress(FileNotFoundError):
            self.slot.unlink()

    def _is_still(self, old: Pinned) -> bool:
        """A last look at the name. Not ctime: the link has moved it."""
        try:
            state = self.target.state()
        except FileNotFoundError:
            return False
        return os.path.samestat(state, old.state()) and stamp.is_version(state, self.expected)

    def _copy_aside(self) -> None:
        if self.expected.kind == "symlink":
            os.symlink(os.readlink(self.target.name, dir_fd=self.target.fd), self.slot.name, dir_fd=self.slot.fd)
        else:
            copy_file(self.target.fd, self.target.name, self.slot.fd, self.slot.name)

    def _copy_again(self, old: Pinned) -> None:
        """It was written after the copy and has no name any more: what it holds now goes to the trash too."""
        late = Name(self.slot.fd, f"{self.slot.name[:200]}.late")
        copy_open_file(old.fd, late.fd, late.name)

    def _rename_back(self, temporary: Name) -> None:
        """Only over our own new version that nobody has touched; else what was written late stays in the trash."""
        with (
            suppress(FileNotFoundError),
            Pinned(self.target, self.new_entry.kind, leases=self.abilities.lease) as mine,
            mine.lease() as lease,
        ):
            if lease.quiet is not Quiet.YES or not stamp.is_version(mine.state(), self.new_entry):
                return
            if moves.link(self.abilities, self.target, temporary):
                os.rename(self.slot.name, self.target.name, src_dir_fd=self.slot.fd, dst_dir_fd=self.target.fd)
                if lease.is_whole():
                    self.new.is_usable = True
                else:  # somebody waits to write into ours
                    moves.into_private(self.abilities, temporary, self.slot)
