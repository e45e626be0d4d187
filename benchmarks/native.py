"""The native engine: small files both ways, a pass with nothing to do, and how fast a closed file is in the bucket."""

import math
import os
import shutil
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.ground import cpu_seconds, family, fresh, line, pss_bytes, used_by
from benchmarks.rivals import Rivals
from demo import seaweedfs
from tests.end_to_end.harness import RUNNER, Runner
from tests.witness import s3

EVENTS = 200
NEIGHBOURS = 20
_PATIENCE_SECONDS = 30.0
_QUIET_PERIOD = "1s"


def transfers(server: seaweedfs.Server, home: Path, number: int) -> None:
    """Upload and download of small files; every other tool gets the same files and a place of its own."""
    with fresh(server, home, "transfers") as (runner, bucket, folder):
        make_files(folder / "f", number)
        _compare(runner, f"{number:,} x 4 KiB up", _pair(bucket, "f"), str(folder / "f"), f"{bucket}/{{tool}}")
        _compare(runner, f"{number:,} x 4 KiB down", _pair(bucket, "t"), f"{bucket}/ours", str(folder / "{tool}"))
        for name in ("f", "t", "rclone", "aws"):
            shutil.rmtree(folder / name, ignore_errors=True)


def noop(server: seaweedfs.Server, home: Path, number: int) -> None:
    """A whole `runner once` in which nothing has changed."""
    with fresh(server, home, "noop") as (runner, bucket, folder):
        make_files(folder / "f", number)
        _once(runner, _pair(bucket, "f"))
        # Every tool finds its own time stamps in what was uploaded: to the others nothing is new, either.
        _compare(
            runner,
            f"{number:,} objects, nothing to do",
            _pair(bucket, "f"),
            str(folder / "f"),
            f"{bucket}/ours",
            by_size=True,
        )
        shutil.rmtree(folder / "f")


def events(server: seaweedfs.Server, home: Path) -> None:
    """From close(2) of a 4 KiB file to the answer of a GET that has it, asked for all the time."""
    with _daemon(server, home, "events", 0) as (bucket, folder, pid):
        _tell("alone", bucket, server, folder / "f0")
        worker = max(family(pid)[1:], key=pss_bytes)
        line("memory (PSS) of the worker afterwards", f"{pss_bytes(worker) / 1e6:.1f} MB")
        used = cpu_seconds(pid)
        time.sleep(20.0)
        line("CPU of the whole command in 20 idle seconds", f"{cpu_seconds(pid) - used:.2f} s")
    with _daemon(server, home, "neighbours", NEIGHBOURS) as (bucket, folder, _pid):
        _tell(f"beside {NEIGHBOURS} quiet pairs", bucket, server, folder / "f0")


def _tell(label: str, bucket: str, server: seaweedfs.Server, folder: Path) -> None:
    taken = sorted(_visible_after(server, bucket, folder))
    value = f"{1000 * statistics.median(taken):.0f} ms, {1000 * taken[math.ceil(0.9 * len(taken)) - 1]:.0f} ms"
    line(f"closed file -> in the bucket, {label} (median, p90 of {EVENTS})", value, "median under 50 ms")


def _visible_after(server: seaweedfs.Server, bucket: str, folder: Path) -> Iterator[float]:
    witness = s3(server.endpoint_url)
    for number in range(EVENTS):
        content = os.urandom(4096)
        with (folder / f"event-{number}").open("wb") as file:
            file.write(content)
        closed = time.monotonic()
        while not _has(witness, bucket, f"0/event-{number}", content):
            if time.monotonic() > closed + _PATIENCE_SECONDS:
                raise TimeoutError(f"event-{number} is not in the bucket")
            time.sleep(0.001)
        yield time.monotonic() - closed
        time.sleep(0.05)  # a file of its own, not a batch


def _has(witness: Any, bucket: str, key: str, content: bytes) -> bool:
    try:
        body: bytes = witness.get_object(Bucket=bucket, Key=key)["Body"].read()
    except witness.exceptions.NoSuchKey:
        return False
    return body == content


@contextmanager
def _daemon(server: seaweedfs.Server, home: Path, name: str, neighbours: int) -> Iterator[tuple[str, Path, int]]:
    """Pairs in sync: p0 on the folder `f0`, and its quiet neighbours."""
    with fresh(server, home, name) as (runner, bucket, folder):
        pairs = []
        for number in range(neighbours + 1):
            (folder / f"f{number}").mkdir()
            keys = {"name": f"p{number}", "prefix": str(number), "folder": f"f{number}", "quiet_period": _QUIET_PERIOD}
            pairs.append({"bucket": bucket, "mode": "two-way", "every": "1h", **keys})
        runner.write_config(pairs)
        pid = runner.start().pid
        for pair in pairs:
            runner.wait_for(pair["name"], 120, health="in-sync")
        yield bucket, folder, pid
        runner.stop()


def make_files(folder: Path, number: int) -> None:
    """Of 4 KiB, 500 to a folder."""
    content = os.urandom(8192)
    for index in range(number):
        path = folder / f"{index // 500:04}" / f"{index:07}"
        if index % 500 == 0:
            path.parent.mkdir(parents=True)
        path.write_bytes(content[index % 4096 :][:4088] + index.to_bytes(8))


def _pair(bucket: str, folder: str) -> dict[str, Any]:
    return {"name": "p", "bucket": bucket, "prefix": "ours", "folder": folder, "mode": "two-way", "every": "1h"}


def _compare(
    runner: Runner, figure: str, pair: dict[str, Any], source: str, target: str, *, by_size: bool = False
) -> None:
    ours = _once(runner, pair)
    line(f"{figure}: runner once", str(ours))
    for name, theirs in Rivals(runner.server, runner.environment).run(source, target, by_size=by_size).items():
        line(f"{figure}: {name}", str(theirs), f"ours: {ours.cpu_seconds / theirs.cpu_seconds:.2f} x CPU")


def _once(runner: Runner, pair: dict[str, Any]) -> Any:
    runner.write_config([pair])
    return used_by([RUNNER, "--config", str(runner.config), "once"], runner.environment)
