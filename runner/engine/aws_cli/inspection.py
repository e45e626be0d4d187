"""`runner check --online`: what this machine may do for a pair, proven by doing it. Needs no lock and keeps no memory.

Leaves both sides as they were: the one object it writes, `<prefix>.runner-probe-<id>`, it removes again, and nothing
else is ever written or deleted.
"""

import os
import secrets
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from runner.config.settings import Mode, Pair, RemoteTrash
from runner.engine.folder_inspection import inspect_folder
from runner.engine.interface import Finding, ServiceUnavailableError, Surroundings
from runner.model.errors import UserError
from runner.store.client import Client, ObjectInfo
from runner.store.credentials import CredentialClient, CredentialRequest, Credentials
from runner.store.errors import AccessDeniedError, ArchivedObjectError, ObjectTooLargeError, StoreError

PROBE = ".runner-probe-"
_NOT_ITS_ETAG = "00000000000000000000000000000000"
_ARCHIVED = frozenset({"GLACIER", "DEEP_ARCHIVE"})
_Findings = Generator[Finding, None, int | None]


def inspect(surroundings: Surroundings) -> Iterator[Finding]:
    """One finding a line; the last one, `requests`, counts what a pass lists. Raises nothing for the outside."""
    objects = yield from _bucket(surroundings)
    files = yield from inspect_folder(surroundings.pair, surroundings.should_stop)
    if objects is not None:
        # What a push has not yet uploaded will be listed from then on.
        listed = objects if surroundings.pair.mode is Mode.PULL else max(objects, files)
        yield Finding("requests", "ok", "", listed)


def _bucket(surroundings: Surroundings) -> _Findings:
    """Returns the number of objects, None when it could not be known."""
    pair = surroundings.pair
    line = CredentialClient(surroundings.connect)
    try:
        credentials = line.lookup(CredentialRequest.of(pair, os.environ))
    except (UserError, ServiceUnavailableError) as error:
        yield Finding("credentials", "failed", str(error))
        return None
    finally:
        line.close()
    yield Finding("credentials", "ok", identity(credentials))
    client = Client(pair.bucket, credentials, pair=pair, should_stop=surroundings.should_stop)
    try:
        return (yield from _rights(client, pair))
    finally:
        client.close()


def identity(credentials: Credentials) -> str:
    """Enough of a key to know it again, never enough to use it."""
    place = f"{credentials.endpoint}, region {credentials.region}"
    if credentials.anonymous:
        return f"none: requests to {place} go unsigned"
    kind = "temporary key" if credentials.token else "key"
    return f"{kind} ...{credentials.access_key[-4:]} for {place}"


def _rights(client: Client, pair: Pair) -> _Findings:
    listed: _Listed | None = None
    try:
        listed = _list(client, pair.prefix)
    except AccessDeniedError as error:  # it answered, and may allow the rest
        yield Finding("bucket", "ok", f"{pair.bucket} answers")
        yield Finding("list", "failed", str(error))
    except StoreError as error:
        yield Finding("bucket", "failed", str(error))
        return None
    else:
        yield Finding("bucket", "ok", f"{pair.bucket} answers")
        yield from _listing(listed, pair)
    yield _reading(client, listed.readable if listed else None, pair)
    if pair.mode is not Mode.PULL:
        yield from _writing(client, pair)
    yield _versioning(client, pair)
    return listed.objects if listed else None


# ── listing ──


@dataclass(frozen=True, slots=True)
class _Listed:
    objects: int = 0
    bytes: int = 0
    readable: ObjectInfo | None = None
    in_byte_order: bool = True


def _list(client: Client, prefix: str) -> _Listed:
    objects, size, readable = 0, 0, None
    for info in client.list(prefix):
        objects, size = objects + 1, size + info.size
        if readable is None and info.storage_class not in _ARCHIVED:
            readable = info
    return _Listed(objects, size, readable, client.lists_in_byte_order is not False)


def _listing(listed: _Listed, pair: Pair) -> Iterator[Finding]:
    where = f"below {pair.prefix}" if pair.prefix else "in the bucket"
    yield Finding("list", "ok", f"{listed.objects} object{'s' * (listed.objects != 1)} {where}", listed.bytes)
    if not listed.in_byte_order:
        text = "the server lists names out of byte order: `aws s3 sync` transfers some files again in each pass"
        yield Finding("list-order", "note", text)


# ── reading, writing, deleting ──


def _reading(client: Client, found: ObjectInfo | None, pair: Pair) -> Finding:
    if found is None:
        return Finding("read", "note", "not tried: there is no object to read yet")
    try:
        client.get_bytes(found.key, 0)
    except (ObjectTooLargeError, ArchivedObjectError):
        pass  # it has come, and is larger than nothing; or may be read once it is restored
    except StoreError as error:
        copies = pair.delete and pair.remote_trash is not RemoteTrash.OFF
        if pair.mode is Mode.PUSH and not copies:
            return Finding("read", "note", f"{error} (this push needs it for `verify --content` only)")
        return Finding("read", "failed", str(error))
    return Finding("read", "ok", "an object can be read")


def _writing(client: Client, pair: Pair) -> Iterator[Finding]:
    key = f"{pair.prefix}{PROBE}{secrets.token_hex(8)}"
    try:
        etag = client.put(key, b"runner check --online: to be removed at once\n")
    except StoreError as error:
        yield Finding("write", "failed", str(error))
        return
    yield Finding("write", "ok", "a probe could be written")
    try:
        conditional = client.delete(key, if_match=_NOT_ITS_ETAG) == "changed"
        if conditional:
            client.delete(key, if_match=etag)
    except StoreError as error:
        yield _left_behind(error, key, pair)
        return
    yield Finding("delete", "ok", "the probe is removed")
    if not conditional:
        text = (
            "the server ignores If-Match on DELETE: an object that somebody replaces in the very moment of its "
            "deletion is lost"
        )
        yield Finding("delete-condition", "note", text)


def _left_behind(error: StoreError, key: str, pair: Pair) -> Finding:
    if pair.mode is Mode.PUSH and not pair.delete:
        return Finding("delete", "note", f"{error} (not needed without `delete: true`); {key} stays")
    return Finding("delete", "failed", f"{error}; {key} stays")


def _versioning(client: Client, pair: Pair) -> Finding:
    try:
        kept = client.versioning()
    except StoreError as error:
        return Finding("versioning", "note", str(error))
    trash = "nowhere (remote_trash: off)" if pair.remote_trash is RemoteTrash.OFF else f"to {pair.prefix}.runner-trash/"
    verdict = "note" if kept == "unknown" else "ok"
    word: str = "not told (allow s3:GetBucketVersioning)" if kept == "unknown" else kept
    if kept == "enabled":
        word += ": what is replaced or deleted stays as an older version"
    elif pair.mode is not Mode.PULL:
        word += f": what is deleted goes {trash}"
    return Finding("versioning", verdict, word)
