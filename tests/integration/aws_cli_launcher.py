"""A real launcher process and pairs of the AWS CLI engine, for tests of runs."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from runner.config.settings import EngineName, Mode, Pair, Symlinks
from tests.integration.worker_part import ServiceProcess

# A busy machine: how long a program may take to tell its version is not the subject of any test here.
VERSION_TIMEOUT_SECONDS = 60.0
_CODE = f"""
import os, sys
from runner.engine.aws_cli import program
from runner.engine.aws_cli.launcher import serve
from runner.wire.channel import Channel
program.VERSION_TIMEOUT_SECONDS = {VERSION_TIMEOUT_SECONDS}
serve(Channel.from_fd(int(sys.argv[1])), os.environ)
"""


class LauncherProcess(ServiceProcess):
    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__("launcher", _CODE, environment)

    def messages_until(self, wanted: str) -> list[dict[str, object]]:
        """All messages up to the first of this type."""
        import select

        found: list[dict[str, object]] = []
        while not any(message["type"] == wanted for message in found):
            assert select.select([self.channel], [], [], 30)[0], f"no {wanted} among {found}"
            found += [received.message for received in self.channel.receive()]
            assert not self.channel.closed
        return found


def make_pair(bucket: str, folder: Path, mode: Mode = Mode.PUSH, **changes: object) -> Pair:
    values: dict[str, object] = {
        "name": "test", "bucket": bucket, "folder": folder, "mode": mode, "engine": EngineName.AWS_CLI, "every": None,
        "watch": False, "symlinks": Symlinks.FOLLOW, "required": False,
    }  # fmt: skip
    return Pair.model_validate(values | changes)


def is_alive(pid: int) -> bool:
    """Running, not a zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def base_environment() -> dict[str, str]:
    """Ours, with the `aws` of this environment first."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**os.environ, "PATH": path}
