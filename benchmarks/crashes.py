"""How long it takes to be well again, and to be gone."""

import contextlib
import os
import signal
import time
from pathlib import Path

import psutil

from benchmarks.ground import fresh, line, push_pair, timed
from demo import seaweedfs
from tests.end_to_end.harness import Runner
from tests.witness import wait_until

KILLS = 5
STOP_SECONDS = 10


def kills(server: seaweedfs.Server, home: Path) -> None:
    with fresh(server, home, "kills") as (runner, bucket, folder):
        (folder / "f").mkdir()
        # Each kill doubles the delay of the next restart, unless the worker has proven itself long enough.
        runner.write_config([push_pair(bucket)], supervisor={"restart": {"reset_after": "1s"}})
        process = runner.start()
        delays = []
        for _ in range(KILLS):
            row = runner.wait_for("p", health="in-sync")
            time.sleep(1.5)
            killed_at = time.time()
            os.kill(row["pid"], signal.SIGKILL)
            delays.append(_next_pass_at(runner, killed_at) - killed_at)
        line(f"SIGKILL of a worker -> its replacement syncs (worst of {KILLS})", f"{max(delays):.2f} s", "at most 2 s")
        family = runner.processes()
        process.kill()
        process.wait()
        gone = timed(lambda: wait_until(lambda: not any(_lives(member) for member in family), "all gone", 10))
        line("SIGKILL of the supervisor -> nothing of it runs", f"{gone:.2f} s", "at most 2 s")


def _next_pass_at(runner: Runner, after: float) -> float:
    """When the first pass after that moment began, by the worker's own report."""
    found: list[float] = []

    def has_begun() -> bool:
        last = runner.pair("p").get("last_pass") or {}
        found[:] = [last["started_at"]] if last.get("started_at", 0.0) > after else []
        return bool(found)

    wait_until(has_begun, "a pass of the replacement")
    return found[0]


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
        limits = {"stop_timeout": f"{STOP_SECONDS}s"}
        runner.write_config([push_pair(bucket, bandwidth="20MB")], supervisor=limits)
        runner.start()
        wait_until(lambda: (runner.pair("p").get("progress") or {}).get("bytes_done"), "bytes on their way", 60)
        line(
            f"TERM with a 1 GiB upload in flight, stop_timeout {STOP_SECONDS}s",
            f"{timed(lambda: runner.stop(3 * STOP_SECONDS)):.1f} s",
            f"at most {STOP_SECONDS} s",
        )
        (folder / "f" / "big").unlink()
