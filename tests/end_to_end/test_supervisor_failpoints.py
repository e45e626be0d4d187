"""The supervisor killed before each of its steps, from its start over a reload to its end; then comes a new one."""

import contextlib
import itertools
import os
import signal
import sys
from functools import partial
from pathlib import Path

import psutil
import pytest

from demo import seaweedfs
from runner.store.probe import PROBE
from tests.end_to_end.harness import Runner, runner_in
from tests.witness import get, objects, soon, wait_until

# Every so many steps, three interleaved tests; FAILPOINTS=all is every one.
STRIDE = 3 if os.environ.get("FAILPOINTS") == "all" else 96


@pytest.mark.timeout(900)
@pytest.mark.parametrize("first", [1, 1 + STRIDE // 3, 1 + 2 * STRIDE // 3])
def test_supervisor_killed_before_any_step_leaves_nothing_running_and_the_next_one_syncs(
    first: int, seaweed: seaweedfs.Server, bucket: str, tmp_path: Path
) -> None:
    for number in itertools.count(first, STRIDE):
        home = tmp_path / str(number)
        home.mkdir()
        with runner_in(seaweed, home) as runner:
            runner.wrapper = (sys.executable, "-m", "tests.end_to_end.dying_supervisor", str(number))
            code, family = life(runner, bucket, number)
            wait_until(partial(are_gone, family), f"step {number}: the end of all", soon(2))
            runner.wrapper = ()
            (home / "a" / "late").write_text("late")
            assert runner.pair("a").get("health") != "in-sync", f"step {number}: in-sync, and nobody is there"
            runner.start()
            for name in ("a", "b"):
                runner.wait_for(name, health="in-sync")
            assert get(seaweed, bucket, f"{number}/a/late") == b"late", f"step {number}: in-sync, and it is not there"
            # A probe that was killed leaves its objects to one of the next probes (runner/store/probe.py).
            there = {key for key in objects(seaweed, bucket, f"{number}/") if PROBE not in key}
            assert there == {f"{number}/{name}" for name in ("a/file", "a/late", "b/file")}, f"step {number}"
            assert runner.stop() == 0, f"step {number}"
        if code == 0:
            break
    assert number > 20, "there was nothing to die in"


def life(runner: Runner, bucket: str, number: int) -> tuple[int, list[int]]:
    """One start, one pair more, one stop, as far as it comes: the exit code, and who was seen alive."""
    family: set[int] = set()
    for name in ("a", "b"):
        (runner.folder / name).mkdir()
        (runner.folder / name / "file").write_text(name)
    write_config(runner, bucket, number, "a")
    process = runner.start()

    def is_synced_or_dead(name: str) -> bool:
        family.update(member.pid for member in runner.processes())
        return process.poll() is not None or runner.pair(name).get("health") == "in-sync"

    wait_until(lambda: is_synced_or_dead("a"), f"step {number}: a first pass, or death")
    write_config(runner, bucket, number, "a", "b")
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGHUP)
    wait_until(lambda: is_synced_or_dead("b"), f"step {number}: the second pair, or death")
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    code = process.wait(60)
    assert code in {0, -signal.SIGKILL}, f"step {number}: {code}\n{runner.log_text()}"
    return code, sorted(family)


def write_config(runner: Runner, bucket: str, number: int, *names: str) -> None:
    pairs = [
        {"name": name, "bucket": bucket, "prefix": f"{number}/{name}", "folder": name, "mode": mode, "every": "1s"}
        for name, mode in (("a", "push"), ("b", "two-way"))
        if name in names
    ]
    logging = {"file": str(runner.folder / "log" / "runner.log"), "max_size": "1KB"}
    runner.write_config(pairs, logging=logging)


def are_gone(pids: list[int]) -> bool:
    return not any(is_alive(pid) for pid in pids)


def is_alive(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False
