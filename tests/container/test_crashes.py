"""Containers that are killed at any moment: what was called safe survives, and nobody makes a conflict of it."""

import random
import time
from functools import partial
from pathlib import Path

from tests.container.conftest import HARDENED, Ground
from tests.container.reporter import app, assert_all_is_there, said
from tests.container.test_life import fill, seed_variables
from tests.witness import objects, wait_until


def test_stop_with_200_changes_pending_loses_none_and_ends_with_zero(ground: Ground, bucket: str) -> None:
    volume = ground.volume("data", owner=12345)
    options = (*HARDENED, "--user", "12345", "-v", f"{volume}:/data")
    variables = seed_variables(ground, bucket, RUNNER_STOP_TIMEOUT="60s")  # a busy machine is not what is tested
    container = ground.start(options=options, variables=variables)
    wait_until(lambda: container.is_healthy("--ready"), "ready")
    names = {f"pending/{number}.txt" for number in range(200)}
    fill(volume, sorted(names))
    assert container.stop(70) == 0
    assert names <= set(objects(ground.server, bucket))


def test_kills_at_random_moments_lose_nothing_on_the_same_volume(ground: Ground, bucket: str) -> None:
    volume = ground.volume("data")
    options = ("-v", f"{volume}:/data")
    numbers: list[int] = []
    for _ in range(3):
        container = ground.start("exec", "--", *app(), options=options, variables=seed_variables(ground, bucket))
        wait_until(partial(said, container), "the app is at work", timeout_seconds=40)
        time.sleep(random.uniform(0.0, 1.5))  # the moment of the kill is the test's input
        container.kill()
        container.wait()
        numbers += said(container)
    last = ground.start("exec", "--", "true", options=options, variables=seed_variables(ground, bucket))
    assert last.wait() == 0
    assert_all_is_there(ground.server, bucket, numbers)
    assert not [path for path in volume.rglob("*.conflict-*") if ".runner" not in path.parts]


def test_two_containers_that_are_killed_in_turns_end_with_the_same_files(ground: Ground, bucket: str) -> None:
    volumes = [ground.volume("ours"), ground.volume("theirs")]
    variables = {**seed_variables(ground, bucket), "every": "1s"}
    live = [ground.start(options=("-v", f"{volume}:/data"), variables=variables) for volume in volumes]
    names = set()
    for turn in range(4):
        side = turn % 2
        fresh = {f"{turn}/{number}.txt" for number in range(10)}
        fill(volumes[side], sorted(fresh))
        names |= fresh
        live[side].kill()
        live[side].wait()
        live[side] = ground.start(options=("-v", f"{volumes[side]}:/data"), variables=variables)
    for volume in volumes:
        wait_until(partial(holds, volume, names), f"all in {volume.name}", timeout_seconds=40)
    assert {name for name in objects(ground.server, bucket) if name.endswith(".txt")} == names


def holds(folder: Path, names: set[str]) -> bool:
    inside = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    return {str(path) for path in inside if path.parts[0] != ".runner"} == names


def test_app_starts_in_standby_behind_a_live_hydrated_holder_and_its_files_go_on(ground: Ground, bucket: str) -> None:
    volume = ground.volume("shared")
    options = ("-v", f"{volume}:/data")
    old = ground.start("exec", "--", *app(), options=options, variables=seed_variables(ground, bucket))
    wait_until(lambda: len(said(old)) > 10, "the first app is at work", timeout_seconds=40)
    script = "echo second > /data/second.txt; echo started; trap 'exit 0' TERM; while :; do sleep .1; done"
    new = ground.start("exec", "--", "sh", "-c", script, options=options, variables=seed_variables(ground, bucket))
    wait_until(lambda: "started" in new.logs(), "the second app starts though the first one holds the folder")
    assert new.pair("data").get("activity") == "standby"
    assert old.stop() == 0
    wait_until(lambda: new.pair("data").get("activity") not in {"standby", None}, "the second one took over")
    new.shell("echo last > /data/last.txt")
    assert new.stop() == 0
    assert_all_is_there(ground.server, bucket, said(old))
    assert {"second.txt", "last.txt"} <= set(objects(ground.server, bucket))
