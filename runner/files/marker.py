"""The marker of a folder: who this folder is, kept in its private directory.

A folder without a marker is new: its first pass deletes nothing. So a marker that is there but cannot be read is never
taken for absent, and one that was made is on disk before anybody relies on it.
"""

import json
import os
import stat
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass, replace

from runner.config.settings import Pair
from runner.files.private import Private
from runner.files.system_calls import rename_no_replace
from runner.model.errors import UserError
from runner.model.names import printable

NAME = "marker.json"
_NEW_NAME = "marker.new"
_FORMAT = 1
_MAX_BYTES = 65536


class MarkerUnreadableError(UserError):
    """There is a marker, and what it says cannot be known: nothing may be deleted, a person is needed."""


class MarkerExistsError(UserError):
    """Somebody made a marker since it was found absent."""


@dataclass(frozen=True, slots=True)
class Marker:
    """pair_id: 32 hex digits, new for every new folder. generation: counts up when memory is set aside or restored.

    created_at: seconds since the epoch, for people. The rest is what the folder was synced with.
    """

    pair_id: str
    generation: int
    bucket: str
    prefix: str
    endpoint_url: str | None
    created_at: float

    def belongs_to(self, pair: Pair) -> bool:
        """Bucket, prefix and endpoint are the pair's."""
        return (self.bucket, self.prefix, self.endpoint_url) == (pair.bucket, pair.prefix, pair.endpoint_url)


def read(private: Private) -> Marker | None:
    """The marker, None when there is none. Raises MarkerUnreadableError."""
    try:
        data = _bytes(private.fd)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(private, error.strerror or str(error)) from None
    try:
        marker = _parsed(data)
    except (ValueError, RecursionError) as error:
        raise _unreadable(private, str(error)) from None
    private.pair_id = marker.pair_id
    return marker


def create(private: Private, pair: Pair, now: float) -> Marker:
    """Makes the marker, durable when this returns. now: seconds since the epoch.

    Raises MarkerExistsError, OSError (no room, read-only): then there is no marker.
    """
    marker = Marker(uuid.uuid4().hex, 1, pair.bucket, pair.prefix, pair.endpoint_url, now)
    _write_new(private.fd, marker)
    try:
        rename_no_replace(private.fd, _NEW_NAME, private.fd, NAME)
    except FileExistsError:
        os.unlink(_NEW_NAME, dir_fd=private.fd)
        raise MarkerExistsError(
            f"{printable(str(private.path / NAME))} was made by another runner just now", "try again"
        ) from None
    os.fsync(private.fd)
    private.pair_id = marker.pair_id
    return marker


def bump_generation(private: Private, marker: Marker) -> Marker:
    """The same folder, one generation on: memory of older generations is no longer trusted. Raises OSError."""
    following = replace(marker, generation=marker.generation + 1)
    _write_new(private.fd, following)
    os.rename(_NEW_NAME, NAME, src_dir_fd=private.fd, dst_dir_fd=private.fd)
    os.fsync(private.fd)
    private.pair_id = following.pair_id
    return following


def _write_new(directory_fd: int, marker: Marker) -> None:
    with suppress(FileNotFoundError):
        os.unlink(_NEW_NAME, dir_fd=directory_fd)  # left by a crash; the pair's lock is ours
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(_NEW_NAME, flags, 0o600, dir_fd=directory_fd)
    with os.fdopen(fd, "wb") as file:
        file.write(json.dumps({"format": _FORMAT, **asdict(marker)}, indent=1).encode("ascii") + b"\n")
        file.flush()
        os.fsync(fd)


def _bytes(directory_fd: int) -> bytes:
    fd = os.open(NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory_fd)
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(0, "not a regular file")
        return file.read(_MAX_BYTES + 1)


def _parsed(data: bytes) -> Marker:
    """Raises ValueError with what is wrong."""
    if not data:
        raise ValueError("it is empty")
    if len(data) > _MAX_BYTES:
        raise ValueError("it is too large")
    content = json.loads(data)
    if not isinstance(content, dict):
        raise ValueError("it is not a JSON object")
    if content.get("format") != _FORMAT:
        raise ValueError(f"its format is {content.get('format')!r}, this version knows {_FORMAT}")
    for key, kind in _KINDS.items():
        value = content.get(key, _ABSENT)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ValueError(f"`{key}` is missing or wrong")
    if not _is_id(content["pair_id"]):
        raise ValueError("`pair_id` is not 32 hex digits")
    return Marker(**{key: content[key] for key in _KINDS})


_ABSENT = object()
_KINDS: dict[str, tuple[type, ...]] = {
    "pair_id": (str,),
    "generation": (int,),
    "bucket": (str,),
    "prefix": (str,),
    "endpoint_url": (str, type(None)),
    "created_at": (int, float),
}


def _is_id(text: str) -> bool:
    """It becomes the name of a directory, so it is held to be nothing else."""
    return len(text) == 32 and all(character in "0123456789abcdef" for character in text)


def _unreadable(private: Private, why: str) -> MarkerUnreadableError:
    return MarkerUnreadableError(
        f"the marker {printable(str(private.path / NAME))} cannot be read: {printable(why)}",
        "restore it from a backup, or remove it to start as a new folder (a first pass deletes nothing)",
    )
