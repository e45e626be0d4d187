"""A folder that one program writes, whose runner is killed again and again: nobody else is there to conflict with."""

import contextlib
import random
import time

import psutil

from tests.end_to_end.harness import Runner
from tests.integration.native_engine import BucketWitness
from tests.witness import make_bucket

SECONDS = 7.0


def test_folder_with_one_writer_has_no_conflict_copies_however_often_its_worker_is_killed(runner: Runner) -> None:
    chance = random.Random(1)
    folder = runner.folder / "f"
    folder.mkdir()
    make_bucket(runner.server, "ours")
    pair = {"name": "a", "bucket": "ours", "folder": "f", "mode": "two-way", "every": "5s"}
    runner.write_config([pair], supervisor={"restart": {"initial": "200ms", "max": "1s"}})
    runner.start()
    written: dict[str, bytes] = {}
    kills, end, next_kill = 0, time.monotonic() + SECONDS, time.monotonic() + 2
    while time.monotonic() < end:
        for _ in range(20):
            name = f"n{chance.randrange(300)}"
            written[name] = b"%d" % len(written) * chance.randrange(1, 400)
            (folder / name).write_bytes(written[name])
        if time.monotonic() > next_kill:
            kills += _kill_workers(runner)
            next_kill = time.monotonic() + 0.3 + 2 * chance.random()
        time.sleep(0.03)
    runner.wait_for("a", 120, health="in-sync")
    assert kills > 3
    there = BucketWitness(runner.server, "ours").files()
    assert there == written
    assert {path.name for path in folder.iterdir()} - {".runner"} == written.keys()


def _kill_workers(runner: Runner) -> int:
    below = runner.processes()[1:]
    for process in below:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    return len(below)
