"""A runner as a user has it: the installed command, a config file, folders; driven and watched from outside."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import yaml

from demo import seaweedfs
from runner.cli import status
from runner.cli.connection import connect
from runner.model.errors import UserError
from tests.witness import wait_until

RUNNER = str(Path(sys.executable).parent / "runner")


class Runner:
    """One config in one temporary folder; `start` it, ask it, hurt it, stop it."""

    def __init__(self, server: seaweedfs.Server, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.config = folder / "sync.yaml"
        self.log = folder / "stderr.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.wrapper: tuple[str, ...] = ()  # a program and its arguments that starts the runner
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        self.environment = {**os.environ, **server.environment, "PATH": path, "HOME": str(folder)}

    def write_config(self, pairs: list[dict[str, Any]], **sections: Any) -> None:
        """Pairs get this server's endpoint; sections are the other top-level keys."""
        supervisor = {"runtime_dir": str(self.folder / "run"), **sections.pop("supervisor", {})}
        defaults = {"endpoint_url": self.server.endpoint_url, **sections.pop("defaults", {})}
        self.config.write_text(
            yaml.safe_dump({"pairs": pairs, "defaults": defaults, "supervisor": supervisor, **sections})
        )

    def start(self) -> "subprocess.Popen[bytes]":
        """`runner --config sync.yaml`; returns at once."""
        with self.log.open("ab") as errors:
            self.process = subprocess.Popen(
                [*self.wrapper, RUNNER, "--config", str(self.config)],
                env=self.environment, stderr=errors, stdout=errors, start_new_session=True,
            )  # fmt: skip
        return self.process

    def run(self, *arguments: str, timeout_seconds: float = 100.0) -> "subprocess.CompletedProcess[str]":
        """One command of the CLI against this config."""
        command = [RUNNER, "--config", str(self.config), *arguments]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=timeout_seconds, check=False
        )

    def status(self) -> dict[str, Any]:
        """What `status --json` says; {} while nobody answers. Asked for here: a command for each look costs more CPU
        than all else in a test."""
        with contextlib.suppress(UserError):
            connection = connect(self.config, None, self.environment)
            return status.fetch(connection) if connection else {}
        return {}

    def status_by_command(self) -> dict[str, Any]:
        """`status --json`; {} while nobody answers."""
        done = self.run("status", "--json")
        return json.loads(done.stdout) if done.returncode == 0 and done.stdout else {}

    def pair(self, name: str) -> dict[str, Any]:
        """The row of one pair; {} when there is none (yet)."""
        rows = [row for row in self.status().get("pairs", []) if row["name"] == name]
        return rows[0] if rows else {}

    def wait_for(self, name: str, timeout_seconds: float = 90.0, **wanted: Any) -> dict[str, Any]:
        """Waits until the pair's row has these values; the row. Example: wait_for("a", health="in-sync")."""
        seen: dict[str, Any] = {}

        def holds() -> bool:
            seen.clear()
            seen.update(self.pair(name))
            return all(seen.get(key) == value for key, value in wanted.items())

        try:
            wait_until(holds, f"{name}: {wanted}", timeout_seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\nlast row: {seen}\nlog:\n{self.log_text()[-4000:]}") from None
        return dict(seen)

    def log_text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def processes(self) -> list[psutil.Process]:
        """The supervisor and everything below it."""
        if self.process is None:
            return []
        with contextlib.suppress(psutil.NoSuchProcess):
            root = psutil.Process(self.process.pid)
            return [root, *root.children(recursive=True)]
        return []

    def stop(self, timeout_seconds: float = 90.0) -> int:
        """TERM; the exit code."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_seconds)

    def close(self) -> None:
        """Leaves nothing running, whatever the test did."""
        family = self.processes()
        for process in reversed(family):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        if self.process is not None:
            self.process.wait(10)


@contextlib.contextmanager
def runner_in(server: seaweedfs.Server, folder: Path) -> Iterator[Runner]:
    """A runner for the length of a `with`; killed at its end when the test did not stop it."""
    runner = Runner(server, folder)
    try:
        yield runner
    finally:
        runner.close()
