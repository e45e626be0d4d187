"""Users and faults of one pair and its server: what they do, when they last did it, and what is on both sides then."""

import os
import random
import shutil
import signal
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from demo import seaweedfs
from runner.files.conflict_names import is_conflict_copy
from runner.model.errors import UserError
from tests.end_to_end.sides import Sides

NAMES = ("a", "b", "c", "d/a", "d/b", "e/f/g", "e/f/h", "i")


@dataclass
class Told:
    """When something was last done to a path: monotonic for the folder, seconds since the epoch for the bucket."""

    here: float = float("-inf")
    there: float = float("-inf")


class OwnServer:
    """A server that may be hurt, and comes back at the same place."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.server = seaweedfs.start(folder)

    def go(self, *, stopped: bool) -> None:
        """Gone, or silent."""
        if stopped:
            seaweedfs.stop(self.server)
        else:
            os.killpg(self.server.process.pid, signal.SIGSTOP)

    def come_back(self) -> None:
        if self.server.process.poll() is None:
            os.killpg(self.server.process.pid, signal.SIGCONT)
        else:
            port = int(self.server.endpoint_url.rpartition(":")[2])
            self.server = seaweedfs.start(self._folder, port)


@dataclass
class Meddlers(Sides):
    """done: how often what was done. history: the same in its order. away_since: when the server went, None while it
    is there. frozen: the pid of a worker that does not run."""

    own: OwnServer
    seed: int
    done: Counter[str] = field(default_factory=Counter)
    history: list[str] = field(default_factory=list)
    told: dict[str, Told] = field(default_factory=dict)
    away_since: float | None = None
    frozen: int | None = None
    thawed_at: float = float("-inf")
    _held: dict[str, int] = field(default_factory=dict)
    _count: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.random = random.Random(self.seed)

    # ── what users do ──

    def act(self) -> None:
        """One thing, at random; what cannot be done is left. What would keep the pair behind for long is ended soon."""
        names = [name.removeprefix("act_") for name in dir(self) if name.startswith("act_")]
        self.do(self.random.choice(names))
        for lasting in ("merge", "resume", "pipe_away", "hold_end"):
            if self.random.random() < 0.4:
                getattr(self, f"end_{lasting}")()

    def do(self, name: str, path: str | None = None) -> None:
        self.done[name] += 1
        path = path or self.random.choice(NAMES)
        self.history.append(f"{time.time():.3f} {name} {path}")
        with suppress(OSError, UserError):
            getattr(self, f"act_{name}")(path)

    def value(self) -> bytes:
        self._count += 1
        return b"%d of %d" % (self._count, self.seed)

    def changed_here(self, *paths: str) -> None:
        for path in paths:
            self.told.setdefault(path, Told()).here = time.monotonic()

    def changed_there(self, path: str) -> None:
        self.told.setdefault(path, Told()).there = time.time()

    def act_write(self, path: str) -> None:
        self._let_go(path)
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_bytes(self.value())
        self.changed_here(path)

    def act_append(self, path: str) -> None:
        with (self.folder / path).open("ab") as file:
            file.write(self.value())
        self.changed_here(path)

    def act_save(self, path: str) -> None:
        """As editors do."""
        new = self.folder / f"{path}.new"
        new.parent.mkdir(parents=True, exist_ok=True)
        new.write_bytes(self.value())
        new.replace(self.folder / path)
        self.changed_here(path, f"{path}.new")

    def act_remove(self, path: str) -> None:
        (self.folder / path).unlink()
        self.changed_here(path)

    def act_rename(self, path: str) -> None:
        other = self.random.choice(NAMES)
        (self.folder / other).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).rename(self.folder / other)
        self.changed_here(path, other)

    def act_rename_folder(self, _path: str) -> None:
        old, new = ("d", "k") if (self.folder / "d").exists() else ("k", "d")
        moved = [name for name in self.here() if name.startswith(f"{old}/")]
        (self.folder / old).rename(self.folder / new)
        self.changed_here(*moved, *(f"{new}{name[len(old) :]}" for name in moved))

    def act_burst(self, _path: str) -> None:
        top = f"burst{self._count % 3}"
        shutil.rmtree(self.folder / top, ignore_errors=True)
        (self.folder / top / "x").mkdir(parents=True)
        names = [f"{top}/x/{number}" for number in range(30)]
        for name in names:
            (self.folder / name).write_bytes(self.value())
        self.changed_here(*names)

    def act_hold(self, path: str) -> None:
        """Written and kept open: whole passes see it, events do not."""
        self._let_go(path)
        fd = os.open(self.folder / path, os.O_WRONLY | os.O_APPEND)
        os.write(fd, self.value())
        self._held[path] = fd
        self.changed_there(path)  # known from the next whole pass on

    def act_special(self, _path: str) -> None:
        """What is never synced: a problem as long as it is there."""
        os.mkfifo(self.folder / "pipe")

    def act_put(self, path: str) -> None:
        if self.away_since is None:
            self.s3.put_object(Bucket=self.bucket, Key=path, Body=self.value())
            self.changed_there(path)

    def act_flood(self, _path: str) -> None:
        for number in range(40):
            self.act_put(f"flood/{number}")

    def act_delete(self, path: str) -> None:
        if self.away_since is None:
            self.s3.delete_object(Bucket=self.bucket, Key=path)
            self.changed_there(path)

    def act_both(self, path: str) -> None:
        self.act_write(path)
        self.act_put(path)

    def act_pause(self, _path: str) -> None:
        self.ask("pause", pairs=["w"])

    def end_resume(self) -> None:
        with suppress(UserError):
            self.ask("resume", pairs=["w"])

    def end_merge(self) -> None:
        """A person has looked at the conflicts."""
        for name in list(self.here()):
            if is_conflict_copy(name):
                (self.folder / name).unlink()
                self.changed_here(name)

    def end_pipe_away(self) -> None:
        (self.folder / "pipe").unlink(missing_ok=True)

    def end_hold_end(self) -> None:
        for path in list(self._held):
            self._let_go(path)

    def _let_go(self, path: str) -> None:
        fd = self._held.pop(path, None)
        if fd is not None:
            os.close(fd)
            self.changed_here(path)

    # ── faults ──

    def away(self, *, stopped: bool) -> None:
        """The server is gone, or says nothing any more."""
        self.away_since = time.monotonic()
        self.own.go(stopped=stopped)

    def back(self) -> None:
        if self.away_since is not None:
            self.own.come_back()
            self.away_since = None

    def hurt(self) -> None:
        """One fault, at random, or its end."""
        if self.away_since is not None or self.frozen is not None:
            self.back()
            self.thaw()
            return
        fault = self.random.choice(("stopped", "silent", "frozen", "killed"))
        self.done[fault] += 1
        self.history.append(f"{time.time():.3f} {fault}")
        if fault in {"stopped", "silent"}:
            self.away(stopped=fault == "stopped")
        elif fault == "frozen":
            self.freeze()
        else:
            pid = self._pid()
            with suppress(OSError):
                os.kill(pid or 0, signal.SIGKILL if pid else 0)

    def _pid(self) -> int | None:
        """Of the worker."""
        with suppress(UserError):
            pid: int | None = self.ask("status")[0]["row"]["pairs"][0]["pid"]
            return pid
        return None

    def freeze(self) -> None:
        pid = self._pid()
        if pid:
            self.frozen = pid
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        pid, self.frozen = self.frozen, None
        if pid:
            self.thawed_at = time.monotonic()
            with suppress(OSError):
                os.kill(pid, signal.SIGCONT)
