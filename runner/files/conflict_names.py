"""What a conflict copy is called, and which file a name is a conflict copy of. Pure.

`name.conflict-<UTC yyyymmddThhmmssZ>-<host>.ext` (contract, section 4), `-2`, `-3` … behind the host when taken.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime

_MAX_BYTES = 255  # a name's limit on Linux file systems (NAME_MAX)
_MAX_EXTENSION_BYTES = 32
_MAX_HOST_BYTES = 63
_MARK = ".conflict-"
_COPY = re.compile(r"(?P<stem>.+)\.conflict-\d{8}T\d{6}Z-[A-Za-z0-9_-]+(?P<ext>\.[^./]+)?", re.DOTALL)


def conflict_name(path: str, now: float, host: str, taken: Callable[[str], bool]) -> str:
    """A path beside `path` that is not taken. now: seconds since the epoch. A copy of a conflict copy is named after
    the file itself, so that names do not grow."""
    directory, slash, name = path.rpartition("/")
    original = is_conflict_copy(name)
    stem, extension = _split(original if original is not None else name)
    mark = f"{_MARK}{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%SZ}-{_host(host)}"
    number = 1
    while True:
        middle = mark if number == 1 else f"{mark}-{number}"
        room = _MAX_BYTES - len(middle.encode()) - len(_bytes(extension))
        candidate = f"{directory}{slash}{_cut(stem, room)}{middle}{extension}"
        if not taken(candidate):
            return candidate
        number += 1


def is_conflict_copy(path: str) -> str | None:
    """The path of the file it is a copy of (as far as a long name was not cut), or None."""
    directory, slash, name = path.rpartition("/")
    match = _COPY.fullmatch(name)
    if match is None:
        return None
    return f"{directory}{slash}{match['stem']}{match['ext'] or ''}"


def _split(name: str) -> tuple[str, str]:
    """`archive.tar`, `.gz`; a dot at the beginning starts no extension, a long end is none."""
    dot = name.rfind(".")
    if dot <= 0 or not name[:dot].strip(".") or dot == len(name) - 1:
        return name, ""
    if len(_bytes(name[dot:])) > _MAX_EXTENSION_BYTES:
        return name, ""
    return name[:dot], name[dot:]


def _host(host: str) -> str:
    """Letters, digits, `-` and `_`: a host name with dots would look like an extension."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", host)[:_MAX_HOST_BYTES].strip("-") or "host"


def _cut(stem: str, room_bytes: int) -> str:
    """As many whole characters as fit."""
    return _bytes(stem)[:room_bytes].decode("utf-8", "ignore") if len(_bytes(stem)) > room_bytes else stem


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
