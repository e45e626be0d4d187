"""podman with settings that work as root on a bare Debian machine, and one container driven from outside.

Owns its own store in `.container/` of the checkout; never touches the machine's other containers.
"""

import json
import os
import resource
import shutil
import subprocess
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
STATE = Path(os.environ.get("CONTAINER_STATE") or CHECKOUT / ".container")
IMAGE = "localhost/mountless-s3-syncer-under-test"
LOCAL_BASE = "localhost/python:3-slim-local"
_CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
_MOST = 16384  # podman lowers its own nproc limit to kernel.pid_max first, so stay below both

Answer = subprocess.CompletedProcess[str]


def missing() -> str:
    """Why containers cannot be had here; empty when they can."""
    if os.geteuid() != 0:
        return "containers need root here"
    absent = [program for program in ("podman", "runc") if shutil.which(program) is None]
    if not os.environ.get("BASE") and shutil.which("mmdebstrap") is None:
        absent.append("mmdebstrap (or BASE=an image that can be pulled)")
    return f"not installed: {', '.join(absent)}" if absent else ""


def podman(*arguments: str, timeout_seconds: float = 60, check: bool = True) -> Answer:
    """One podman command; its output on a failure is part of the AssertionError."""
    words = command(*arguments)
    done = subprocess.run(
        words, env=environment(), capture_output=True, text=True, timeout=timeout_seconds, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if check:
        assert done.returncode == 0, f"podman {' '.join(arguments)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def command(*arguments: str) -> list[str]:
    """The words of a podman command on our own store."""
    _write_settings()
    return [
        "podman", "--runtime", "runc", "--root", str(STATE / "store"), "--runroot", str(STATE / "run"),
        "--storage-driver", os.environ.get("STORAGE_DRIVER", "overlay"), *arguments,
    ]  # fmt: skip


def environment() -> dict[str, str]:
    """What such a command needs around it."""
    return {**os.environ, "CONTAINERS_CONF": str(STATE / "containers.conf"), "DISABLE_HC_SYSTEMD": "true"}


def _write_settings() -> None:
    settings = STATE / "containers.conf"
    if settings.exists():
        return
    STATE.mkdir(parents=True, exist_ok=True)
    files, processes = (_limit(which) for which in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC))
    settings.write_text(
        f'[containers]\ndefault_ulimits = ["nofile={files}:{files}", "nproc={processes}:{processes}"]\n'
        'netns = "host"\nlog_driver = "k8s-file"\n'
        '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
    )


def _limit(which: int) -> int:
    hard = resource.getrlimit(which)[1]
    return _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)


def base_image() -> str:
    """BASE of the environment, else a small Debian with its own Python, made once by mmdebstrap."""
    if os.environ.get("BASE"):
        return os.environ["BASE"]
    if podman("image", "exists", LOCAL_BASE, check=False).returncode == 0:
        return LOCAL_BASE
    archive = STATE / "base.tar"
    _make_base(archive)
    podman("import", str(archive), LOCAL_BASE, timeout_seconds=120)
    archive.unlink()
    return LOCAL_BASE


def _make_base(archive: Path) -> None:
    hooks = [
        'rm -f "$1"/usr/lib/python3*/EXTERNALLY-MANAGED; ln -sf python3 "$1/usr/bin/python"',
        'rm -rf "$1"/var/cache/apt/* "$1"/var/log/* "$1"/usr/lib/python3*/__pycache__',
    ]
    left_out = ("man/*", "locale/*", "doc/*")
    sources = Path("/etc/apt/sources.list.d/debian.sources")
    command = [
        "mmdebstrap", "--quiet", "--variant=minbase", "--include=ca-certificates,python3,python3-venv,python3-pip",
        "--dpkgopt=force-unsafe-io", *(f"--dpkgopt=path-exclude=/usr/share/{what}" for what in left_out),
        "--dpkgopt=path-include=/usr/share/doc/*/copyright", *(f"--customize-hook={hook}" for hook in hooks),
        "bookworm", str(archive), *([str(sources)] if sources.exists() else []),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"mmdebstrap: {done.stderr[-2000:]}"


def build() -> str:
    """The image of this checkout; RUNNER_IMAGE names a built one instead."""
    if os.environ.get("RUNNER_IMAGE"):
        return os.environ["RUNNER_IMAGE"]
    certificates = ["-v", f"{_CA_BUNDLE}:{_CA_BUNDLE}:ro"] if Path(_CA_BUNDLE).exists() else []
    podman(
        "build", "--format", "docker", "--isolation", "oci", "--network", "host", *certificates,
        "--build-arg", f"BASE={base_image()}", "-t", IMAGE, str(CHECKOUT),
        timeout_seconds=600,
    )  # fmt: skip
    return IMAGE


class Container:
    """One container by its id."""

    def __init__(self, number: str) -> None:
        self.id = number

    def exec(self, *command: str, check: bool = True, options: tuple[str, ...] = ()) -> Answer:
        return podman("exec", *options, self.id, *command, check=check)

    def shell(self, script: str, check: bool = True) -> str:
        return self.exec("sh", "-c", script, check=check).stdout

    def inspect(self) -> dict[str, Any]:
        found: list[dict[str, Any]] = json.loads(podman("inspect", self.id).stdout)
        return found[0]

    @property
    def is_running(self) -> bool:
        return bool(self.inspect()["State"]["Running"])

    @property
    def pid(self) -> int:
        """Of its PID 1, as the host sees it."""
        return int(self.inspect()["State"]["Pid"])

    def logs(self) -> str:
        done = podman("logs", self.id)
        return done.stdout + done.stderr

    def log_file(self) -> str:
        """What /errors.log holds, also of a container that has ended (a tar of one file: good enough to read)."""
        return podman("cp", f"{self.id}:/errors.log", "-", check=False).stdout.replace("\0", "")

    def stop(self, timeout_seconds: int = 40) -> int:
        """TERM, KILL after the time; the exit code."""
        podman("stop", "--time", str(timeout_seconds), self.id, timeout_seconds=timeout_seconds + 20)
        return self.wait()

    def kill(self, signal: str = "KILL") -> None:
        podman("kill", "--signal", signal, self.id)

    def wait(self, timeout_seconds: float = 60) -> int:
        return int(podman("wait", self.id, timeout_seconds=timeout_seconds).stdout)

    def runner(self, *arguments: str, check: bool = False) -> Answer:
        """`runner ...` beside the running one."""
        return self.exec("runner", *arguments, check=check)

    def status(self) -> dict[str, Any]:
        """`status --json`; {} while nobody answers."""
        done = self.runner("status", "--json")
        return json.loads(done.stdout) if done.returncode == 0 and done.stdout.strip() else {}

    def pair(self, name: str) -> dict[str, Any]:
        rows = [row for row in self.status().get("pairs", []) if row["name"] == name]
        return rows[0] if rows else {}

    def is_healthy(self, *options: str) -> bool:
        """What the image's HEALTHCHECK says; options: `--ready`."""
        return self.runner("healthcheck", *options).returncode == 0

    def remove(self) -> None:
        podman("rm", "--force", "--volumes", "--time", "0", self.id, check=False)
