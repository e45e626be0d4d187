"""A small world to break: runners with real folders, users on every side who write values that never come twice.

One thread, one clock. Users tell the oracle what they wrote and what they had before their eyes when they replaced it.
A user's act, or another runner's whole pass, may be armed to happen in the middle of a pass: before a request, before
a look at the folder, in the instant before a rename.
"""

import os
import shutil
from collections.abc import Callable, Mapping, Set
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple, Protocol

from runner.files.scan import INDEX_NAME
from runner.model.passes import WHOLE, PassReport, Trigger, Work
from tests.bench.disturbed import Disturbed
from tests.bench.fake_s3 import Clock
from tests.bench.faults import Fault, FaultName, Moment
from tests.bench.oracle import Oracle
from tests.bench.runners import BenchRunner, Killed
from tests.bench.trees import Contents, Tree, tree_of_bucket

BUCKET = -1  # the side of those who write into the bucket by other means


class Bucket(Protocol):
    """What a stranger can do with the bucket, and what the oracle may ask. remembers: it knows every version it had."""

    kept: list[bytes]
    unseen: set[bytes]
    alike: set[str]
    remembers: bool

    def put(self, key: str, body: bytes, metadata: Mapping[str, str] | None = None) -> object: ...
    def remove(self, key: str) -> None: ...
    def contents(self) -> Contents: ...
    def version(self, key: str, etag: str) -> bytes | None: ...
    def arm(self, fault: Fault) -> None: ...
    def calm(self) -> None: ...
    def fault_now(self, suits: Set[FaultName]) -> FaultName | None: ...


class Act(NamedTuple):
    """What a user does. side: a runner's number, or BUCKET. other: where a rename goes to."""

    verb: str  # write | save | empty | twin | append | remove | rename | mkdir | chmod | link | hold | let-go
    side: int
    path: str
    other: str = ""


class World:
    def __init__(self, bucket: Bucket, clock: Clock, runners: list[BenchRunner], prefix: str) -> None:
        self.bucket = bucket
        self.clock = clock
        self.runners = runners
        self.prefix = prefix
        self.oracle = Oracle(self)
        self.touched: list[set[str]] = [set() for _ in runners]
        self.keys: set[str] = set()
        self._held: dict[tuple[int, str], int] = {}
        self.acts = 0
        self._count = 0
        self._inside: list[int] = []  # passes, the innermost last
        self.closing = ExitStack()
        self.closing.callback(Disturbed(bucket.fault_now).close)

    # ── runners ──

    def sync(self, number: int, work: Work = WHOLE) -> PassReport | None:
        """None: it is in the middle of one, or died in it."""
        runner = self.runners[number]
        if runner.in_pass:
            return None
        self.clock.sleep(0.005)
        look = self.oracle.before_pass(number)
        runner.in_pass = True
        self._inside.append(number)
        report = None
        try:
            report = runner.engine.run_pass(Trigger.REQUEST, work)
        except Killed as death:
            runner.restore_memory(death.memory)
        finally:
            self._inside.pop()
            runner.in_pass = False
        self.oracle.after_pass(number, look, report, work.scope)
        self.acts += 1
        if report is not None and report.halt is not None:
            runner.token = report.halt.token
        return report

    def kill(self, number: int, after: int, at: Moment = "meanwhile") -> None:
        """In its next pass, at that request, look or rename; its memory is left as it is on disk at that moment."""
        runner = self.runners[number]

        def die() -> None:
            if self._inside[-1:] == [number]:
                raise Killed(runner.memory_on_disk())

        self.meanwhile(after, die, at)

    def meanwhile(self, after: int, action: Callable[[], None], at: Moment = "meanwhile") -> None:
        self.bucket.arm(Fault(at, after, action))

    def calm(self) -> None:
        """Users and faults come to rest."""
        for side, path in list(self._held):
            self.act(Act("let-go", side, path))
        self.bucket.calm()
        for runner in self.runners:
            runner.stop = False

    def close(self) -> None:
        self.calm()
        for runner in self.runners:
            runner.close()
        self.closing.close()

    # ── users ──

    def act(self, act: Act) -> None:
        """What cannot be done (no such file, a folder in the way) is left."""
        self.clock.sleep(0.003)
        self.acts += 1
        with suppress(OSError):
            if act.side == BUCKET:
                self._act_there(act, self.prefix + act.path)
            else:
                self.touched[act.side].update({act.path, act.other} - {""})
                self._act_here(act, self.runners[act.side].path)

    def paths(self, side: int) -> list[str]:
        """Of the files and links there."""
        if side == BUCKET:
            return sorted(tree_of_bucket(self.bucket.contents(), self.prefix))
        return sorted(Tree.of(self.runners[side].path).items)

    def _value(self) -> bytes:
        self._count += 1
        return b"v%05d\n" % self._count

    def _act_there(self, act: Act, key: str) -> None:
        self.keys.add(key)
        objects = self.bucket.contents()
        seen = objects[key][0] if key in objects else None
        if act.verb in {"write", "save", "twin", "append"}:
            value = self.oracle.last if act.verb == "twin" else self._value()
            self.oracle.wrote((seen or b"") + value if act.verb == "append" else value, seen)
            self.bucket.put(key, self.oracle.last)
        elif act.verb == "remove" and seen is not None:
            self.oracle.removing(act.path, seen)
            self.bucket.remove(key)
        elif act.verb == "mkdir":
            self.bucket.put(f"{key}/{INDEX_NAME if len(key) % 2 else ''}", b"")
        elif act.verb == "rename" and seen is not None and act.other != act.path:
            target = self.prefix + act.other
            self.keys.add(target)
            self.oracle.moved(seen, over=objects[target][0] if target in objects else None)
            self.bucket.put(target, *objects[key])
            self.bucket.remove(key)

    def _act_here(self, act: Act, root: Path) -> None:
        path = root / act.path
        if act.verb in {"write", "save", "empty", "twin", "append", "link", "hold"}:
            self._write(act, path)
        elif act.verb == "let-go":
            held = self._held.pop((act.side, act.path), None)
            if held is not None:
                os.close(held)
        elif act.verb == "remove":
            self._remove(act.path, path)
        elif act.verb == "rename":
            self._rename(path, root / act.other)
        elif act.verb == "mkdir":
            path.mkdir(parents=True, exist_ok=True)
        elif act.verb == "chmod":
            path.chmod(0o600 if path.lstat().st_mode & 0o077 else 0o755, follow_symlinks=True)
            self.oracle.spoke_of(act.path)

    def _write(self, act: Act, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            return
        seen = content(path)
        if act.verb in {"link", "save"}:  # as editors do: a new one beside it takes the name
            value = self._value().strip()
            beside = path.with_name(f"{path.name}.new")
            if act.verb == "link":
                beside.symlink_to(value.decode())
            else:
                beside.write_bytes(value)
            self._let_go_of(path)
            beside.replace(path)
            self.oracle.wrote(value, seen)
            return
        if path.is_symlink():
            path.unlink()
        value = self.oracle.last if act.verb == "twin" else b"" if act.verb == "empty" else self._value()
        flags = os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK  # who would wait for a lease's end comes later
        flags |= os.O_APPEND if act.verb in {"append", "hold"} else os.O_TRUNC
        held = self._held.get((act.side, act.path))
        fd = os.open(path, flags, 0o644) if held is None else held
        where = Path(f"/proc/self/fd/{fd}")  # what is held may have another name by now
        seen = where.read_bytes() if held is not None else seen
        os.write(fd, value)
        os.utime(fd, ns=(int(self.clock() * 1e9),) * 2)
        self.oracle.wrote(where.read_bytes(), seen)
        if act.verb == "hold":
            self._held[act.side, act.path] = fd
        elif held is None:
            os.close(fd)

    def _let_go_of(self, path: Path) -> None:
        """Who takes away what he holds open closes it: a file without a name keeps nothing."""
        if not os.path.lexists(path):
            return
        going = {path.lstat().st_ino}
        if path.is_dir() and not path.is_symlink():
            going |= {stamps[0] for stamps in Tree.of(path).stamps.values()}
        for place, fd in list(self._held.items()):
            if os.fstat(fd).st_ino in going:
                os.close(self._held.pop(place))

    def _remove(self, name: str, path: Path) -> None:
        self._let_go_of(path)
        if path.is_dir() and not path.is_symlink():
            for below, item in Tree.of(path).items.items():
                self.oracle.removing(f"{name}/{below}", item.body)
            shutil.rmtree(path)
        else:
            self.oracle.removing(name, content(path))
            path.unlink()

    def _rename(self, old: Path, new: Path) -> None:
        if old == new or not old.exists():
            return
        over = content(new)
        moved = Tree.of(old).items.values() if old.is_dir() and not old.is_symlink() else ()
        new.parent.mkdir(parents=True, exist_ok=True)
        if not new.is_dir():
            self._let_go_of(new)
        old.rename(new)
        for item in moved:
            self.oracle.moved(item.body, None)
        self.oracle.moved(content(new), over)


def content(path: Path) -> bytes | None:
    """Of a file or link; None where there is neither."""
    if path.is_symlink():
        return os.readlink(path).encode()
    return path.read_bytes() if path.is_file() else None
