"""Starts `supervisor_under_test` as a program and looks at it from outside: socket, /proc, signals."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest

from runner.cli.connection import connect

_Found = TypeVar("_Found")
PROJECT = Path(__file__).parents[2]
Row = dict[str, Any]


def wait_for(what: Callable[[], _Found | None], seconds: float = 60.0) -> _Found:
    """Its first true value; fails when there is none in time."""
    until = time.monotonic() + seconds
    while True:
        found = None
        with contextlib.suppress(FileNotFoundError, psutil.NoSuchProcess):  # gone between two looks
            found = what()
        if found:
            return found
        if time.monotonic() > until:
            pytest.fail(f"waited {seconds} s in vain; last value {found!r}")
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Household:
    """One supervisor, its spec file and its folders under one temporary directory."""

    def __init__(self, place: Path, pairs: dict[str, str], **supervisor: object) -> None:
        self.place = place
        self.spec = place / "spec.json"
        self.runtime_dir = place / "run"
        self.limits: dict[str, object] = {"runtime_dir": str(self.runtime_dir), "stop_timeout": 5.0, **supervisor}
        self.extra: dict[str, dict[str, object]] = {}
        self.pairs = dict(pairs)
        self.log_path = place / "log"
        self.process: subprocess.Popen[bytes] | None = None
        self.known: set[int] = set()
        self.write()

    def write(self) -> None:
        pairs = [
            {"name": name, "bucket": kind, "folder": str(self.folder(name)), **self.extra.get(name, {})}
            for name, kind in self.pairs.items()
        ]
        for name in self.pairs:
            self.folder(name).mkdir(parents=True, exist_ok=True)
        self.spec.write_text(json.dumps({"pairs": pairs, "supervisor": self.limits}))

    def folder(self, name: str) -> Path:
        return self.place / "folders" / name

    def start(self, *arguments: str, log: Path | None = None) -> "Household":
        with (log or self.log_path).open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.supervisor_under_test", str(self.spec), *arguments],
                cwd=PROJECT,
                stdout=output,
                stderr=output,
            )
        return self

    def start_and_settle(self) -> "Household":
        self.start()
        self.wait_until(lambda rows: all(row["state"] == "running" for row in rows.values()))
        return self

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def ask(self, command: str, **fields: object) -> list[Row]:
        connection = wait_for(lambda: connect(self.spec, self.runtime_dir, {}, timeout_seconds=10.0))
        return list(connection.ask({"command": command, **fields}, waits=True))

    def whole_status(self) -> Row:
        status: Row = self.ask("status")[0]["row"]
        return status

    def status(self) -> dict[str, Row]:
        return {row["name"]: row for row in self.whole_status()["pairs"]}

    def wait_until(self, is_so: Callable[[dict[str, Row]], object], seconds: float = 60.0) -> dict[str, Row]:
        """The first status for which it is so."""

        def look() -> dict[str, Row] | None:
            rows = self.status()
            return rows if is_so(rows) else None

        return wait_for(look, seconds)

    def kill(self, number: int) -> None:
        os.kill(self.pid, number)

    def family(self) -> list[int]:
        """Everything that descends from the supervisor now."""
        return [child.pid for child in psutil.Process(self.pid).children(recursive=True)]

    def wait(self, seconds: float = 60.0) -> int:
        assert self.process is not None
        return self.process.wait(seconds)

    def stop(self, number: int = signal.SIGTERM, seconds: float = 60.0) -> int:
        self.kill(number)
        return self.wait(seconds)

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            family = psutil.Process(self.pid).children(recursive=True)
            self.process.kill()
            self.process.wait()
            for left in family:  # sleepers in sessions of their own, which nobody inherits now
                with contextlib.suppress(psutil.NoSuchProcess):
                    left.kill()


Start = Callable[..., Household]


@pytest.fixture
def household(tmp_path: Path) -> Iterator[Start]:
    """household({"pair": "what its worker does"}, **supervisor settings) -> a Household that is not started yet."""
    made: list[Household] = []

    def make(pairs: dict[str, str], **supervisor: object) -> Household:
        made.append(Household(tmp_path, pairs, **supervisor))
        return made[-1]

    yield make
    for house in made:
        house.close()
