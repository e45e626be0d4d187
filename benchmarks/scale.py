"""Many pairs, many files, a large bucket."""

import os
import shutil
import statistics
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.ground import AWS, Used, fresh, line, push_pair, timed, used_by
from demo import seaweedfs
from runner.config.loading import load
from runner.store.client import Client
from runner.store.credentials import Credentials
from tests.end_to_end.harness import RUNNER, Runner

MANY_PAIRS = 200
BUCKET_SIZES = (10_000, 100_000)


def status_of_many(server: seaweedfs.Server, home: Path) -> None:
    with fresh(server, home, "many") as (runner, bucket, folder):
        pairs = []
        for number in range(MANY_PAIRS):
            (folder / f"f{number}").mkdir()
            (folder / f"f{number}" / "file").write_text("x")
            pairs.append(push_pair(bucket, name=f"p{number}", prefix=f"{number}", folder=f"f{number}"))
        runner.write_config(pairs)
        runner.start()
        runner.wait_for("p0", activity="syncing")
        taken = list(_until_all_have_passed(runner))
        line(
            f"`runner status --json` while {MANY_PAIRS} pairs make their first pass ({len(taken)} times)",
            f"{statistics.median(taken):.2f} s, worst {max(taken):.2f} s",
            "under 1 s",
        )
        line("the same when they are idle", f"{timed(runner.status_by_command):.2f} s", "under 1 s")


def _until_all_have_passed(runner: Runner) -> Iterator[float]:
    """Seconds of each `status`."""
    left = MANY_PAIRS
    while left:
        rows: list[dict[str, object]] = []
        yield timed(lambda rows=rows: rows.extend(runner.status_by_command()["pairs"]))  # type: ignore[misc]
        left = sum(row["last_pass"] is None for row in rows)


def files(server: seaweedfs.Server, home: Path, number: int) -> None:
    """`runner once` beside plain `aws s3 sync` on the same files."""
    with fresh(server, home, "files") as (runner, bucket, folder):
        source, target = folder / "f", folder / "t"
        for index in range(number):
            path = source / f"{index // 500:03}" / f"{index:06}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(os.urandom(4096))
        rival = _Rival(server, runner)
        ours, theirs = f"s3://{bucket}/ours/", f"s3://{bucket}/theirs/"
        rival.compare(f"push {number:,} x 4 KiB", push_pair(bucket, prefix="ours/"), str(source), theirs)
        rival.compare("  again, nothing to do", push_pair(bucket, prefix="ours/"), str(source), theirs)
        pull = push_pair(bucket, prefix="ours/", folder="t", mode="pull")
        rival.compare(f"pull {number:,} x 4 KiB", pull, ours, str(folder / "theirs"))
        rival.compare("  again, nothing to do", pull, ours, str(folder / "theirs"))
        shutil.rmtree(target)


@dataclass(frozen=True, slots=True)
class _Rival:
    server: seaweedfs.Server
    runner: Runner

    def compare(self, figure: str, pair: dict[str, object], source: str, target: str) -> None:
        plain = self._plain(source, target)
        self.runner.write_config([pair])
        ours = used_by([RUNNER, "--config", str(self.runner.config), "once"], self.runner.environment)
        line(f"{figure}: runner once", str(ours), f"{ours.cpu_seconds / plain.cpu_seconds:.2f} x CPU")
        line(f"{figure}: aws s3 sync", str(plain))

    def _plain(self, source: str, target: str) -> Used:
        command = [AWS, "s3", "sync", source, target, "--exclude", ".runner/*"]
        environment = {**self.runner.environment, "BOTO_EXPERIMENTAL__NO_EMPTY_CONTINUE": "true"}
        return used_by([*command, "--endpoint-url", self.server.endpoint_url], environment)


def large_bucket(server: seaweedfs.Server, home: Path) -> None:
    """Memory of the runner's own processes must not grow with the bucket."""
    for size in BUCKET_SIZES:
        with fresh(server, home, f"bucket-{size}") as (runner, bucket, folder):
            for index in range(size):
                path = folder / "f" / f"{index // 500:03}" / f"{index:06}"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(b"x")
            runner.write_config([push_pair(bucket, delete=True)])
            _fill(server, runner, bucket, size)
            command = [RUNNER, "--config", str(runner.config), "once"]
            used_by(command, runner.environment)
            again = used_by(command, runner.environment)
            line(f"pass over {size:,} objects, nothing to do, delete: true", str(again))
            line("  memory (PSS) without the `aws` run", f"{again.own_bytes / 1e6:.0f} MB")


def _fill(server: seaweedfs.Server, runner: Runner, bucket: str, size: int) -> None:
    """Through our own client, which is several times faster than the CLI."""
    pair = load(runner.config, {}).pairs[0]
    credentials = Credentials(seaweedfs.ACCESS_KEY, seaweedfs.SECRET_KEY, endpoint_url=server.endpoint_url)
    mine = threading.local()

    def put(index: int) -> None:
        if not hasattr(mine, "client"):
            mine.client = Client(bucket, credentials, pair=pair)
        mine.client.put(f"{index // 500:03}/{index:06}", b"x")

    with ThreadPoolExecutor(8) as threads:
        for _ in threads.map(put, range(size)):
            pass
