"""`make bench`: each figure the project promises, measured from outside on this machine, one line each."""

import contextlib
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from demo import seaweedfs
from tests.end_to_end.harness import Runner, runner_in
from tests.witness import aws, objects, wait_until

PASSES = 20
PAIRS = 100
IDLE_SECONDS = 120


@contextlib.contextmanager
def fresh(server: seaweedfs.Server, home: Path, name: str) -> Iterator[tuple[Runner, str, Path]]:
    """A runner, a bucket and a folder of their own."""
    folder = home / name
    folder.mkdir()
    bucket = f"bench-{name}"
    aws(server, "s3api", "create-bucket", "--bucket", bucket)
    with runner_in(server, folder) as runner:
        yield runner, bucket, folder


def line(figure: str, value: str, promise: str = "") -> None:
    print(f"{figure:<62} {value:>24}   {promise}", flush=True)


def timed(call: Callable[[], object]) -> float:
    started = time.monotonic()
    call()
    return time.monotonic() - started


def push_pair(bucket: str, **keys: Any) -> dict[str, Any]:
    return {"name": "p", "bucket": bucket, "folder": "f", "mode": "push", "every": "1h", **keys}


def run_cpu_seconds(runner: Runner, bucket: str, folder: Path) -> float:
    """CPU seconds of one `aws s3 sync` run over an empty folder: the launcher's reaped children, over PASSES passes."""
    (folder / "f").mkdir(exist_ok=True)
    runner.write_config([push_pair(bucket, watch=False, empty_folders="none")])
    runner.start()
    runner.wait_for("p", health="in-sync")
    launcher = psutil.Process(runner.status()["services"]["launcher"]["pid"])
    before = launcher.cpu_times()
    for _ in range(PASSES):
        runner.run("sync", "p", "--wait")
    after = launcher.cpu_times()
    runner.stop()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return float(used) / PASSES


def warm_against_spawned(server: seaweedfs.Server, home: Path) -> None:
    with fresh(server, home, "warm") as (runner, bucket, folder):
        warm = run_cpu_seconds(runner, bucket, folder)
    with fresh(server, home, "spawned") as (runner, bucket, folder):
        runner.environment["RUNNER_AWS"] = str(Path(sys.executable).parent / "aws")
        spawned = run_cpu_seconds(runner, bucket, folder)
    line("CPU of an empty `aws s3 sync` run, warm", f"{warm:.3f} s")
    line("CPU of an empty `aws s3 sync` run, spawned", f"{spawned:.3f} s")
    line("warm / spawned", f"{warm / spawned:.2f}", "<= 0.20")


def idle_pairs(server: seaweedfs.Server, home: Path) -> None:
    with fresh(server, home, "idle") as (runner, bucket, folder):
        pairs = []
        for number in range(PAIRS):
            (folder / f"f{number}").mkdir()
            pairs.append(
                {"name": f"p{number}", "bucket": bucket, "prefix": f"{number}", "folder": f"f{number}", "mode": "push"}
            )
        runner.write_config(pairs)
        runner.start()
        wait_until(lambda: _all_in_sync(runner), "all in sync", 300)
        family = runner.processes()
        before = {process.pid: _cpu_with_children(process) for process in family}
        time.sleep(IDLE_SECONDS)
        used = sum(_cpu_with_children(process) - before[process.pid] for process in family)
        pss = sum(process.memory_full_info().pss for process in runner.processes())
        line(
            f"CPU of a core per idle pair ({PAIRS} pairs, every 60s)",
            f"{100 * used / IDLE_SECONDS / PAIRS:.3f} %",
            "<= 0.2 %",
        )
        line("memory (PSS) per pair, everything included", f"{pss / PAIRS / 1e6:.1f} MB", "<= 10 MB")
        line("`runner status --json` with 100 pairs", f"{timed(runner.status):.2f} s", "< 1 s")


def _all_in_sync(runner: Runner) -> bool:
    rows = runner.status().get("pairs", [])
    return len(rows) == PAIRS and all(row["health"] == "in-sync" for row in rows)


def _cpu_with_children(process: psutil.Process) -> float:
    """Own time, and for the launcher that of its reaped runs too."""
    times = process.cpu_times()
    return float(
        times.user + times.system + (times.children_user + times.children_system if _is_launcher(process) else 0)
    )


def _is_launcher(process: psutil.Process) -> bool:
    return process.cpu_times().children_user > 0 and process.ppid() != os.getpid()


def kills(server: seaweedfs.Server, home: Path) -> None:
    with fresh(server, home, "kills") as (runner, bucket, folder):
        (folder / "f").mkdir()
        runner.write_config([push_pair(bucket)])
        process = runner.start()
        pid = runner.wait_for("p", health="in-sync")["pid"]
        (folder / "f" / "late").write_text("x")
        os.kill(pid, signal.SIGKILL)
        back = timed(lambda: wait_until(lambda: "late" in objects(server, bucket), "synced again", 30))
        line("SIGKILL of a worker -> its replacement has synced a new file", f"{back:.1f} s")
        family = runner.processes()
        process.kill()
        process.wait()
        gone = timed(lambda: wait_until(lambda: not any(_lives(member) for member in family), "all gone", 10))
        line("SIGKILL of the supervisor -> nothing of it runs", f"{gone:.2f} s", "<= 2 s")


def _lives(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def big_transfer(server: seaweedfs.Server, home: Path) -> None:
    with fresh(server, home, "big") as (runner, bucket, folder):
        (folder / "f").mkdir()
        with (folder / "f" / "big").open("wb") as big:
            for _ in range(64):
                big.write(os.urandom(1 << 20) * 16)
        runner.write_config([push_pair(bucket, bandwidth="20MB")], supervisor={"stop_timeout": "10s"})
        runner.start()
        wait_until(lambda: runner.pair("p").get("activity") == "syncing", "syncing", 30)
        wait_until(lambda: (runner.pair("p").get("progress") or {}).get("bytes_done"), "bytes on their way", 30)
        line(
            "TERM with a 1 GiB upload in flight, stop_timeout 10s", f"{timed(lambda: runner.stop(30)):.1f} s", "<= 10 s"
        )


def throughput(server: seaweedfs.Server, home: Path) -> None:
    with fresh(server, home, "files") as (runner, bucket, folder):
        (folder / "f").mkdir()
        for number in range(5000):
            (folder / "f" / f"{number:05}").write_bytes(os.urandom(4096))
        runner.write_config([push_pair(bucket)])
        line("`runner once`: upload 5,000 x 4 KiB", f"{timed(lambda: runner.run('once', timeout_seconds=300)):.1f} s")
        shutil.rmtree(folder / "f")
        runner.write_config([push_pair(bucket, mode="pull")])
        line("`runner once`: download 5,000 x 4 KiB", f"{timed(lambda: runner.run('once', timeout_seconds=300)):.1f} s")
        line(
            "`runner once`: pull again, nothing to do",
            f"{timed(lambda: runner.run('once', timeout_seconds=300)):.1f} s",
        )


def main() -> int:
    """Runs everything in about six minutes."""
    print(f"{time.strftime('%Y-%m-%d')}, {platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}, "
          f"Python {platform.python_version()}, SeaweedFS on loopback\n")  # fmt: skip
    home = Path(tempfile.mkdtemp(prefix="runner-bench-"))
    try:
        with seaweedfs.running(home / "s3") as server:
            for measure in (warm_against_spawned, kills, big_transfer, throughput, idle_pairs):
                measure(server, home)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
