"""What runs and waiting pairs cost."""

import os
import statistics
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks.ground import AWS, cpu_seconds, family, fresh, line, pss_bytes, push_pair
from demo import seaweedfs
from tests.end_to_end.harness import Runner
from tests.witness import wait_until

PASSES = 10
PAIRS = 100
IDLE_SECONDS = 60.0  # one pass of each pair at the default `every: 60s`


def warm_against_spawned(server: seaweedfs.Server, home: Path) -> None:
    """CPU of the `aws s3 sync` process alone, as the launcher's reaped children."""
    with fresh(server, home, "warm") as (runner, bucket, folder):
        warm = _run_cpu_seconds(runner, bucket, folder)
    with fresh(server, home, "spawned") as (runner, bucket, folder):
        runner.environment["RUNNER_AWS"] = AWS
        spawned = _run_cpu_seconds(runner, bucket, folder)
    line(f"`aws s3 sync` over an empty folder, warm (median of {PASSES})", f"{warm:.3f} s CPU")
    line(f"`aws s3 sync` over an empty folder, spawned (median of {PASSES})", f"{spawned:.3f} s CPU")
    line("warm / spawned", f"1/{spawned / warm:.1f}", "at most 1/5")


def _run_cpu_seconds(runner: Runner, bucket: str, folder: Path) -> float:
    (folder / "f").mkdir()
    runner.write_config([push_pair(bucket, watch=False, empty_folders="none")])
    runner.start()
    runner.wait_for("p", health="in-sync")
    launcher = psutil.Process(runner.status()["services"]["launcher"]["pid"])
    used = []
    for _ in range(PASSES):
        before = launcher.cpu_times()
        runner.run("sync", "p", "--wait")
        after = launcher.cpu_times()
        used.append(after.children_user + after.children_system - before.children_user - before.children_system)
    runner.stop()
    return float(statistics.median(used))


def idle_pairs(server: seaweedfs.Server, home: Path) -> None:
    with fresh(server, home, "idle") as (runner, bucket, folder):
        runner.write_config([_pair(bucket, folder, number) for number in range(PAIRS)])
        pid = runner.start().pid
        wait_until(lambda: _in_sync(runner) == PAIRS, "all in sync", 300)
        passes, used = _passes(runner), cpu_seconds(pid)
        time.sleep(IDLE_SECONDS)
        used = cpu_seconds(pid) - used
        passes = _passes(runner) - passes
        memory = sum(pss_bytes(process) for process in family(pid))
        workers = [psutil.Process(row["pid"]) for row in runner.status()["pairs"]]
        line(
            f"CPU of an idle pair ({PAIRS} pairs, every 60s; {passes} passes)",
            f"{100 * used / IDLE_SECONDS / PAIRS:.3f} % of a core",
            "at most 0.2 %",
        )
        line("memory (PSS) of an idle pair, everything included", f"{memory / PAIRS / 1e6:.1f} MB", "at most 10 MB")
        line("  of that its worker", f"{statistics.mean(map(pss_bytes, workers)) / 1e6:.1f} MB")
        runner.stop()


def _pair(bucket: str, folder: Path, number: int) -> dict[str, Any]:
    os.mkdir(folder / f"f{number}")
    return {"name": f"p{number}", "bucket": bucket, "prefix": f"{number}", "folder": f"f{number}", "mode": "push"}


def _in_sync(runner: Runner) -> int:
    return sum(row["health"] == "in-sync" for row in runner.status().get("pairs", []))


def _passes(runner: Runner) -> int:
    return sum(row["totals"]["passes"] for row in runner.status()["pairs"])
