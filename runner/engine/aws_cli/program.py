"""Which `aws` runs: ours, warm, or another program, spawned. Never imports awscli; looks, and asks `--version` once.

`choose` may block for VERSION_TIMEOUT_SECONDS when it meets a program for the first time: it is for the launcher and
the pass thread, never for the supervisor.
"""

import contextlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runner.model.errors import PermanentFailureError
from runner.model.names import printable

WARM = "warm"
SPAWNED = "spawned"
VERSION_TIMEOUT_SECONDS = 3.0  # well below the time in which the launcher must answer a ping
_VERSION_TRIES = 3  # of a program that says nothing: when everything starts at once, 3 s may be too short
_SHIM = Path(__file__).with_name("exec_shim.py")
_OLDEST_WARM = (1, 46)  # from here on botocore is a part of awscli, so no other installed botocore can interfere
_SCRIPT_BYTES = 4096
_VERSION = re.compile(r"aws-cli/(\d+)\.(\d+)\S*")


@dataclass(frozen=True, slots=True)
class Program:
    """way: `warm` (forked from the template) or `spawned`. path: the program a person would call; "" for a warm one
    that has no script. version: `aws-cli/1.46.3`, "" when it would not say. reason: why this way, for status."""

    way: str
    path: str
    version: str
    reason: str = ""

    @property
    def command(self) -> tuple[str, ...]:
        """How to start it as a program of its own."""
        if self.way == SPAWNED:
            return (self.path,)
        return (sys.executable, "-P", "-m", "awscli")  # -P: nothing is imported from the working directory

    def as_spawned(self, reason: str) -> "Program":
        """The same program, started cold."""
        return Program(SPAWNED, self.command[0], self.version, reason)


def choose(environment: Mapping[str, str]) -> Program:
    """RUNNER_AWS, else the first `aws` on PATH, else the awscli that is installed with this program.

    An `aws` that is awscli v1 for Python is run warm with our own copy of it. PermanentFailureError when there is none.
    """
    named = environment.get("RUNNER_AWS")
    if named:
        return _named(named, environment)
    path = shutil.which("aws", path=environment.get("PATH", os.defpath))
    ours = our_version()
    if path is None:
        if ours is None:
            raise PermanentFailureError("no `aws` on PATH", "install the AWS CLI: pip install 'awscli>=1.46,<2'")
        return Program(WARM, _our_script(), ours, "no `aws` on PATH: the one installed with the runner")
    if ours is not None and _is_ours(path):
        return Program(WARM, path, ours, "the `aws` on PATH is the one installed with the runner")
    version = version_of(path, environment)
    if ours is None:
        return Program(SPAWNED, path, version, "the warm way needs awscli 1.46 or later")
    if _looks_like_v1(path) and version.startswith("aws-cli/1."):
        return Program(WARM, path, ours, f"the `aws` on PATH is {version}: run as {ours}, installed with the runner")
    return Program(SPAWNED, path, version, "the `aws` on PATH is another program")


def our_version() -> str | None:
    """`aws-cli/1.46.3` when awscli v1 is importable here and new enough."""
    try:
        if importlib.util.find_spec("awscli") is None:
            return None
        version = importlib.metadata.version("awscli")
    except (importlib.metadata.PackageNotFoundError, ImportError, ValueError):
        return None
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    return f"aws-cli/{version}" if _OLDEST_WARM <= numbers < (2,) else None


def version_of(path: str, environment: Mapping[str, str]) -> str:
    """What `--version` says, `aws-cli/2.31.0`; "" when it says nothing useful. Asked again when the file changes, and
    a silent one a few times."""
    try:
        facts = os.stat(path)
    except OSError:
        return ""
    key = (path, facts.st_ino, facts.st_mtime_ns, facts.st_size, environment.get("PATH", ""))
    version, tries = _versions.get(key, ("", 0))
    if not version and tries < _VERSION_TRIES:
        if len(_versions) > 64:
            _versions.clear()
        version = _ask_version(path, environment)
        _versions[key] = version, tries + 1
    return version


_versions: dict[tuple[str, int, int, int, str], tuple[str, int]] = {}  # what it said, how often it was asked


def _ask_version(path: str, environment: Mapping[str, str]) -> str:
    try:
        process = subprocess.Popen(
            # through the shim, so that a program that never answers cannot outlive us
            [sys.executable, "-I", "-S", str(_SHIM), str(os.getpid()), "-", "-", path, "--version"],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,  # its session comes later: see exec_shim.py
        )
    except OSError:
        return ""
    with process:
        try:
            answer = process.communicate(timeout=VERSION_TIMEOUT_SECONDS)[0]
        except subprocess.TimeoutExpired:
            answer = b""
        finally:
            process.kill()
            with contextlib.suppress(ProcessLookupError):  # a wrapper may have left something that holds the pipe
                os.killpg(process.pid, signal.SIGKILL)
    match = _VERSION.search(answer.decode("utf-8", "replace"))
    return match.group() if match else ""


def _named(named: str, environment: Mapping[str, str]) -> Program:
    path = shutil.which(named, path=environment.get("PATH", os.defpath))
    if path is None:
        raise PermanentFailureError(f"RUNNER_AWS is {printable(named)!r}, which is no program that can be run")
    return Program(SPAWNED, path, version_of(path, environment), "RUNNER_AWS names it")


def _our_script() -> str:
    script = Path(sysconfig.get_path("scripts")) / "aws"
    return str(script) if script.exists() else ""


def _is_ours(path: str) -> bool:
    """A script of this very environment, or one that this very interpreter runs."""
    if Path(path).parent.resolve() == Path(sysconfig.get_path("scripts")).resolve():
        return True
    head = _head(path)
    interpreter = head.split(b"\n", 1)[0].removeprefix(b"#!").strip().split(b" ")[0]
    # Not resolved: two virtual environments share an interpreter by symlink and still differ in what is installed.
    return head.startswith(b"#!") and b"awscli" in head and os.fsdecode(interpreter) == sys.executable


def _looks_like_v1(path: str) -> bool:
    """A Python console script of awscli, or a version manager's shim that may lead to one: worth asking."""
    head = _head(path)
    first = head.split(b"\n", 1)[0]
    if not first.startswith(b"#!"):
        return False
    return (b"python" in first and b"awscli" in head) or b"pyenv" in head or b"asdf" in head or b"mise" in head


def _head(path: str) -> bytes:
    try:
        with open(path, "rb") as script:
            return script.read(_SCRIPT_BYTES)
    except OSError:
        return b""
