"""Two runners at the brink of a pass in which something is to go wrong: what both had, and what happened since."""

from collections.abc import Callable
from pathlib import Path

from runner.config.settings import Mode
from runner.model.passes import WHOLE, Outcome, PassReport, Trigger
from tests.bench.doors import DOORS
from tests.bench.failpoints import dies_at, refused_at
from tests.bench.fake_s3 import FakeS3, Kind
from tests.bench.histories import fake_world
from tests.bench.world import BUCKET, Act, World

A, B = 0, 1
# What both sides have before, and what happens before the pass of side A that is killed.
BEFORE = (Act("write", A, "keep"), Act("write", A, "a"), Act("write", A, "d/a"), Act("link", A, "l"))
HISTORIES: dict[str, tuple[Act | str, ...]] = {
    "new here": (Act("write", A, "n"), Act("write", A, "e/n"), Act("mkdir", A, "g"), Act("link", A, "m")),
    "new there": (Act("write", BUCKET, "n"), Act("write", B, "e/n"), Act("mkdir", B, "g"), Act("link", B, "m"),
                  "sync B"),
    "changed here": (Act("write", A, "a"), Act("append", A, "d/a"), Act("link", A, "l")),
    "changed there": (Act("write", BUCKET, "a"), Act("append", B, "d/a"), Act("link", B, "l"), "sync B"),
    "deleted here": (Act("remove", A, "a"), Act("remove", A, "d"), Act("remove", A, "l")),
    "deleted there": (Act("remove", BUCKET, "a"), Act("remove", B, "d"), Act("remove", B, "l"), "sync B"),
    "renamed here": (Act("rename", A, "a", "n"), Act("rename", A, "d", "e")),
    "renamed there": (Act("rename", B, "a", "n"), Act("rename", B, "d", "e"), "sync B"),
    "conflict": (Act("write", B, "a"), Act("write", B, "d/a"), "sync B", Act("write", A, "a"), Act("append", A, "d/a")),
    "conflict with a deletion": (Act("remove", B, "a"), Act("write", B, "d/a"), "sync B", Act("write", A, "a"),
                                 Act("remove", A, "d/a")),
    "file becomes folder here": (Act("remove", A, "a"), Act("write", A, "a/x"), Act("remove", A, "d"),
                                 Act("write", A, "d")),
    "file becomes folder there": (Act("remove", B, "a"), Act("write", B, "a/x"), Act("remove", B, "d"),
                                  Act("write", B, "d"), "sync B"),
    "modes": (Act("chmod", A, "a"), Act("chmod", B, "d/a"), "sync B"),
    "renamed here and changed there": (Act("write", B, "a"), "sync B", Act("rename", A, "a", "n")),
    "first meeting": ("forget A", Act("write", A, "a"), Act("write", A, "n")),
}  # fmt: skip


def at_the_brink(
    root: Path,
    history: tuple[Act | str, ...],
    keys: dict[str, object],
    seen: Callable[[World], None] = lambda _world: None,
) -> World:
    """seen: called when both sides are equal, and after each act of the history."""
    root.mkdir()
    values = {"prefix": "", "accept_unsafe_server": True, **keys}
    world = fake_world(root, Kind(), [(Mode.TWO_WAY, values), (Mode.TWO_WAY, values)])
    for first in BEFORE:
        world.act(first)
    for number in (A, B, A):
        world.sync(number)
    world.clock.sleep(5.0)
    seen(world)
    for act in history:
        if isinstance(act, Act):
            world.act(act)
        elif act == "sync B":
            world.sync(B)
        else:
            world.runners[A].restore_memory({})
        seen(world)
    return world


def dies_in_pass(number: int, world: World) -> bool:
    """Runner A, before that step of a pass, and is begun anew. False: the pass came to its end."""
    assert isinstance(world.bucket, FakeS3)
    died, bucket = dies_at(number, DOORS, lambda: _pass(world), world.bucket.frozen)
    world.bucket.thaw(bucket)
    world.oracle.forgetful()
    world.runners[A].restart()
    return died


def refused_in_pass(number: int, world: World) -> bool:
    """Runner A, that step of a pass; it goes on. False: the pass has fewer steps."""
    with refused_at(number, DOORS) as came_to_it:
        report = _pass(world)
    world.oracle.forgetful()
    assert report.outcome is not Outcome.HALTED, report.message
    return came_to_it()


def _pass(world: World) -> PassReport:
    return world.runners[A].engine.run_pass(Trigger.REQUEST, WHOLE)
