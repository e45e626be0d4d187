"""Which AWS config files a look-up reads, and whether they changed since. Never reads what is in them."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_GRAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class FileState:
    """A file at one moment; all None when there is none."""

    path: Path
    mtime_ns: int | None = None
    ctime_ns: int | None = None
    size: int | None = None
    inode: int | None = None


def config_files(environment: Mapping[str, str]) -> tuple[Path, Path]:
    """Config and credentials file (AWS CLI user guide, "Configuration and credential file settings")."""
    named = (
        environment.get("AWS_CONFIG_FILE") or "~/.aws/config",
        environment.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials",
    )
    config, credentials = (Path(os.path.expanduser(os.path.expandvars(name))) for name in named)
    return config, credentials


def states_of(paths: tuple[Path, ...]) -> tuple[FileState, ...]:
    """What equal states mean: the same content, unless `is_racy`."""
    return tuple(_state(path) for path in paths)


def _state(path: Path) -> FileState:
    try:
        found = path.stat()
    except OSError:
        return FileState(path)
    return FileState(path, found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)


def is_racy(states: tuple[FileState, ...], now: float) -> bool:
    """A file changed a moment ago may change again within its timestamp's grain (git, "racy-git"). now: epoch."""
    return any(state.ctime_ns is not None and state.ctime_ns > (now - _GRAIN_SECONDS) * 1e9 for state in states)
