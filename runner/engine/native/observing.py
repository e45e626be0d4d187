"""One look at both sides, into the tables of the pass: scan and listing, with what cannot be known kept apart.

Facts only. Absence may be concluded only from a complete scan and a listing that ended normally (store/listing.py);
everything under an unreadable folder is unknown.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from runner.config.settings import EmptyFolders, Mode, Pair, Symlinks
from runner.engine.native.downloading import stays_inside
from runner.engine.native.facts import Kind
from runner.engine.native.observation import Observation
from runner.engine.outcomes import PassHaltedError, PassStoppedError
from runner.files.filters import Filters, always_excluded
from runner.files.folder import Folder
from runner.files.scan import INDEX_NAME, scan
from runner.files.scan_result import Entry, ScanResult
from runner.model.passes import Halt
from runner.model.problem import Side
from runner.store.door import ObjectStore
from runner.store.keys import KEY_BYTES, Refusal, key_of_path, path_of_key
from runner.store.listing import ObjectInfo

_TELL_EVERY = 1000
ProblemSink = Callable[[Side, str, str, str, bool], None]  # side, path, code, reason, permanent
# What a scan leaves out without a person having to know.
_SILENT = frozenset({"symlink"})
_PERMANENT = frozenset({"impossible-name", "special-file", "too-deep", "link-outside", "link-loop"})


@dataclass
class Observer:
    """progress(stage, done). problem: see ProblemSink. index_files: makes the placeholder file of an empty folder.
    unreadable: what the scan could not look into and may yet be able to, with all that is below."""

    pair: Pair
    seen: Observation
    filters: Filters
    should_stop: Callable[[], bool]
    progress: Callable[[str, int], None]
    problem: ProblemSink
    index_files: Callable[[str], Entry | None] | None = None
    unreadable: set[str] = field(default_factory=set)

    def scan(self, folder: Folder) -> ScanResult:
        """Raises PassStoppedError, PassHaltedError (the root cannot be read)."""
        self.progress("scanning", 0)
        done = 0
        taken = self._take_local

        def found(entry: Entry) -> None:
            nonlocal done
            taken(entry)
            done += 1
            if done % _TELL_EVERY == 0:
                self.progress("scanning", done)

        result = scan(folder, self.filters, follow="no", found=found, should_stop=self.should_stop)
        self._judge(result)
        return result

    def _judge(self, result: ScanResult) -> None:
        """Raises PassStoppedError, PassHaltedError; else what the scan left out becomes unknown or a problem."""
        if not result.complete:
            if self.should_stop():
                raise PassStoppedError
            reason = next((skipped.reason for skipped in result.skipped if not skipped.path), "it cannot be read")
            raise PassHaltedError(Halt("folder-unreadable", f"the folder cannot be read: {reason}", "", 0))
        for skipped in result.skipped:
            if skipped.code not in _SILENT:
                permanent = skipped.code in _PERMANENT
                self.problem(Side.LOCAL, skipped.path, skipped.code, skipped.reason, permanent)
                if not permanent:
                    self.unreadable.add(skipped.path)
        self._take_empty_folders(result)
        for path in result.unknown:
            self.seen.add_unknown_local(path)

    def _take_empty_folders(self, result: ScanResult) -> None:
        how = self.pair.empty_folders
        for path in result.empty_dirs:
            if how is EmptyFolders.NONE or not self.filters.wants(f"{path}/{INDEX_NAME}"):
                continue
            if how is EmptyFolders.INDEX_OBJECT:
                self.seen.add_folder(path)
            elif self.index_files is not None and path not in result.indexed_dirs:
                entry = self.index_files(f"{path}/{INDEX_NAME}")
                if entry is not None:
                    self.seen.add_local(entry)

    def may_yet_be_seen(self, path: str) -> bool:
        """The path lies where the scan could not look."""
        while path and path not in self.unreadable:
            path = path.rpartition("/")[0]
        return path in self.unreadable

    def list(self, store: ObjectStore) -> None:
        """The proven listing. Raises StoreError, PassStoppedError."""
        self.progress("listing", 0)
        prefix = self.pair.prefix
        for number, info in enumerate(store.list(prefix), 1):
            if number % _TELL_EVERY == 0:
                if self.should_stop():
                    raise PassStoppedError
                self.progress("listing", number)
            self.take_remote(info)

    def take_remote(self, info: ObjectInfo) -> None:
        """One object of the listing: a file, a placeholder, something to be ignored, or a problem."""
        path = info.key[len(self.pair.prefix) :]
        if not path or self.filters.excludes(path) or self.seen.knows_remote(path, info) or always_excluded(path):
            return
        placeholder = self._placeholder(path, info)
        if placeholder is not None:
            if placeholder:
                self.seen.add_remote(placeholder, Kind.FOLDER, info)
            return
        safe = path_of_key(info.key, self.pair.prefix)
        if isinstance(safe, Refusal):
            self.problem(Side.REMOTE, path, safe.code, safe.reason, True)
            return
        self.seen.add_remote(safe, Kind.FILE, info)

    def _placeholder(self, path: str, info: ObjectInfo) -> str | None:
        """The folder that this object stands for; "" for one that is to be ignored; None when it is none."""
        if info.size != 0:
            return None
        if path.endswith("/"):
            folder = path.rstrip("/")
            refused = isinstance(path_of_key(self.pair.prefix + folder, self.pair.prefix), Refusal)
            return None if refused else self._wanted(folder)
        if self.pair.empty_folders is EmptyFolders.INDEX_FILE:
            return None
        folder, _, name = path.rpartition("/")
        if name != INDEX_NAME:
            return None
        if folder and isinstance(path_of_key(self.pair.prefix + folder, self.pair.prefix), Refusal):
            return None
        return self._wanted(folder)

    def _wanted(self, folder: str) -> str:
        return "" if self.pair.empty_folders is EmptyFolders.NONE else folder

    def _take_local(self, entry: Entry) -> None:
        kind = entry.kind
        if kind == "file":
            if self.pair.empty_folders is not EmptyFolders.INDEX_FILE and entry.path.rpartition("/")[2] == INDEX_NAME:
                return
            if not self._cannot_be_a_key(entry.path):
                self.seen.add_local(entry)
        elif kind == "symlink":
            self._take_link(entry)
        elif kind == "dir":
            self.seen.add_local(entry)

    def _take_link(self, entry: Entry) -> None:
        if self.pair.symlinks is not Symlinks.PRESERVE:
            self.seen.add_unknown_local(entry.path)
            return
        if not stays_inside(entry.target or "", entry.path.count("/")):
            self.seen.add_unknown_local(entry.path)
            if self.pair.mode is not Mode.PULL:
                reason = f"the link leads out of the folder ({entry.target}): not synced"
                self.problem(Side.LOCAL, entry.path, "link-outside", reason, True)
            return
        if not self._cannot_be_a_key(entry.path):
            self.seen.add_local(entry)

    def _cannot_be_a_key(self, path: str) -> bool:
        """Only length is left to be wrong: the scan gives no other impossible names."""
        if len(path) * 4 + len(self.pair.prefix) * 4 <= KEY_BYTES:
            return False
        key = key_of_path(path, self.pair.prefix)
        if not isinstance(key, Refusal):
            return False
        self.seen.add_unknown_local(path)
        if self.pair.mode is not Mode.PULL:
            self.problem(Side.LOCAL, path, key.code, key.reason, True)
        return True
