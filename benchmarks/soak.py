"""`make soak MINUTES=10`: random kills and freezes of every part while files change on both sides; then all is equal.

Seeded; the seed is printed first. Exit 1 with what differs when something was lost, left over or not converged.
"""

import argparse
import contextlib
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import psutil

from demo import seaweedfs
from tests.end_to_end.harness import Runner, runner_in
from tests.witness import aws, objects, wait_until

SETTLE_SECONDS = 120.0
PAIRS = 3


class Soak:
    """One run: writers, kills, then the look at both sides."""

    def __init__(self, runner: Runner, server: seaweedfs.Server, seed: int) -> None:
        self.runner, self.server = runner, server
        self.random = random.Random(seed)
        self.kills = 0
        self.writes = 0
        self.bucket = f"soak-{seed}"
        self.home = runner.folder

    def prepare(self) -> None:
        aws(self.server, "s3api", "create-bucket", "--bucket", self.bucket)
        pairs = []
        for number in range(PAIRS):
            (self.home / f"up{number}").mkdir()
            pairs.append(self._pair(f"up{number}", "push"))
            pairs.append(self._pair(f"down{number}", "pull"))
        self.runner.write_config(pairs, supervisor={"heartbeat_timeout": "3s", "restart": {"max": "2s"}})

    def _pair(self, name: str, mode: str) -> dict[str, object]:
        # a pull reads its own prefix: a prefix that one pair writes and another reads is refused as overlapping
        return {"name": name, "bucket": self.bucket, "prefix": name, "folder": name, "mode": mode, "delete": True,
                "every": "1s", "max_delete": "100%"}  # fmt: skip

    def write_something(self) -> None:
        """One change by a user: on the folder side of a push, or on the bucket side of a pull."""
        number, name = self.random.randrange(PAIRS), f"f{self.random.randrange(30)}"
        self.writes += 1
        body = f"{self.writes} " * self.random.choice((1, 10, 20_000))
        if self.random.random() < 0.8:
            path = self.home / f"up{number}" / f"d{self.random.randrange(3)}" / name
            path.parent.mkdir(exist_ok=True)
            if self.random.random() < 0.2:
                path.unlink(missing_ok=True)
            else:
                path.write_text(body)
            return
        source = self.home / "body"
        source.write_text(body)
        key = f"down{number}/d{self.random.randrange(3)}/{name}"
        if self.random.random() < 0.2:
            aws(self.server, "s3api", "delete-object", "--bucket", self.bucket, "--key", key)
        else:
            aws(self.server, "s3api", "put-object", "--bucket", self.bucket, "--key", key, "--body", str(source))

    def hurt_something(self) -> None:
        """One kill or freeze of anything below the supervisor; now and then of the supervisor itself."""
        family = self.runner.processes()
        if not family:
            self.runner.start()
            return
        supervisor, below = family[0], family[1:]
        self.kills += 1
        if not below or self.random.random() < 0.1:
            supervisor.kill()
            assert self.runner.process is not None
            self.runner.process.wait()
            self.runner.start()
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            victim = self.random.choice(below)
            victim.send_signal(signal.SIGKILL if self.random.random() < 0.8 else signal.SIGSTOP)

    def differences(self) -> list[str]:
        """What is not equal now, by path."""
        found = []
        for number in range(PAIRS):
            for name in (f"up{number}", f"down{number}"):
                remote = {
                    key.removeprefix(f"{name}/"): size
                    for key, size in objects(self.server, self.bucket, f"{name}/").items()
                    if ".runner-trash/" not in key and not key.endswith(".s3_index")
                }
                local = _files(self.home / name)
                found += [f"{name}/{path}" for path in remote.keys() ^ local.keys()]
                found += [
                    f"{name}/{path} (size)" for path in remote.keys() & local.keys() if remote[path] != local[path]
                ]
        return found


def _files(root: Path) -> dict[str, int]:
    sizes = {}
    for folder, names, files in os.walk(root):
        if ".runner" in names:
            names.remove(".runner")
        for file in files:
            path = Path(folder) / file
            sizes[str(path.relative_to(root))] = path.stat().st_size
    return sizes


def main() -> int:
    """Runs for --minutes; 0 when both sides are equal in the end and nothing of the runner is left."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    home = Path(tempfile.mkdtemp(prefix="runner-soak-"))
    (home / "work").mkdir()
    with seaweedfs.running(home / "s3") as server, runner_in(server, home / "work") as runner:
        soak = Soak(runner, server, arguments.seed)
        soak.prepare()
        runner.start()
        end = time.monotonic() + arguments.minutes * 60
        while time.monotonic() < end:
            for _ in range(soak.random.randrange(1, 6)):
                soak.write_something()
            if soak.random.random() < 0.5:
                soak.hurt_something()
            time.sleep(soak.random.random())
        for process in runner.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGCONT)
        if not runner.processes():
            runner.start()
        try:
            wait_until(lambda: not soak.differences(), "both sides equal", SETTLE_SECONDS)
        except AssertionError:
            print(
                f"NOT EQUAL after {soak.writes} writes and {soak.kills} kills (in {home}):",
                *soak.differences(),
                sep="\n  ",
            )
            print(runner.run("status").stdout, runner.log_text()[-5000:])
            return 1
        code = runner.stop(60)
        print(f"{soak.writes} writes, {soak.kills} kills and freezes: all equal; the runner left with {code}")
        return 0 if code == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
