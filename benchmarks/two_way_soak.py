"""Several two-way runners on one bucket, users on all sides, and random kills and freezes of every part of them.

In the end nothing is lost (V1), nothing is torn (V2), all sides are equal (V3) and two more passes do nothing (V4).
"""

import contextlib
import random
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import psutil

from demo import seaweedfs
from tests.bench.ledger import Ledger
from tests.bench.users import SIZES, SMALL, BucketUser, FolderUser
from tests.bench.values import Content, content_of
from tests.end_to_end.harness import Runner
from tests.witness import s3, wait_until

SETTLE_SECONDS = 600.0  # a look at thousands of files and objects takes its time
_SETTLED = {"in-sync", "conflicts"}  # open conflict copies are for a person; they are on all sides
_HURTS = (signal.SIGKILL, signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM)


class TwoWaySoak:
    """`prepare`, `work` for a while, then `findings`, which should be none; `close` in any case."""

    def __init__(self, server: seaweedfs.Server, home: Path, seed: int, runners: int, pair: dict[str, object]) -> None:
        """pair: keys of the pair beside the soak's own."""
        # SeaweedFS 4.48 looks at the condition of a completed upload or a copy, and a PUT may pass before it writes (11
        # and 4 of 120 races lost that PUT): there files go in one request and modes stay, so a loss is the runner's.
        # radosgw drops a stranger's PUT without a condition that meets a runner's: there the stranger sets one.
        self.splits_writes = "accept_unsafe_server" not in pair
        self.sizes = SMALL if self.splits_writes else SIZES
        self.server, self.home, self.seed = server, home, seed
        self.random = random.Random(seed)
        self.ledger = Ledger()
        self.done: Counter[str] = Counter()
        self.bucket = f"two-way-{seed}"
        self.s3 = s3(server.endpoint_url)
        self.sides = [self._side(number, pair) for number in range(runners)]
        self._stop = threading.Event()
        self._wrong: list[str] = []
        self._read: dict[tuple[str, str], Content | None] = {}  # by key and ETag, which is of the content

    def _side(self, number: int, pair: dict[str, object]) -> Runner:
        place = self.home / f"side{number}"
        (place / "w").mkdir(parents=True)
        side = Runner(self.server, place)
        keys = {"name": "w", "bucket": self.bucket, "folder": "w", "mode": "two-way", "every": "1s", "jitter": "50%",
                "max_delete": "100%", "stall_timeout": "10s", **pair}  # fmt: skip
        supervisor = {"heartbeat_timeout": "4s", "restart": {"max": "2s"}, "stop_timeout": "10s"}
        side.write_config([keys], supervisor=supervisor)
        return side

    def prepare(self) -> None:
        self.s3.create_bucket(Bucket=self.bucket)
        for side in self.sides:
            side.start()

    def work(self, seconds: float) -> None:
        """Users and mishaps for so long; then every frozen part may go on, and what is dead is started."""
        users: list[FolderUser | BucketUser] = []
        for number, side in enumerate(self.sides):
            own = side.folder / "own"
            user = FolderUser("abcdef"[number], self.ledger, self.seed, side.folder / "w", own, self.sizes)
            user.changes_modes = not self.splits_writes
            users.append(user)
        stranger = BucketUser("s3", self.ledger, self.seed, self.s3, self.bucket, self.sizes)
        stranger.sets_conditions = not self.splits_writes
        users.append(stranger)
        threads = [threading.Thread(target=self._use, args=(user,)) for user in users]
        for thread in threads:
            thread.start()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._hurt(self.random.choice(self.sides))
            time.sleep(self.random.random() * 3)
        self._stop.set()
        for thread in threads:
            thread.join()
        for side in self.sides:
            if not side.processes():
                side.start()

    def findings(self) -> list[str]:
        """What is wrong in the end."""
        try:
            wait_until(self._is_settled, "all sides equal", SETTLE_SECONDS)
        except AssertionError as error:
            return [*self._wrong, str(error), *self._differences(), *self._values()]
        found = [*self._wrong, *self._values(), *self._restless()]
        for number, side in enumerate(self.sides):
            code = side.stop(60)
            found += [f"exit code {code} of side {number}"] if code else []
            found += [f"left over: {path}" for path in (side.folder / "w/.runner/tmp").rglob("*") if path.is_file()]
        return found

    def summary(self) -> str:
        mishaps = ", ".join(f"{count} x {what}" for what, count in sorted(self.done.items()))
        uploads = len(self.s3.list_multipart_uploads(Bucket=self.bucket).get("Uploads", []))
        copies = sum(".conflict-" in path for path in self._here(self.sides[0]))
        return (
            f"{len(self.ledger)} values; {len(self._there())} objects in the end, {copies} conflict copies, "
            f"{uploads} uploads left by kills; {mishaps}"
        )

    def close(self) -> None:
        self._stop.set()
        for side in self.sides:
            side.close()

    # ── mishaps ──

    def _use(self, user: FolderUser | BucketUser) -> None:
        try:
            while not self._stop.wait(user.random.random() * 0.4):
                user.act()
        except Exception as error:
            self._wrong.append(f"the user {user.name} stumbled: {error!r}")
            raise

    def _hurt(self, side: Runner) -> None:
        family = side.processes()
        if not family:
            self.done["start"] += 1
            side.start()
            return
        victim = family[0] if self.random.random() < 0.15 else self.random.choice(family)
        number = self.random.choice(_HURTS)
        self.done[f"{number.name}{' of a supervisor' if victim == family[0] else ''}"] += 1
        with contextlib.suppress(psutil.NoSuchProcess):
            victim.send_signal(number)
        if number is signal.SIGSTOP:
            time.sleep(self.random.random() * 6)
            with contextlib.suppress(psutil.NoSuchProcess):
                victim.send_signal(signal.SIGCONT)
        elif victim == family[0] and side.process is not None:
            side.process.wait(60)

    # ── looking ──

    def _is_settled(self) -> bool:
        if self._differences():
            return False
        rows = [side.pair("w") for side in self.sides]
        if not all(row.get("health") in _SETTLED for row in rows):  # a pass that finds something to move is `behind`
            return False
        return not self._differences()

    def _restless(self) -> list[str]:
        """V4: what two more passes of every side change."""
        before = self._state()
        for _ in range(2):
            for number, side in enumerate(self.sides):
                done = side.run("sync", "w", "--wait")
                if done.returncode:
                    return [f"sync of side {number}: {done.returncode} {done.stdout} {done.stderr}"]
        after = self._state()
        return [f"V4 restless: {what}" for what in sorted(before ^ after)]

    def _values(self) -> list[str]:
        """V1 and V2 over all that is anywhere."""
        current: dict[str, Content | None] = {}
        for number, side in enumerate(self.sides):
            current |= {f"side {number}: {path}": content for path, content in self._here(side).items()}
        current |= {f"bucket: {key}": content for key, content in self._there().items()}
        trash = [content for side in self.sides for content in _contents(side.folder / "w/.runner/trash").values()]
        trash += self._objects(".runner-trash/").values()
        return [*self.ledger.lost([*current.values(), *trash]), *self.ledger.invented(current)]

    def _differences(self) -> list[str]:
        """V3."""
        there = self._there()
        found = []
        folders = [_folders(side.folder / "w") for side in self.sides]
        for number, side in enumerate(self.sides):
            here = self._here(side)
            found += [
                f"V3 {path}: {here.get(path)} on side {number}, {there.get(path)} in the bucket"
                for path in sorted(here.keys() | there.keys())
                if here.get(path, ...) != there.get(path, ...)
            ]
            found += [f"V3 folder {path} not on all sides" for path in sorted(folders[number] ^ folders[0])]
        return found

    def _here(self, side: Runner) -> dict[str, Content | None]:
        return {path: content for path, content in _contents(side.folder / "w").items() if path[:8] != ".runner/"}

    def _there(self) -> dict[str, Content | None]:
        return {key: content for key, content in self._objects("").items() if key[:14] != ".runner-trash/"}

    def _objects(self, prefix: str) -> dict[str, Content | None]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        rows = [row for page in pages for row in page.get("Contents", []) if not row["Key"].endswith(".s3_index")]
        found = {}
        for key, etag in ((row["Key"], row["ETag"]) for row in rows):
            with contextlib.suppress(self.s3.exceptions.ClientError):  # gone or another one since
                if (key, etag) not in self._read:
                    answer = self.s3.get_object(Bucket=self.bucket, Key=key, IfMatch=etag)
                    self._read[key, etag] = content_of(answer["Body"].read())
                found[key] = self._read[key, etag]
        return found

    def _state(self) -> set[tuple[object, ...]]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        state: set[tuple[object, ...]] = {
            (row["Key"], row["ETag"], row["LastModified"]) for page in pages for row in page.get("Contents", [])
        }
        for number, side in enumerate(self.sides):
            for path in (side.folder / "w").rglob("*"):
                if ".runner" not in path.relative_to(side.folder / "w").parts[:1]:
                    seen = path.stat()
                    state.add((number, str(path), seen.st_ino, seen.st_ctime_ns, seen.st_mode))
        return state


def _contents(root: Path) -> dict[str, Content | None]:
    """By path; what vanishes while we look is not there."""
    found = {}
    for path in root.rglob("*"):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            if path.is_file():
                found[str(path.relative_to(root))] = content_of(path.read_bytes())
    return found


def _folders(root: Path) -> set[str]:
    names = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_dir()}
    return {name for name in names if name.split("/")[0] != ".runner"}
