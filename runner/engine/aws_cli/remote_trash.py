"""The trash in the bucket: `<prefix>.runner-trash/<date>/<path>`, filled by server-side copies before a deletion.

A bucket with versioning keeps old versions by itself (`remote_trash: auto` does nothing there). Restoring never
overwrites. Never synced: the filters exclude the place for everyone.
"""

import shlex
from collections.abc import Iterator
from datetime import UTC, datetime

from runner.config.settings import Pair, RemoteTrash
from runner.engine.aws_cli.memory import path_text
from runner.engine.aws_cli.one_pass import OnePass
from runner.engine.interface import TrashItem
from runner.model.errors import UserError
from runner.model.names import printable
from runner.store.client import Client, ObjectInfo
from runner.store.errors import NoSuchKeyError, PreconditionFailedError

PLACE = ".runner-trash/"


def trash_key(prefix: str, path: str, now: float, *, exact: bool = False) -> str:
    """Where a path's copy goes. exact: with the time of day too, for a second copy on the same day."""
    moment = datetime.fromtimestamp(now, UTC)
    return f"{prefix}{PLACE}{moment.strftime('%Y-%m-%dT%H%M%SZ' if exact else '%Y-%m-%d')}/{path}"


class Keeper:
    """Copies objects into the trash, where that is wanted."""

    def __init__(self, client: Client, prefix: str, now: float, *, active: bool) -> None:
        self._client = client
        self._prefix = prefix
        self._now = now
        self.active = active

    def keep(self, key: str, etag: str, path: str) -> None:
        """Raises StoreError: then the object must stay."""
        if not self.active or path.endswith("/"):
            return
        target = trash_key(self._prefix, path, self._now)
        if self._client.head(target) is not None:
            target = trash_key(self._prefix, path, self._now, exact=True)
        self._client.copy(key, target, if_match=etag)


def keeper(one: OnePass) -> Keeper:
    """For deletions: `auto` asks the bucket whether it keeps versions."""
    setting = one.pair.remote_trash
    active = setting is RemoteTrash.ALL or (setting is RemoteTrash.AUTO and one.client.versioning() != "enabled")
    return Keeper(one.client, one.pair.prefix, one.now, active=active)


def keep_replaced(one: OnePass) -> None:
    """`remote_trash: all`: copies of the objects that this pass is going to replace. Raises StoreError."""
    keep = Keeper(one.client, one.pair.prefix, one.now, active=True)
    sql = (
        "SELECT t.path, t.etag, h.size, h.mtime_ns, t.size, t.modified, s.path IS NOT NULL FROM there t "
        "JOIN here h USING (path) LEFT JOIN skipped s USING (path)"
    )
    for raw, etag, size, mtime_ns, remote_size, modified, skipped in list(one.seen.rows(sql)):
        if not (skipped or one.rule.uploads(size, mtime_ns, remote_size, modified)):
            continue
        one.check_stop()
        path = path_text(raw)
        try:
            keep.keep(one.pair.prefix + path, etag, path)
        except (NoSuchKeyError, PreconditionFailedError):
            continue  # somebody else has replaced it first; what was listed is not there to be kept


def items(client: Client, pair: Pair) -> Iterator[tuple[TrashItem, ObjectInfo]]:
    """What lies in the bucket's trash, newest first. Raises StoreError."""
    place = pair.prefix + PLACE
    found = sorted(client.list(place), key=lambda info: info.last_modified, reverse=True)
    for info in found:
        _date, _, path = info.key[len(place) :].partition("/")
        if path:
            yield TrashItem("remote", path, info.size, info.last_modified, info.key), info


def restore(client: Client, pair: Pair, path: str | None) -> list[str]:
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
        client.copy(info.key, pair.prefix + item.path, if_match=info.etag)
        client.delete(info.key, if_match=info.etag)
        restored.append(item.path)
    if path is not None and refused:
        raise UserError(f"{printable(path)} stays in the bucket's trash: there is such an object now", "move it away")
    return restored


def other_place(client: Client, pair: Pair, path: str | None) -> str:
    """Where a deleted object is in a bucket that keeps versions: there `auto` copies nothing. "" for other buckets."""
    if client.versioning() != "enabled":
        return ""
    key = shlex.quote(pair.prefix + (path or ""))
    return (
        f"the bucket keeps old versions: see aws s3api list-object-versions --bucket {pair.bucket} --prefix {key}; "
        "a deleted object comes back when its delete marker is deleted"
    )
