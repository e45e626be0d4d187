"""What every measurement stands on: a runner with a bucket and a folder of its own, a clock, and who used how much."""

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from demo import seaweedfs
from tests.end_to_end.harness import Runner, runner_in
from tests.witness import aws

AWS = str(Path(sys.executable).parent / "aws")
_LOOK_SECONDS = 0.25


@contextlib.contextmanager
def fresh(server: seaweedfs.Server, home: Path, name: str) -> Iterator[tuple[Runner, str, Path]]:
    """A runner, a bucket and a folder of their own."""
    folder = home / name
    folder.mkdir()
    bucket = f"bench-{name}"
    aws(server, "s3api", "create-bucket", "--bucket", bucket)
    with runner_in(server, folder) as runner:
        yield runner, bucket, folder


def push_pair(bucket: str, **keys: Any) -> dict[str, Any]:
    return {"name": "p", "bucket": bucket, "folder": "f", "mode": "push", "every": "1h", **keys}


def line(figure: str, value: str, promise: str = "") -> None:
    print(f"{figure:<64} {value:>22}   {promise}".rstrip(), flush=True)


def timed(call: Callable[[], object]) -> float:
    started = time.monotonic()
    call()
    return time.monotonic() - started


def family(pid: int) -> list[psutil.Process]:
    """A process and all that descend from it."""
    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    return []


def cpu_seconds(pid: int) -> float:
    """Of everything below a process that ever ran: the living, and through their parents those already waited for.

    Each second is in it once: the kernel adds a child's time to its parent's only when it is waited for.
    """
    total = 0.0
    for process in family(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def pss_bytes(process: psutil.Process) -> int:
    """Shared pages count in parts, so that a sum over processes is what they really take. 0 when it is gone."""
    with contextlib.suppress(OSError):
        for row in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
            if row.startswith("Pss:"):
                return int(row.split()[1]) * 1024
    return 0


@dataclass
class Used:
    """What a command and everything below it used. peak_bytes: PSS, all of it; own_bytes: without `aws` runs."""

    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0
    own_bytes: int = 0

    def __str__(self) -> str:
        return f"{self.wall_seconds:.1f} s, {self.cpu_seconds:.1f} s CPU, {self.peak_bytes / 1e6:.0f} MB"


def used_by(command: list[str], environment: dict[str, str]) -> Used:
    """Runs a command to its end. Raises CalledProcessError."""
    used = Used()
    before, started = os.times(), time.monotonic()
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        watching = threading.Thread(target=_watch, args=(process, used))
        watching.start()
        errors = process.communicate()[1]
        watching.join()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, stderr=errors)
    after = os.times()
    used.wall_seconds = time.monotonic() - started
    used.cpu_seconds = after.children_user + after.children_system - before.children_user - before.children_system
    return used


def _watch(process: "subprocess.Popen[str]", used: Used) -> None:
    """A run of `aws` is a grandchild of `runner`: launcher, credential process and workers are its children."""
    while process.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):
            root = psutil.Process(process.pid)
            own = sum(pss_bytes(member) for member in [root, *root.children()])
            used.own_bytes = max(used.own_bytes, own)
            used.peak_bytes = max(used.peak_bytes, sum(pss_bytes(member) for member in family(process.pid)))
        time.sleep(_LOOK_SECONDS)
