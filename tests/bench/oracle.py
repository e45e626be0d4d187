"""The oracle: what a history must never do, whoever wrote what when (research/reliability.md, section 6).

V1 no value is lost that nobody replaced or deleted with it before his eyes. V2 none is invented, torn or mixed.
V3 the sides are equal. V4 two more passes of everybody do nothing. V5 what was deleted everywhere does not come back.
V6 each row of a memory tells what really was on both sides. V7 a pass takes nothing away that lies untouched on the
other side, and neither a first pass nor one for events takes anything away.
"""

import functools
import hashlib
from fnmatch import fnmatchcase
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from runner.config.settings import EmptyFolders, Mode
from runner.engine.native.facts import Base, Kind
from runner.files.scan import INDEX_NAME
from runner.model.passes import Outcome, PassReport, Scope
from tests.bench.trees import Item, Tree, tree_of_bucket

if TYPE_CHECKING:
    from tests.bench.world import World

_ROUNDS = 12
_MOVING = frozenset({"busy", "changing"})


class Look(NamedTuple):
    """What lay where before a pass. acts: of users and others, by then. placeholders: keys."""

    acts: int
    is_first: bool
    placeholders: frozenset[str]
    here: Tree
    there: dict[str, Item]


class Oracle:
    """Users tell it what they do; it looks for itself at what came of it. last: the newest value."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._values: set[bytes] = {b""}
        self._replaced: set[bytes] = {b""}
        self._deleted: dict[str, bytes] = {}  # path -> value that every side and every memory had when it was deleted
        self.last = b"v00000\n"
        self._is_still = False  # the last pass did nothing to its folder
        self._was_killed = False  # a pass, perhaps between an exchange and the look at what it took out

    # ── what users tell ──

    def wrote(self, value: bytes, over: bytes | None) -> None:
        if over is not None and over != value:
            self._replaced.add(over)
        if value not in self._values:
            self._values.add(value)
            self.last = value
        elif value and over != value:  # a twin over itself is nothing new: who replaces the one has seen the other
            self._replaced.discard(value)
        self._deleted = {path: gone for path, gone in self._deleted.items() if gone != value}

    def removing(self, path: str, value: bytes | None) -> None:
        """Told before it is done."""
        if value is None:
            return
        self._replaced.add(value)
        if value and self._is_known_everywhere(path, value):
            self._deleted[path] = value

    def moved(self, value: bytes | None, over: bytes | None) -> None:
        if over is not None and over != value:
            self._replaced.add(over)
        self._deleted = {path: gone for path, gone in self._deleted.items() if gone != value}

    def spoke_of(self, path: str) -> None:
        """A change of its mode is one that may beat a deletion."""
        self._deleted.pop(path, None)

    def forgetful(self) -> None:
        """Somebody lost memory: what he has is new to him."""
        self._deleted.clear()

    def _is_known_everywhere(self, path: str, value: bytes) -> bool:
        key = self._world.prefix + path
        body, metadata = self._world.bucket.contents().get(key, (None, {}))
        if body != value:
            return False
        octal = metadata.get("file-permissions", "")
        for runner in self._world.runners:
            memory = runner.memory()
            row = memory.get(path) if memory.first_pass_done else None
            memory.close()
            tree = Tree.of(runner.path)
            item, (inode, _mode, _size, mtime_ns, _ctime_ns) = tree.items.get(path), tree.stamps.get(path, (0,) * 5)
            if row is None or row.sha256 != _sha256(value) or item is None or item.body != value:
                return False
            if (row.inode, row.mtime_ns) != (inode, mtime_ns):
                return False  # it was written anew, which beats a deletion
            if octal and int(octal, 8) & 0o777 != row.mode:
                return False  # he has not seen its newest mode, which may beat a deletion
        return all(runner.pair.mode is Mode.TWO_WAY for runner in self._world.runners)

    # ── what must hold at any moment ──

    def before_pass(self, number: int) -> Look:
        runner = self._world.runners[number]
        memory = runner.memory()
        is_first = not memory.first_pass_done
        memory.close()
        return Look(self._world.acts, is_first, self._placeholders(), *self._sides(number))

    def after_pass(self, number: int, before: Look, report: PassReport | None, scope: Scope) -> None:
        """V7, V6. report: None of a pass that was killed."""
        here, there = self._sides(number)
        self._was_killed |= report is None
        self._is_still = here.stamps == before.here.stamps
        deleted = (report.deleted_local, report.deleted_remote) if report is not None else (0, 0)
        if scope in {Scope.PATHS, Scope.KEYS}:  # a file that takes an empty folder's name takes its placeholder's place
            deleted = (deleted[0], max(0, deleted[1] - len(before.placeholders - self._placeholders())))
        assert not any(deleted) or not before.is_first, f"V7 runner {number}: a first pass deleted {deleted}"
        assert not any(deleted) or scope in {Scope.FULL, Scope.LOCAL}, f"V7 runner {number}: an event deleted {deleted}"
        self._check_memory(number, here)
        if self._world.acts != before.acts or not self._world.bucket.remembers:
            return
        for path in before.here.items.keys() & before.there.keys():
            if before.here.items[path].kind == "folder" or before.there[path].kind == "folder":
                continue
            lies_here = before.here.stamps[path] == here.stamps.get(path)
            assert path in there or not lies_here, f"V7 runner {number}, {path}: deleted there, but it lies here"
            lies_there = before.there[path] == there.get(path)
            assert path in here.stamps or not lies_there, f"V7 runner {number}, {path}: deleted here, but it lies there"

    def _sides(self, number: int) -> tuple[Tree, dict[str, Item]]:
        world = self._world
        there = tree_of_bucket(world.bucket.contents(), world.prefix) if world.bucket.remembers else {}
        return Tree.of(world.runners[number].path), there

    def _placeholders(self) -> frozenset[str]:
        bucket = self._world.bucket
        keys = bucket.contents() if bucket.remembers else ()
        return frozenset(key for key in keys if key.endswith(("/", f"/{INDEX_NAME}")))

    def _check_memory(self, number: int, tree: Tree) -> None:
        """V6."""
        memory = self._world.runners[number].memory()
        try:
            for path, base in memory.below(""):
                if base.kind is not Kind.FOLDER:
                    self._check_row(f"runner {number}, {path}", base, tree, path)
        finally:
            memory.close()

    def _check_row(self, place: str, base: Base, tree: Tree, path: str) -> None:
        body = self._world.bucket.version(base.key, base.etag)
        if body is None and not self._world.bucket.remembers:
            return
        assert body is not None, f"V6 {place}: memory knows a version that the bucket never had"
        assert not base.sha256 or _sha256(body) == base.sha256, f"V6 {place}: {body!r} was never equal on both sides"
        stamps = (base.inode, base.size, base.mtime_ns, base.ctime_ns)
        inode, _mode, size, mtime_ns, ctime_ns = tree.stamps.get(path, (0,) * 5)
        if stamps == (inode, size, mtime_ns, ctime_ns) and not base.racy and path in tree.items:
            assert tree.items[path].body == body, f"V6 {place}: by its stamps {body!r}, but it is {tree.items[path]}"

    # ── what must hold at rest ──

    def check(self) -> None:
        """Lets everything come to rest, then V1 to V6."""
        self._world.calm()
        problems = self._come_to_rest()
        bucket = tree_of_bucket(self._world.bucket.contents(), self._world.prefix)
        trees = [Tree.of(runner.path).items for runner in self._world.runners]
        self._check_values(bucket, trees)
        for number, tree in enumerate(trees):
            self._check_equal(number, tree, bucket, problems[number] | self._unspoken(number))
        for path, value in self._deleted.items():
            for place, items in [("bucket", bucket), *((f"runner {n}", tree) for n, tree in enumerate(trees))]:
                assert path not in items or items[path].body != value, f"V5 {place}, {path}: {value!r} came back"

    def _come_to_rest(self) -> list[set[str]]:
        """Paths with a problem, by runner. V4: it ends, and then nobody writes any more."""
        quiet = 0
        reports: list[PassReport] = []
        for _ in range(_ROUNDS):
            ends = [self._pass(number) for number in range(len(self._world.runners))]
            reports = [report for report, _is_still in ends]
            quiet = quiet + 1 if all(is_still and _is_quiet(report) for report, is_still in ends) else 0
            if quiet == 2:
                return [{problem.path.removesuffix(f"/{INDEX_NAME}") for problem in one.problems} for one in reports]
            self._world.clock.sleep(1.0)
        raise AssertionError(f"V4 no rest after {_ROUNDS} rounds: {[_told(report) for report in reports]}")

    def _pass(self, number: int) -> tuple[PassReport, bool]:
        report = self._world.sync(number)
        assert report is not None
        return report, self._is_still

    def _check_values(self, bucket: dict[str, Item], trees: list[dict[str, Item]]) -> None:
        """V1, V2."""
        for place, items in [("bucket", bucket), *((f"runner {n}", tree) for n, tree in enumerate(trees))]:
            for path, item in items.items():
                assert item.body in self._values, f"V2 {place}, {path}: nobody wrote {item.body!r}"
        current = {item.body for tree in (bucket, *trees) for item in tree.values()}
        missing = self._values - self._replaced - self._world.bucket.unseen - current
        if missing:
            missing -= self._in_trash() if self._may_lose() else set()
        assert not missing, f"V1 lost: {sorted(missing)}"

    def _may_lose(self) -> bool:
        """A value that lost by the pair's own rules, or whose runner died over it, may be in a trash only."""
        return self._was_killed or any(
            pair.mode is not Mode.TWO_WAY or pair.conflict in {"local", "remote"} or pair.first_pass != "union"
            for pair in (runner.pair for runner in self._world.runners)
        )

    def _in_trash(self) -> set[bytes]:
        local = [runner.path / ".runner" / "trash" for runner in self._world.runners]
        bodies = (item.body for place in local if place.is_dir() for item in Tree.of(place).items.values())
        remote = (body for body, _metadata in self._world.bucket.contents().values())
        return set(chain(bodies, remote, self._world.bucket.kept))

    def _unspoken(self, number: int) -> set[str]:
        """Folders of a pull with index files that have none: that is no empty folder to it, so it leaves them."""
        runner = self._world.runners[number]
        if runner.pair.mode is not Mode.PULL or runner.pair.empty_folders is not EmptyFolders.INDEX_FILE:
            return set()
        tree = Tree.of(runner.path)
        empty = {path for path, item in tree.items.items() if item.kind == "folder"}
        return {path for path in empty if f"{path}/{INDEX_NAME}" not in tree.stamps}

    def _check_equal(self, number: int, tree: dict[str, Item], bucket: dict[str, Item], problems: set[str]) -> None:
        """V3, as far as the mode promises it."""
        pair = self._world.runners[number].pair
        both = pair.delete or pair.mode is Mode.TWO_WAY
        for path in sorted(tree.keys() | bucket.keys()):
            if any(path == problem or path.startswith(f"{problem}/") for problem in problems):
                continue
            if any(fnmatchcase(name, pattern) for pattern in pair.exclude for name in (path, f"{path}/")):
                continue
            here, there = _of_one_layer(_seen(path, tree, bucket), _seen(path, bucket, tree))
            if not both and (here is None if pair.mode is Mode.PUSH else there is None):
                continue
            if here and there and here.body == there.body and self._world.prefix + path in self._world.bucket.alike:
                continue  # another mode, or a link where a file was: nobody can see it
            assert _is_equal(here, there), f"V3 runner {number}, {path}: {here} here, {there} in the bucket"


def _is_quiet(report: PassReport) -> bool:
    moved = report.uploaded + report.downloaded + report.deleted_local + report.deleted_remote
    waits = any(problem.code in _MOVING for problem in report.problems)
    ended = report.outcome in {Outcome.DONE, Outcome.DONE_WITH_PROBLEMS}
    return ended and not moved and not waits and not report.requests.puts and not report.requests.deletes


def _told(report: PassReport) -> str:
    counts = (report.uploaded, report.downloaded, report.deleted_local, report.deleted_remote, report.requests)
    return f"{report.outcome} {report.message} {counts} {[(p.path, p.code, p.reason) for p in report.problems]}"


def _seen(path: str, side: dict[str, Item], other: dict[str, Item]) -> Item | None:
    """An empty folder is no difference where the other side has things in it: they are."""
    item = side.get(path)
    is_folder = item is not None and item.kind == "folder"
    return None if is_folder and any(name.startswith(f"{path}/") for name in other) else item


def _of_one_layer(here: Item | None, there: Item | None) -> tuple[Item | None, Item | None]:
    """A bucket can hold both a file and a placeholder of its name: where one side has content, a folder is none."""
    if here is None or there is None or (here.kind == "folder") == (there.kind == "folder"):
        return here, there
    return (None, there) if here.kind == "folder" else (here, None)


def _is_equal(here: Item | None, there: Item | None) -> bool:
    if here is None or there is None:
        return here is there
    modes = {here.mode, there.mode} - {None}
    return (here.kind, here.body) == (there.kind, there.body) and len(modes) < 2


@functools.lru_cache(1024)
def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
