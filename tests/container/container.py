"""One container, driven from outside as its platform would, and looked at the cheap way.

Each `podman` command costs a process or three, so what is asked again and again comes without: the log from podman's
own file of it, status and health from the runner's control socket, files through /proc/PID/root.
"""

import contextlib
import json
import re
import socket
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.container.podman import STATE, Answer, podman

_LOG_LINE = re.compile(r"\S+ std(?:out|err) ([FP]) (.*\n?)")  # the format k8s-file; P: the line goes on


class Container:
    """By its id."""

    def __init__(self, number: str) -> None:
        self.id = number

    @cached_property
    def pid(self) -> int:
        """Of its PID 1, as the host sees it."""
        return int((STATE / "run" / "overlay-containers" / self.id / "userdata" / "pidfile").read_text())

    @property
    def root(self) -> Path:
        """Its file system while it runs; root of the host may write anywhere in it."""
        return Path(f"/proc/{self.pid}/root")

    def logs(self) -> str:
        """Standard output and standard error, as they came."""
        file = STATE / "store" / "overlay-containers" / self.id / "userdata" / "ctr.log"
        with contextlib.suppress(FileNotFoundError):
            rows = file.read_text("utf-8", "replace").splitlines(keepends=True)
            found = [match for match in map(_LOG_LINE.match, rows) if match]
            return "".join(text if kind == "F" else text.rstrip("\n") for kind, text in (one.groups() for one in found))
        return ""

    def log_file(self) -> str:
        """What /errors.log holds, also of a container that has ended (a tar of one file: good enough to read)."""
        return podman("cp", f"{self.id}:/errors.log", "-", check=False).stdout.replace("\0", "")

    def status(self) -> dict[str, Any]:
        """What `runner status --json` is made of; {} while nobody answers."""
        rows = [row["row"] for row in self.ask({"command": "status"}) if "row" in row]
        return rows[0] if rows else {}

    def pair(self, name: str) -> dict[str, Any]:
        rows = [row for row in self.status().get("pairs", []) if row["name"] == name]
        return rows[0] if rows else {}

    @property
    def is_healthy(self) -> bool:
        """What `runner healthcheck` says."""
        return self._is_green(ready=False)

    @property
    def is_ready(self) -> bool:
        """What `runner healthcheck --ready` says."""
        return self._is_green(ready=True)

    def _is_green(self, *, ready: bool) -> bool:
        answer = self.ask({"command": "healthcheck", "ready": ready})
        return bool(answer) and answer[-1].get("exit_code") == 0

    def ask(self, request: dict[str, object]) -> list[dict[str, Any]]:
        """All messages of the answer; [] while there is none."""
        for place in ("run/runner", "dev/shm/runner", "tmp"):
            for path in (self.root / place).glob("**/*.sock"):
                with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
                    client.settimeout(10)
                    client.connect(str(path))
                    client.sendall(json.dumps(request).encode() + b"\n")
                    client.shutdown(socket.SHUT_WR)
                    return [json.loads(line) for line in client.makefile()]
        return []

    def exec(self, *command: str, check: bool = True, options: tuple[str, ...] = ()) -> Answer:
        return podman("exec", *options, self.id, *command, check=check)

    def shell(self, script: str, check: bool = True) -> str:
        return self.exec("sh", "-c", script, check=check).stdout

    def runner(self, *arguments: str, check: bool = False) -> Answer:
        """`runner ...` beside the running one."""
        return self.exec("runner", *arguments, check=check)

    def inspect(self) -> dict[str, Any]:
        found: list[dict[str, Any]] = json.loads(podman("inspect", self.id).stdout)
        return found[0]

    def stop(self, timeout_seconds: int = 40) -> int:
        """TERM, KILL after the time; the exit code."""
        podman("stop", "--time", str(timeout_seconds), self.id, timeout_seconds=timeout_seconds + 20)
        return self.wait()

    def kill(self, signal: str = "KILL") -> None:
        podman("kill", "--signal", signal, self.id)

    def wait(self, timeout_seconds: float = 60) -> int:
        return int(podman("wait", self.id, timeout_seconds=timeout_seconds).stdout)


def remove(containers: list[Container]) -> None:
    """Whatever state they are in."""
    if containers:
        podman("rm", "--force", "--volumes", "--time", "0", *(one.id for one in containers), check=False)
