"""Files to text, for the config and for `exclude_from`: bounded, UTF-8, never anything but a regular file."""

import os
import stat
from pathlib import Path

from runner.config import values
from runner.config.problems import ConfigError, ConfigProblem
from runner.config.values import shown

MOST_BYTES = 1 << 20


def read_config(path: Path, source: str) -> str:
    """The text without a byte order mark. Raises ConfigError; source is how the person named the file."""

    def refuse(message: str, line: int = 0) -> ConfigError:
        return ConfigError(source, [ConfigProblem(line, "", message)])

    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise refuse("is not a regular file; write the config into a file")
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = (error.strerror if isinstance(error, OSError) else str(error)) or "unknown reason"
        whose = _whose(path) if isinstance(error, PermissionError) else ""
        raise refuse(f"cannot be read: {reason.lower()}{whose}") from None
    if len(data) > MOST_BYTES:
        raise refuse(f"is larger than {values.spell_bytes(MOST_BYTES)}; a config never needs that")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise refuse("is UTF-16; save it as UTF-8")
    if b"\0" in data:
        raise refuse("is a binary file, not YAML", data.count(b"\n", 0, data.index(b"\0")) + 1)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise refuse(f"is not UTF-8 text (byte 0x{data[error.start]:02x}); save it as UTF-8", line) from None


def _whose(path: Path) -> str:
    """For a container whose config was mounted for somebody else."""
    try:
        found = os.stat(path)
    except OSError:
        return ""
    owner, me = f"{found.st_uid}:{found.st_gid}", f"{os.geteuid()}:{os.getegid()}"
    return f": owner is {owner}, mode {stat.S_IMODE(found.st_mode):04o}, I am {me}; let this user or group read it"


def read_patterns(path: Path) -> list[str]:
    """One pattern a line; empty lines and those that start with `#` do not count. Raises ValueError."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise ValueError(f"{shown(path)} is larger than {values.spell_bytes(MOST_BYTES)}")
        lines = data.decode("utf-8-sig").splitlines()
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise ValueError(
            f"{shown(path)} cannot be read: {reason}; write the path of a file with one pattern a line"
        ) from None
    except UnicodeDecodeError:
        raise ValueError(f"{shown(path)} is not UTF-8 text; save it as UTF-8") from None
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
