"""`make soak MINUTES=10`: random kills and freezes of every part while files change on both sides; then all is equal.

Seeded; the seed is printed first. Exit 1 with what differs when something was lost, left over or not converged.
"""

import argparse
import contextlib
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil
from botocore.exceptions import BotoCoreError, ClientError

from benchmarks.two_way_soak import TwoWaySoak
from demo import seaweedfs
from tests import radosgw
from tests.end_to_end.harness import Runner
from tests.witness import delete, make_bucket, objects, put, wait_until

SETTLE_SECONDS = 120.0
PAIRS = 3
GONE_SECONDS = 2.0
_SIZE_STEP = 1_000_000  # more than there are writes: no two writes have the same size, so equal sizes mean equal files


class Soak:
    """One run: `work` for a while, then `findings`, which should be none."""

    def __init__(self, runner: Runner, server: seaweedfs.Server, seed: int) -> None:
        self.runner, self.server = runner, server
        self.random = random.Random(seed)
        self.done: Counter[str] = Counter()
        self.writes = 0
        self.left_over: list[str] = []
        self.bucket = f"soak-{seed}"
        self.home = runner.folder

    def prepare(self) -> None:
        make_bucket(self.server, self.bucket)
        pairs = []
        for number in range(PAIRS):
            (self.home / f"up{number}").mkdir()
            pairs.append(self._pair(f"up{number}", "push"))
            pairs.append(self._pair(f"down{number}", "pull"))
        supervisor = {"heartbeat_timeout": "3s", "restart": {"max": "2s"}, "stop_timeout": "8s"}
        self.runner.write_config(pairs, supervisor=supervisor)
        self.runner.start()

    def work(self, seconds: float) -> None:
        """Writers and mishaps for so long; then every frozen part may go on."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for _ in range(self.random.randrange(1, 6)):
                self._write_something()
            if self.random.random() < 0.5:
                self._hurt_something()
            time.sleep(self.random.random())
        if not self.runner.processes():
            self.runner.start()

    def findings(self) -> list[str]:
        """What is wrong in the end: not equal, left over, or an exit code that is not 0."""
        try:
            wait_until(lambda: not self._differences(), "both sides equal", SETTLE_SECONDS)
            for number in range(PAIRS):
                for name in (f"up{number}", f"down{number}"):
                    # not `waiting`: passes that take longer than `every` follow each other
                    self.runner.wait_for(name, SETTLE_SECONDS, health="in-sync")
        except AssertionError as error:
            return [*self.left_over, *(f"not equal: {path}" for path in self._differences()), str(error)]
        family = self.runner.processes()
        code = self.runner.stop(60)
        self._expect_gone(family, "a stop")
        return [*self.left_over, *([f"exit code {code}"] if code else [])]

    def close(self) -> None:
        self.runner.close()

    def summary(self) -> str:
        mishaps = ", ".join(f"{count} x {what}" for what, count in sorted(self.done.items()))
        return f"{self.writes} writes; {mishaps}"

    def _pair(self, name: str, mode: str) -> dict[str, object]:
        # a pull reads its own prefix: a prefix that one pair writes and another reads is refused as overlapping
        return {"name": name, "bucket": self.bucket, "prefix": name, "folder": name, "mode": mode, "delete": True,
                "every": "1s", "max_delete": "100%", "stall_timeout": "5s"}  # fmt: skip

    def _write_something(self) -> None:
        """One change by a user: on the folder side of a push, or on the bucket side of a pull."""
        number, name = self.random.randrange(PAIRS), f"d{self.random.randrange(3)}/f{self.random.randrange(30)}"
        self.writes += 1
        deletes = self.random.random() < 0.2
        size = self.random.choice((0, 0, 0, _SIZE_STEP, 9 * _SIZE_STEP)) + self.writes
        if self.random.random() < 0.8:
            path = self.home / f"up{number}" / name
            path.parent.mkdir(exist_ok=True)
            if deletes:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(b"x" * size)
            return
        key = f"down{number}/{name}"
        if deletes:
            delete(self.server, self.bucket, key)
        else:
            put(self.server, self.bucket, key, b"x" * size)

    def _hurt_something(self) -> None:
        """One mishap to anything below the supervisor; now and then to the supervisor itself."""
        family = self.runner.processes()
        if not family:
            self.done["start"] += 1
            self.runner.start()
            return
        supervisor, below = family[0], family[1:]
        chance = self.random.random()
        if not below or chance < 0.1:
            self._end_supervisor(supervisor, family, kills=chance < 0.07)
        elif chance < 0.2:
            self.done["HUP"] += 1
            with contextlib.suppress(psutil.NoSuchProcess):
                supervisor.send_signal(signal.SIGHUP)
        else:
            number = signal.SIGKILL if self.random.random() < 0.8 else signal.SIGSTOP
            self.done[number.name.removeprefix("SIG")] += 1
            with contextlib.suppress(psutil.NoSuchProcess):
                self.random.choice(below).send_signal(number)

    def _end_supervisor(self, supervisor: psutil.Process, family: list[psutil.Process], *, kills: bool) -> None:
        self.done["KILL of the supervisor" if kills else "TERM of the supervisor"] += 1
        assert self.runner.process is not None
        with contextlib.suppress(psutil.NoSuchProcess):
            supervisor.send_signal(signal.SIGKILL if kills else signal.SIGTERM)
        self.runner.process.wait(60)
        self._expect_gone(family, "a SIGKILL of the supervisor" if kills else "a stop")
        self.runner.start()

    def _expect_gone(self, family: list[psutil.Process], after: str) -> None:
        try:
            wait_until(lambda: not any(_lives(member) for member in family), "all gone", GONE_SECONDS)
        except AssertionError:
            self.left_over += [f"left over after {after}: {member}" for member in family if _lives(member)]

    def _differences(self) -> list[str]:
        """What is not equal now, by path."""
        found = []
        for number in range(PAIRS):
            for name in (f"up{number}", f"down{number}"):
                try:
                    listed = objects(self.server, self.bucket, f"{name}/")
                except (BotoCoreError, ClientError) as error:
                    return [f"the server could not be asked: {error}"]
                remote = {
                    key.removeprefix(f"{name}/"): size
                    for key, size in listed.items()
                    if ".runner-trash/" not in key and not key.endswith(".s3_index")
                }
                local = _files(self.home / name)
                found += [f"{name}/{path}" for path in remote.keys() ^ local.keys()]
                found += [
                    f"{name}/{path} ({local[path]} here, {remote[path]} there)"
                    for path in remote.keys() & local.keys()
                    if remote[path] != local[path]
                ]
        return sorted(found)


def _lives(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _files(root: Path) -> dict[str, int]:
    """Path -> size; what vanishes while we look is not there."""
    sizes = {}
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        with contextlib.suppress(FileNotFoundError):
            if relative.parts[0] != ".runner" and path.is_file():
                sizes[str(relative)] = path.stat().st_size
    return sizes


def main() -> int:
    """Runs for --minutes; 0 when nothing was lost, all sides are equal in the end and nothing of the runner is left."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--kind", choices=("all", "two-way", "aws-cli"), default="all")
    parser.add_argument("--server", choices=("seaweedfs", "radosgw"), default="seaweedfs")
    parser.add_argument("--runners", type=int, default=3, help="on one bucket, of the two-way kind")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    home = Path(tempfile.mkdtemp(prefix="runner-soak-"))
    (home / "work").mkdir()
    kinds = ("two-way", "aws-cli") if arguments.kind == "all" else (arguments.kind,)
    running = seaweedfs.running if arguments.server == "seaweedfs" else radosgw.running
    with running(home / "s3") as server:
        ended = [_run(kind, server, home / "work", arguments, 60.0 / len(kinds)) for kind in kinds]
    if not all(ended):
        print(f"everything is kept in {home}")
        return 1
    shutil.rmtree(home, ignore_errors=True)
    print("nothing lost, all equal, nothing left over")
    return 0


def _run(kind: str, server: seaweedfs.Server, home: Path, arguments: argparse.Namespace, minute: float) -> bool:
    soak: Soak | TwoWaySoak
    if kind == "two-way":
        unsafe: dict[str, object] = {"accept_unsafe_server": True} if arguments.server == "radosgw" else {}
        soak = TwoWaySoak(server, home, arguments.seed, arguments.runners, unsafe)
    else:
        soak = Soak(Runner(server, home), server, arguments.seed)
    try:
        soak.prepare()
        soak.work(arguments.minutes * minute)
        findings = soak.findings()
        print(f"{kind}: {soak.summary()}", *findings, sep="\n  ", flush=True)
        return not findings
    finally:
        soak.close()


if __name__ == "__main__":
    sys.exit(main())
