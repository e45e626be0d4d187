"""What events named, as candidates: local paths (remote side as remembered) and keys (looked up). Never a deletion.

Hints only say where to look first (design principle 6): what vanished, folders and links are left to the next scan.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from runner.config.settings import EmptyFolders
from runner.engine.native.candidate import Candidate
from runner.engine.native.decide import Action, Decision
from runner.engine.native.facts import UNKNOWN, Base, Kind, Local, Remote, RemoteSide
from runner.engine.native.memory import Memory
from runner.engine.native.reading import local_of
from runner.engine.native.second_look import look_remote
from runner.engine.native.steps import Step
from runner.engine.native.workshop import Workshop
from runner.files.filters import Filters, always_excluded
from runner.files.scan import INDEX_NAME
from runner.files.scan_result import Entry
from runner.store.errors import AccessDeniedError
from runner.store.keys import Refusal, key_of_path, path_of_key

_MOST_VANISHED = 10_000  # of one batch, as ends of moves


@dataclass(slots=True)
class Hints:
    """for_the_scan: how many of the names only a scan (of keys: a listing) can settle. For the pass's thread."""

    shop: Workshop
    memory: Memory
    filters: Filters
    for_the_scan: int = 0
    _vanished: dict[tuple[int, int, int], tuple[str, Base]] = field(default_factory=dict)

    def paths(self, names: Iterable[str]) -> list[Candidate]:
        """Smallest first. Raises OSError, MemoryCorruptError."""
        found = [candidate for name in sorted(names) for candidate in self._at(name)]
        return sorted(found, key=lambda candidate: candidate.local.size if isinstance(candidate.local, Local) else 0)

    def keys(self, names: Iterable[str]) -> Iterator[Candidate]:
        """Raises StoreError, OSError, MemoryCorruptError."""
        for key in sorted(names):
            name = key.removeprefix(self.shop.pair.prefix)
            if not name or not self._wanted(name):
                continue
            path = path_of_key(key, self.shop.pair.prefix)
            if isinstance(path, Refusal) or self._is_mark(path):
                self.for_the_scan += not self._is_known_mark(key)
                continue
            entry = self.shop.tree.look(path)
            local = local_of(entry) if entry is not None else None
            if entry is None or (local is not None and local.kind is not Kind.FOLDER):
                base = self.memory.get(path)
                yield Candidate(path, base, local, self._there(path, base))
            else:
                self.for_the_scan += 1

    def _there(self, path: str, base: Base | None) -> RemoteSide:
        try:
            return look_remote(self.shop, path, base)
        except AccessDeniedError:  # of one key, or absent for a role that may not list: a listing tells
            self.for_the_scan += 1
            return UNKNOWN

    def _is_mark(self, path: str) -> bool:
        """The placeholder of an empty folder, and no file."""
        is_mark = path.rpartition("/")[2] == INDEX_NAME
        return is_mark and self.shop.pair.empty_folders is not EmptyFolders.INDEX_FILE

    def _is_known_mark(self, key: str) -> bool:
        """Memory knows this object as that of a folder (made by this runner, say), and it is there."""
        folder = key.removeprefix(self.shop.pair.prefix).rpartition("/")[0]
        base = self.memory.get(folder)
        if base is None or base.key != key:
            return False
        try:
            info = self.shop.store.head(key)
        except AccessDeniedError:
            return False
        return info is not None and info.etag == base.etag

    def as_move(self, step: Step) -> Step:
        """The upload of a new file that is the one which vanished under another name: a copy in the bucket."""
        if not self._vanished or not step.is_new_remotely or not isinstance(step.local, Local):
            return step
        if not self.shop.capabilities.copy:
            return step
        local = step.local
        old = self._vanished.pop((local.inode, local.size, local.mtime_ns), None)
        if old is None or not local.size or local.kind is not Kind.FILE:
            return step
        path, base = old
        decision = Decision(Action.UPLOAD, f"renamed from {path}")
        known = local._replace(sha256=base.sha256)
        return Step(step.path, decision, base, known, assumed(base), source=path)

    def _at(self, path: str) -> Iterator[Candidate]:
        if not self._wanted(path) or isinstance(key_of_path(path, self.shop.pair.prefix), Refusal):
            self.for_the_scan += not always_excluded(path) and not self.filters.excludes(path)
            return
        entry = self.shop.tree.look(path)
        if entry is not None and self._is_file(entry):
            base = self.memory.get(path)
            yield Candidate(path, base, local_of(entry), assumed(base))
        elif entry is not None or self._vanish(path) or self.shop.tree.other_spelling(path):
            self.for_the_scan += 1

    def _vanish(self, path: str) -> bool:
        """True when memory knows something there; its files may have another name by now."""
        known = False
        for old, base in self.memory.below(path):
            known = True
            if base.kind is Kind.FILE and len(self._vanished) < _MOST_VANISHED:
                self._vanished[base.inode, base.size, base.mtime_ns] = (old, base)
        return known

    def _is_file(self, entry: Entry) -> bool:
        return entry.kind == "file" and not self._is_mark(entry.path)

    def _wanted(self, path: str) -> bool:
        return not always_excluded(path) and not self.filters.excludes(path)


def assumed(base: Base | None) -> Remote | None:
    """The object as memory has it: the conditional write is the proof."""
    if base is None:
        return None
    return Remote(base.kind, base.key, base.remote_size, base.etag, base.modified)
