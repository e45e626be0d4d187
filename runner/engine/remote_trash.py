"""The trash in the bucket: `<prefix>.runner-trash/<date>/<path>`, filled by server-side copies before a deletion.

A bucket with versioning keeps old versions by itself (`remote_trash: auto` does nothing there). Restoring never
overwrites. Never synced: the filters exclude the place for everyone.
"""

import shlex
from collections.abc import Iterator
from datetime import UTC, datetime

from runner.config.settings import Pair, RemoteTrash
from runner.engine.interface import TrashItem
from runner.model.errors import UserError
from runner.model.names import printable
from runner.store.door import ObjectStore
from runner.store.listing import ObjectInfo

PLACE = ".runner-trash/"
_DAY_SECONDS = 86400.0
_MOST_A_SECOND = 10


def trash_key(prefix: str, path: str, now: float, *, exact: bool = False) -> str:
    """Where a path's copy goes. exact: with the time of day too, for a second copy on the same day."""
    moment = datetime.fromtimestamp(now, UTC)
    return f"{prefix}{PLACE}{moment.strftime('%Y-%m-%dT%H%M%SZ' if exact else '%Y-%m-%d')}/{path}"


class Keeper:
    """Copies objects into the trash, where that is wanted. Thread-safe as far as its client is."""

    def __init__(self, client: ObjectStore, prefix: str, now: float, *, active: bool) -> None:
        self._client = client
        self._prefix = prefix
        self._now = now
        self.active = active

    def keep(self, key: str, etag: str, path: str) -> None:
        """Copies that version. Raises StoreError: then the object must stay."""
        if not self.active or path.endswith("/"):
            return
        for target in self._places(path):
            kept = self._client.head(target)
            if kept is None:
                break
            if kept.etag == etag:
                return  # an attempt whose deletion failed has kept it already
        self._client.copy(key, target, source_etag=etag, expected=None)

    def _places(self, path: str) -> Iterator[str]:
        """The day's, then the second's, then those of the next seconds: a path may change more than once in one."""
        yield trash_key(self._prefix, path, self._now)
        for later_seconds in range(_MOST_A_SECOND):
            yield trash_key(self._prefix, path, self._now + later_seconds, exact=True)


def keeper(client: ObjectStore, pair: Pair, now: float) -> Keeper:
    """For deletions: `auto` asks the bucket whether it keeps versions. Raises StoreError."""
    setting = pair.remote_trash
    active = setting is RemoteTrash.ALL or (setting is RemoteTrash.AUTO and client.versioning() != "enabled")
    return Keeper(client, pair.prefix, now, active=active)


def expire(client: ObjectStore, prefix: str, keep_seconds: float, now: float) -> int:
    """Removes, on condition, the copies of whole days that are older than `keep_seconds`; how many. Raises StoreError.

    What lies in a folder that is no date of ours stays, and what the server itself took later than the folder says:
    whoever kept it had a wrong clock.
    """
    place = prefix + PLACE
    removed = 0
    for info in client.list(place):
        kept_at = _moment(info.key[len(place) :].partition("/")[0])
        if kept_at is not None and max(kept_at, info.last_modified) + keep_seconds <= now:
            removed += client.delete(info.key, if_match=info.etag) == "deleted"
    return removed


def _moment(folder: str) -> float | None:
    """The last moment at which a copy went into a date's folder, seconds since the epoch."""
    for form, seconds in (("%Y-%m-%d", _DAY_SECONDS), ("%Y-%m-%dT%H%M%SZ", 0.0)):
        try:
            return datetime.strptime(folder, form).replace(tzinfo=UTC).timestamp() + seconds
        except ValueError:
            continue
    return None


def items(client: ObjectStore, pair: Pair) -> Iterator[tuple[TrashItem, ObjectInfo]]:
    """What lies in the bucket's trash, newest first. Raises StoreError."""
    place = pair.prefix + PLACE
    found = sorted(client.list(place), key=lambda info: info.last_modified, reverse=True)
    for info in found:
        _date, _, path = info.key[len(place) :].partition("/")
        if path:
            yield TrashItem("remote", path, info.size, info.last_modified, info.key), info


def restore(client: ObjectStore, pair: Pair, path: str | None) -> list[str]:
    """Moves the newest copy of `path` (or, None, of all paths) back to its key, unless something is there now."""
    restored: list[str] = []
    refused: list[str] = []
    tried: set[str] = set()
    for item, info in list(items(client, pair)):
        if item.path in tried or (path is not None and item.path != path):
            continue
        tried.add(item.path)
        if client.head(pair.prefix + item.path) is not None:
            refused.append(item.path)
            continue
        client.copy(info.key, pair.prefix + item.path, source_etag=info.etag, expected=None)
        client.delete(info.key, if_match=info.etag)
        restored.append(item.path)
    if path is not None and refused:
        raise UserError(f"{printable(path)} stays in the bucket's trash: there is such an object now", "move it away")
    return restored


def other_place(client: ObjectStore, pair: Pair, path: str | None) -> str:
    """Where a deleted object is in a bucket that keeps versions: there `auto` copies nothing. "" for other buckets."""
    if client.versioning() != "enabled":
        return ""
    key = shlex.quote(pair.prefix + (path or ""))
    return (
        f"the bucket keeps old versions: see aws s3api list-object-versions --bucket {pair.bucket} --prefix {key}; "
        "a deleted object comes back when its delete marker is deleted"
    )
