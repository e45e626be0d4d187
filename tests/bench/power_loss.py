"""A pass whose machine loses power: recorded once, then every state that a cut may leave is begun anew from.

Recording and each new beginning run in forked children, so that the world before the pass stays as it was.
"""

import os
import pickle
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from runner.engine.native import sessions
from runner.engine.native.facts import Base, Kind
from runner.engine.native.memory import Memory
from runner.files import system_calls
from runner.model.passes import WHOLE, Trigger
from tests.bench.brink import A, B
from tests.bench.disk import Disk, Items, Node, State, lay_out
from tests.bench.doors import DOORS, wrap
from tests.bench.fake_s3 import FakeS3
from tests.bench.world import World

_SYNCS = ("fsync", "fdatasync")


class Cut(NamedTuple):
    """after: the call. state: what the disk has. bucket, here: as they were in that moment, without the cut."""

    after: str
    state: State
    bucket: bytes
    here: Items


def cuts(world: World, disk: Disk) -> list[Cut]:
    """One pass of runner A, followed by its disk; each different state that a cut in it may leave, once."""
    return list(pickle.loads(_in_a_child(lambda: pickle.dumps(list(_recorded(world, disk))))))


def _recorded(world: World, disk: Disk) -> Iterator[Cut]:
    assert isinstance(world.bucket, FakeS3)
    bucket = world.bucket
    found: dict[Any, Cut] = {}

    def look(name: str) -> None:
        disk.look()
        there = bucket.frozen()
        for state in disk.states():
            items = tuple(sorted((path, node) for path, (_inode, node) in state.items.items()))
            found.setdefault((hash(items), hash(state.memory), there), Cut(name, state, there, disk.now()))

    def hook(name: str) -> Callable[..., None]:
        def after(*arguments: Any) -> None:
            if name in _SYNCS:
                disk.look()
                disk.synced(os.fstat(arguments[0]).st_ino)
            elif name == "syncfs":
                disk.look()
                disk.all_synced()
            look(name)

        return after

    disk.begin()
    for owner, name in (*DOORS, (system_calls._libc, "syncfs")):
        wrap(owner, name, after=hook(name))
    report = world.runners[A].engine.run_pass(Trigger.REQUEST, WHOLE)
    look(f"end of the pass: {report.outcome}")
    yield from found.values()


def recover(world: World, cut: Cut, other: State) -> str:
    """What the oracle says of a new beginning from there; "" when all is well. other: runner B's folder."""
    return _in_a_child(lambda: _recovered(world, cut, other).encode()).decode()


def _recovered(world: World, cut: Cut, other: State) -> str:
    assert isinstance(world.bucket, FakeS3)
    bucket, runner = world.bucket, world.runners[A]
    bucket.thaw(cut.bucket)
    lay_out(cut.state, runner.path)
    sessions.boot_id = lambda: "the next one"  # in this child alone
    lay_out(other, world.runners[B].path)
    world.oracle.forgetful()
    try:
        _check_rows(bucket, runner.path, cut)
        kept = {*bucket.every.values(), *_bodies(cut.state.items)}
        for lost in _bodies(cut.here) - kept:  # nobody had been told that it was synced
            world.oracle.wrote(b"", over=lost)
        for one in world.runners:
            one.restart()
        world.oracle.check()
    except AssertionError as error:
        return f"cut after {cut.after}: {error}"
    return ""


def _bodies(items: Items) -> set[bytes]:
    return {node.body for _inode, node in items.values() if node.kind != "dir"}


def _check_rows(bucket: FakeS3, root: Path, cut: Cut) -> None:
    """A row whose stamps fit what was here is believed without a look: it must fit what the disk has as well."""
    memory = Memory.open_read_only(root / ".runner" / "state.db")
    try:
        for path, base in memory.below(""):
            if base.kind is Kind.FILE and not base.racy and _fits(base, cut.here.get(path)):
                there = cut.state.items.get(path)
                body = bucket.version(base.key, base.etag)
                assert there is not None, f"{path}: memory knows {body!r}, on the disk it has no name"
                assert there[1].body == body, f"{path}: memory knows {body!r}, the disk has {there[1].body!r}"
    finally:
        memory.close()


def _fits(base: Base, item: tuple[int, Node] | None) -> bool:
    return item is not None and (item[0], len(item[1].body), item[1].mtime_ns) == (base.inode, base.size, base.mtime_ns)


def _in_a_child(work: Callable[[], bytes]) -> bytes:
    reading, writing = os.pipe()
    write = os.write
    child = os.fork()
    if not child:
        try:
            told = work()
            while told:
                told = told[write(writing, told) :]
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    return told
