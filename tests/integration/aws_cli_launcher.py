"""A real launcher process and what a worker lends its engine, for tests of runs."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from runner.config.settings import EngineName, Mode, Pair, Symlinks
from runner.engine.interface import ServiceUnavailableError, Surroundings
from runner.wire.channel import Channel

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
ROOT = Path(__file__).parents[2]


class LauncherProcess:
    """`channel` is the supervisor's end."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.channel, theirs = Channel.pair()
        self.process = subprocess.Popen(
            [sys.executable, "-c", _CODE, str(theirs.fileno())],
            env={**environment},
            cwd=ROOT,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()

    def connect(self, name: str) -> Channel:
        if name != "launcher" or self.process.poll() is not None:
            raise ServiceUnavailableError(f"no {name}")
        ours, theirs = Channel.pair()
        self.channel.send({"type": "client"}, (theirs.fileno(),))
        theirs.close()
        return ours

    def messages_until(self, wanted: str) -> list[dict[str, object]]:
        """All messages up to the first of this type."""
        import select

        found: list[dict[str, object]] = []
        while not any(message["type"] == wanted for message in found):
            assert select.select([self.channel], [], [], 30)[0], f"no {wanted} among {found}"
            found += [received.message for received in self.channel.receive()]
            assert not self.channel.closed
        return found

    def close(self) -> None:
        self.channel.close()
        self.process.kill()
        self.process.wait()


def make_pair(bucket: str, folder: Path, mode: Mode = Mode.PUSH, **changes: object) -> Pair:
    values: dict[str, object] = {
        "name": "test", "bucket": bucket, "folder": folder, "mode": mode, "engine": EngineName.AWS_CLI, "every": None,
        "watch": False, "symlinks": Symlinks.FOLLOW, "required": False,
    }  # fmt: skip
    return Pair.model_validate(values | changes)


def surroundings_of(
    pair: Pair,
    connect: Callable[[str], Channel],
    should_stop: Callable[[], bool] = lambda: False,
    run_started: Callable[[int], None] = lambda _pid: None,
) -> Surroundings:
    return Surroundings(
        pair=pair,
        state_dir=None,
        connect=connect,
        should_stop=should_stop,
        report_progress=lambda _progress: None,
        run_started=run_started,
        run_ended=lambda _pid: None,
        slot_acquire=lambda: None,
        slot_release=lambda: None,
        approved_token=lambda: "",
        wall_clock=lambda: 0.0,
        log=lambda _level, _message: None,
    )


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
