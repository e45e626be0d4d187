"""podman with settings that work as root on a bare Debian machine, and the image, built once.

Owns its own store in `.container/` of the checkout; never touches the machine's other containers.
"""

import fcntl
import os
import resource
import shutil
import subprocess
from pathlib import Path

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
    """Only unpacked, never configured: a fifth of the time. Like the official images it has no compiled modules."""
    packages = (
        "base-files,base-passwd,dash,coreutils,sed,grep,findutils,gzip,libc-bin,ca-certificates,python3,python3-venv"
    )
    hooks = [
        'for n in passwd group; do install -m 644 "$1/usr/share/base-passwd/$n.master" "$1/etc/$n"; done',
        'cat "$1"/usr/share/ca-certificates/mozilla/*.crt > "$1/etc/ssl/certs/ca-certificates.crt"',
        'rm -rf "$1"/var/cache/apt/* "$1"/var/log/* "$1"/usr/share/man/* "$1"/usr/share/locale/*',
    ]
    sources = Path("/etc/apt/sources.list.d/debian.sources")
    words = [
        "mmdebstrap", "--quiet", "--variant=extract", f"--include={packages}",
        *(f"--customize-hook={hook}" for hook in hooks),
        "bookworm", str(archive), *([str(sources)] if sources.exists() else []),
    ]  # fmt: skip
    done = subprocess.run(words, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"mmdebstrap: {done.stderr[-2000:]}"


def build() -> str:
    """The image of this checkout; RUNNER_IMAGE names a built one instead. One process builds, others wait for it."""
    if os.environ.get("RUNNER_IMAGE"):
        return os.environ["RUNNER_IMAGE"]
    STATE.mkdir(parents=True, exist_ok=True)
    with (STATE / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # pytest-xdist's workers are processes of one run: the first of them builds
        run, note = os.environ.get("PYTEST_XDIST_TESTRUNUID", ""), STATE / "built-by"
        if not run or not note.exists() or note.read_text() != run:
            _build()
            note.write_text(run)
    return IMAGE


def _build() -> None:
    certificates = ["-v", f"{_CA_BUNDLE}:{_CA_BUNDLE}:ro"] if Path(_CA_BUNDLE).exists() else []
    podman(
        "build", "--format", "docker", "--isolation", "oci", "--network", "host", *certificates,
        "--build-arg", f"BASE={base_image()}", "-t", IMAGE, str(CHECKOUT),
        timeout_seconds=800,
    )  # fmt: skip


if __name__ == "__main__":  # ahead of the tests
    print(missing() or build())
