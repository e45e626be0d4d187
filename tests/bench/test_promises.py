"""Promises about single passes: a plan is what the next pass does; rest costs listings alone; a listing is not the
last word; what is held stays bounded. The bucket in memory, real folders.
"""

import os
import random
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.config.settings import Mode
from runner.engine.remote_trash import PLACE
from runner.files.scan import INDEX_NAME
from runner.model.passes import Outcome, PassReport, Requests
from runner.store.door import ObjectInfo
from tests.bench.disk import memory_of
from tests.bench.fake_door import Door
from tests.bench.fake_s3 import FakeS3, Kind
from tests.bench.histories import fake_world
from tests.bench.trees import Tree
from tests.bench.world import BUCKET, Act, World

KEYS = {"prefix": "", "accept_unsafe_server": True}
NAMES = ("a", "b", "c/a", "c/b", "d/e/a", "f")
VERBS = ("write", "append", "remove", "write", "chmod")


@pytest.fixture
def two(tmp_path: Path) -> Iterator[World]:
    world = fake_world(tmp_path, Kind(), [(Mode.TWO_WAY, KEYS), (Mode.TWO_WAY, KEYS)])
    yield world
    world.close()


def done(world: World, number: int = 0) -> PassReport:
    report = world.sync(number)
    assert report is not None
    assert report.outcome is Outcome.DONE, report.message
    return report


def objects(world: World) -> dict[str, Any]:
    assert isinstance(world.bucket, FakeS3)
    return {key: stored for key, stored in world.bucket.objects.items() if not key.startswith(PLACE)}


# ── P37 ──


def _effects(world: World) -> tuple[dict[str, Any], dict[str, Any]]:
    """Files here, objects there; empty folders come and go with what is in them."""
    here = {path: item for path, item in Tree.of(world.runners[0].path).items.items() if item.kind != "folder"}
    return here, {key: stored for key, stored in objects(world).items() if not key.endswith(INDEX_NAME)}


def _changed(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    return {path for path in {*before, *after} if before.get(path) != after.get(path)}


@pytest.mark.parametrize("seed", range(25))
def test_plan_of_a_native_pass_is_what_the_next_pass_does_and_touches_nothing(two: World, seed: int) -> None:
    chance = random.Random(seed)
    for name in NAMES:
        two.act(Act("write", 0, name))
    for number in (0, 1, 0):
        done(two, number)
    two.clock.sleep(5.0)
    for name in (*NAMES, "n", "c/n"):
        for side in chance.sample((0, 1, BUCKET), chance.randint(0, 2)):
            two.act(Act(chance.choice(VERBS), side, name))
    two.sync(1)
    stamps, memory = Tree.of(two.runners[0].path).stamps, memory_of(two.runners[0].path)
    here, there = _effects(two)
    plan = list(two.runners[0].engine.plan())
    assert (Tree.of(two.runners[0].path).stamps, memory_of(two.runners[0].path)) == (stamps, memory)
    assert _effects(two) == (here, there)

    report = done(two)
    here_now, there_now = _effects(two)
    fell: dict[str, set[str]] = defaultdict(set)
    for action in plan:
        if not action.path.endswith(INDEX_NAME):
            fell[action.verb].add(action.path)
        if action.verb == "rename":
            fell["source"].add(action.reason.removeprefix("from "))
    here_changed, there_changed = _changed(here, here_now), _changed(there, there_now)
    here_said, there_said = fell["download"] | fell["delete-local"], fell["upload"] | fell["delete-remote"]
    either = fell["keep-both"] | fell["set-mode"] | fell["rename"]
    copies = {path for path in here_changed | there_changed if "conflict" in path} - here_said - there_said
    free = either | fell["source"] | copies
    assert here_changed - free == here_said - free, plan
    assert there_changed - free == there_said - free, plan
    assert either <= here_changed | there_changed, plan
    assert len(copies) == len(fell["keep-both"]), plan
    assert report.deleted_local == len(fell["delete-local"]), plan
    assert not list(two.runners[0].engine.plan())


# ── P29 ──


def test_idle_passes_over_2500_objects_ask_for_three_pages_and_nothing_else(
    two: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(two.bucket, FakeS3)
    two.bucket.page = 1000
    for number in range(2500):
        two.bucket.put(f"d{number % 7}/f{number}", b"%d" % number)
    assert done(two).downloaded == 2500
    two.clock.sleep(60.0)
    for _ in range(3):
        assert done(two).requests == Requests(lists=3)


def test_runners_that_differ_in_modes_and_times_alone_come_to_rest(tmp_path: Path) -> None:
    world = fake_world(tmp_path, Kind(), [(Mode.TWO_WAY, KEYS)] * 3)
    try:
        for number, mode in enumerate((0o600, 0o644, 0o755)):
            path = world.runners[number].path / "same"
            path.write_bytes(b"")
            path.chmod(mode)
            os.utime(path, (1e9 + number, 1e9 + number))
        for _ in range(3):
            for number in range(3):
                world.act(Act("chmod", number, "same"))
                world.sync(number)
        world.oracle.check()
    finally:
        world.close()


# ── P12 ──


@pytest.mark.parametrize("left_out", [1, 4, 12])
@pytest.mark.parametrize("mode", [Mode.TWO_WAY, Mode.PULL])
def test_well_formed_listing_that_leaves_keys_out_deletes_nothing(
    tmp_path: Path, mode: Mode, left_out: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = {} if mode is Mode.TWO_WAY else {"delete": True}
    world = fake_world(tmp_path, Kind(), [(mode, {**KEYS, **more})])
    try:
        for number in range(12):
            world.act(Act("write", BUCKET, f"d/f{number:02}"))
        world.act(Act("mkdir", BUCKET, "e"))
        done(world)
        files, there = world.runners[0].files(), objects(world)
        real = Door.list

        def lying(door: Door, prefix: str = "") -> Iterator[ObjectInfo]:
            yield from list(real(door, prefix))[left_out:]

        monkeypatch.setattr(Door, "list", lying)
        for _ in range(3):  # a halt is approved by the next pass
            world.sync(0)
        assert world.runners[0].files() == files
        assert objects(world) == there
        monkeypatch.setattr(Door, "list", real)
        done(world)
        world.oracle.check()
    finally:
        world.close()


# ── P36, P35 ──


@pytest.mark.parametrize("version", [1, 3, 99])
def test_memory_of_another_version_is_refused_whole_and_nothing_is_deleted(two: World, version: int) -> None:
    for name in NAMES:
        two.act(Act("write", 0, name))
    done(two)
    two.act(Act("remove", 0, "a"))
    two.act(Act("remove", BUCKET, "b"))
    runner = two.runners[0]
    with sqlite3.connect(runner.path / ".runner" / "state.db") as database:
        (before,) = database.execute("PRAGMA user_version").fetchone()
        assert before != version
        database.execute(f"PRAGMA user_version = {version}")
    database.close()
    runner.restart()
    two.oracle.forgetful()
    report = done(two)
    assert (report.deleted_local, report.deleted_remote) == (0, 0)
    assert set(NAMES) <= runner.files().keys()
    assert set(NAMES) <= objects(two).keys()
    assert any("set aside" in line for line in runner.log), runner.log


def test_a_hundred_passes_hold_no_more_descriptors_than_ten(two: World) -> None:
    def held() -> int:
        return len(os.listdir("/proc/self/fd"))

    counts = []
    for number in range(100):
        two.act(Act(("write", "append", "remove")[number % 3], (0, BUCKET)[number % 2], NAMES[number % 5]))
        two.clock.sleep(5.0)
        two.sync(0)
        counts.append(held())
    assert max(counts[10:]) <= max(counts[:10]), counts
