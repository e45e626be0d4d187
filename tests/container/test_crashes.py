"""Containers that are killed at any moment: what was called safe survives, and nobody makes a conflict of it."""

import random
import time
from functools import partial
from pathlib import Path

from tests.container.conftest import Ground
from tests.container.reporter import app, assert_all_is_there, said
from tests.container.test_exec import WRITER
from tests.container.test_life import fill, seed_variables
from tests.witness import objects, wait_until

LONG_SECONDS = 60  # what several containers do together, on a machine that does other things too


def test_kills_at_random_moments_lose_nothing_on_the_same_volume(ground: Ground, bucket: str) -> None:
    volume = ground.volume("data")
    options = ("-v", f"{volume}:/data")
    numbers: list[int] = []
    for _ in range(2):
        container = ground.start("exec", "--", *app(), options=options, variables=seed_variables(ground, bucket))
        wait_until(partial(said, container), "the app is at work", timeout_seconds=LONG_SECONDS)
        time.sleep(random.uniform(0.0, 1.5))  # the moment of the kill is the test's input
        container.kill()
        container.wait()
        numbers += said(container)
    last = ground.start("exec", "--", "true", options=options, variables=seed_variables(ground, bucket))
    assert last.wait() == 0
    assert_all_is_there(ground.server, bucket, numbers)


def test_kill_and_an_empty_volume_bring_everything_back_before_the_app_starts(ground: Ground, bucket: str) -> None:
    first, second = ground.volume("first"), ground.volume("second")
    variables = seed_variables(ground, bucket, delete="true")
    command = ("exec", "--", "sh", "-c", WRITER)
    writer = ground.start(*command, options=("-v", f"{first}:/data"), variables=variables)
    wait_until(lambda: "50.txt" in objects(ground.server, bucket), "files in the bucket", timeout_seconds=LONG_SECONDS)
    writer.kill()
    writer.wait()
    safe = {name for name in objects(ground.server, bucket) if name.endswith(".txt")}
    reader = ground.start("exec", "--", "ls", "/data", options=("-v", f"{second}:/data"), variables=variables)
    assert reader.wait() == 0
    assert safe <= set(reader.logs().split())
    assert safe <= set(objects(ground.server, bucket))


def test_two_containers_that_are_killed_in_turns_end_with_the_same_files(ground: Ground, bucket: str) -> None:
    ours, theirs = ground.volume("ours"), ground.volume("theirs")
    variables = {**seed_variables(ground, bucket), "every": "1s"}
    live = {folder: ground.start(options=("-v", f"{folder}:/data"), variables=variables) for folder in (ours, theirs)}
    names = set()
    for side in (ours, theirs):
        fresh = {f"of-{side.name}/{number}.txt" for number in range(10)}
        fill(side, sorted(fresh))
        names |= fresh
        live[side].kill()
        live[side].wait()
        live[side] = ground.start(options=("-v", f"{side}:/data"), variables=variables)
    for folder in (ours, theirs):
        wait_until(partial(holds, folder, names), f"all in {folder.name}", timeout_seconds=LONG_SECONDS)
    assert {name for name in objects(ground.server, bucket) if name.endswith(".txt")} == names
    (ours / "of-theirs/1.txt").write_text("edited by us\n")
    wait_until(
        lambda: (theirs / "of-theirs/1.txt").read_text() == "edited by us\n", "an edit", timeout_seconds=LONG_SECONDS
    )
    (theirs / "of-ours/2.txt").unlink()
    wait_until(lambda: not (ours / "of-ours/2.txt").exists(), "a deletion goes back", timeout_seconds=LONG_SECONDS)


def holds(folder: Path, names: set[str]) -> bool:
    inside = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    return {str(path) for path in inside if path.parts[0] != ".runner"} == names


def test_app_starts_in_standby_behind_a_live_hydrated_holder_and_its_files_go_on(ground: Ground, bucket: str) -> None:
    volume = ground.volume("shared")
    options = ("-v", f"{volume}:/data")
    old = ground.start("exec", "--", *app(), options=options, variables=seed_variables(ground, bucket))
    wait_until(lambda: len(said(old)) > 10, "the first app is at work", timeout_seconds=LONG_SECONDS)
    script = "echo second > /data/second.txt; echo started; trap 'exit 0' TERM; while :; do sleep .1; done"
    new = ground.start("exec", "--", "sh", "-c", script, options=options, variables=seed_variables(ground, bucket))
    wait_until(lambda: "started" in new.logs(), "the second app starts in standby", timeout_seconds=LONG_SECONDS)
    assert new.pair("data").get("activity") == "standby"
    assert old.stop() == 0
    wait_until(lambda: new.pair("data").get("activity") not in {"standby", None}, "the second one took over")
    fill(volume, ["last.txt"])
    assert new.stop() == 0
    assert_all_is_there(ground.server, bucket, said(old))
    assert {"second.txt", "last.txt"} <= set(objects(ground.server, bucket))
