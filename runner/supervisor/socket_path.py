"""Where the control socket is: the same short list of places for the supervisor and its clients, in the same order.

Imports nothing heavy: `runner healthcheck` runs every few seconds. A config file's socket is named by a hash of the
file's real path; a runner without a config file (seed flags, container environment) by bucket and folder.
"""

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.config.settings import Settings

SEED_PREFIX = "seed-"
_SYSTEM_DIRECTORY = Path("/run/runner")
_SHARED_DIRECTORY = "/tmp"  # noqa: S108 (the owner of what is found there is checked)
_LONGEST_ADDRESS = 107  # sun_path without its final NUL (unix(7))


def directories(runtime_dir: Path | None, environment: Mapping[str, str], uid: int | None = None) -> list[Path]:
    """`supervisor.runtime_dir`, `/run/runner`, `$XDG_RUNTIME_DIR/runner`, `/tmp/runner-<uid>`: the first that works."""
    places = [runtime_dir] if runtime_dir else []
    places.append(_SYSTEM_DIRECTORY)
    session = environment.get("XDG_RUNTIME_DIR", "")
    if session.startswith("/"):
        places.append(Path(session, "runner"))
    places.append(Path(_SHARED_DIRECTORY, f"runner-{os.getuid() if uid is None else uid}"))
    return places


def file_name(config_path: Path) -> str:
    """The socket's name for a config file; the file need not exist any more."""
    return f"{_digest(os.path.realpath(config_path))}.sock"


def candidates(settings: "Settings", environment: Mapping[str, str]) -> list[Path]:
    """Paths for a supervisor to try in order: make the directory with `prepared`, then bind through `address`.

    To be asked again from time to time: where a config file's links lead changes (a Kubernetes ConfigMap is swapped).
    """
    path = settings.named_path or settings.path
    if path is not None:
        name = file_name(path)
    else:
        name = (
            f"{SEED_PREFIX}{_digest(*(f'{pair.bucket}/{pair.prefix} {pair.folder}' for pair in settings.pairs))}.sock"
        )
    return [place / name for place in directories(settings.supervisor.runtime_dir, environment)]


def prepared(directory: Path) -> bool:
    """Makes the directory (0700) where it is missing. True when it is ours, real, and nobody else can write to it."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = directory.lstat()
    except OSError:
        return False
    private = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022
    return private and os.access(directory, os.W_OK | os.X_OK)


def is_trusted(directory: Path) -> bool:
    """For clients: only this user can have put a socket there. Root also trusts another owner, but not under /tmp."""
    try:
        found = directory.lstat()
    except OSError:
        return False
    if not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o022:
        return False
    if found.st_uid == os.getuid():
        return True
    return os.getuid() == 0 and str(directory.parent) != _SHARED_DIRECTORY


@contextlib.contextmanager
def address(path: Path) -> Iterator[str]:
    """What to give to bind or connect: the path, or a short way to it where it is too long for a socket address."""
    if len(os.fsencode(path)) <= _LONGEST_ADDRESS:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:16]
