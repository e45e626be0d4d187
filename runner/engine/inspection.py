"""What `runner check --online` proves of a bucket for every engine: credentials, listing, reading, writing, versioning.

Proves by doing, needs no lock and keeps no memory. Leaves the bucket as it was: the one object it writes,
`<prefix>.runner-probe-<id>`, it removes again, and nothing else is ever written or deleted.
"""

import os
import secrets
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

from runner.config.settings import EngineName, Mode, Pair, RemoteTrash
from runner.engine.interface import Finding, ServiceUnavailableError, Surroundings
from runner.model.errors import UserError
from runner.store.client import Client, ObjectInfo
from runner.store.credentials import CredentialClient, CredentialRequest, Credentials
from runner.store.errors import AccessDeniedError, ArchivedObjectError, ObjectTooLargeError, StoreError
from runner.store.probe import PROBE
from runner.store.trial import NOT_ITS_ETAG

_ARCHIVED = frozenset({"GLACIER", "DEEP_ARCHIVE"})
Findings = Generator[Finding, None, int | None]


def inspect_bucket(surroundings: Surroundings, proofs: Callable[[Client, Pair], Findings]) -> Findings:
    """Credentials, then what `proofs` proves with them; returns what that returns (the number of objects, or None)."""
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
        return (yield from proofs(client, pair))
    finally:
        client.close()


def identity(credentials: Credentials) -> str:
    """Enough of a key to know it again, never enough to use it."""
    place = f"{credentials.endpoint}, region {credentials.region}"
    if credentials.anonymous:
        return f"none: requests to {place} go unsigned"
    kind = "temporary key" if credentials.token else "key"
    return f"{kind} ...{credentials.access_key[-4:]} for {place}"


def requests(objects: int | None, files: int, pair: Pair) -> Iterator[Finding]:
    """How many objects each pass has to list; nothing when that is not known."""
    if objects is not None:
        # What a push has not yet uploaded will be listed from then on.
        yield Finding("requests", "ok", "", objects if pair.mode is Mode.PULL else max(objects, files))


# ── listing ──


@dataclass(frozen=True, slots=True)
class Listed:
    """readable: an object that may be read, if there is one."""

    objects: int = 0
    bytes: int = 0
    readable: ObjectInfo | None = None
    in_byte_order: bool = True


def listing(client: Client, pair: Pair) -> Generator[Finding, None, Listed | StoreError]:
    """Bucket and listing. Returns AccessDeniedError when only listing is refused, another StoreError for no bucket."""
    try:
        listed = _list(client, pair.prefix)
    except AccessDeniedError as error:  # it answered, and may allow the rest
        yield Finding("bucket", "ok", f"{pair.bucket} answers")
        return error
    except StoreError as error:
        yield Finding("bucket", "failed", str(error))
        return error
    yield Finding("bucket", "ok", f"{pair.bucket} answers")
    where = f"below {pair.prefix}" if pair.prefix else "in the bucket"
    yield Finding("list", "ok", f"{listed.objects} object{'s' * (listed.objects != 1)} {where}", listed.bytes)
    return listed


def _list(client: Client, prefix: str) -> Listed:
    objects, size, readable = 0, 0, None
    for info in client.list(prefix):
        objects, size = objects + 1, size + info.size
        if readable is None and info.storage_class not in _ARCHIVED:
            readable = info
    return Listed(objects, size, readable, client.lists_in_byte_order is not False)


# ── reading, writing, deleting ──


def reading(client: Client, found: ObjectInfo | None, pair: Pair) -> Finding:
    """Whether objects can be read; a push needs it only for some of its work."""
    if found is None:
        return Finding("read", "note", "not tried: there is no object to read yet")
    try:
        client.get_bytes(found.key, 0)
    except (ObjectTooLargeError, ArchivedObjectError):
        pass  # it has come, and is larger than nothing; or may be read once it is restored
    except StoreError as error:
        copies = pair.delete and pair.remote_trash is not RemoteTrash.OFF
        if pair.mode is Mode.PUSH and not copies:
            return Finding("read", "note", f"{error} (this push needs it for {_read_for(pair)} only)")
        return Finding("read", "failed", str(error))
    return Finding("read", "ok", "an object can be read")


def _read_for(pair: Pair) -> str:
    if pair.engine is EngineName.NATIVE:
        return "renames on the server, changed modes, lost answers and `verify --content`"
    return "`verify --content`"


def writing(client: Client, pair: Pair) -> Generator[Finding, None, bool | None]:
    """Writes a probe and deletes it. Returns whether a DELETE keeps its condition, None when that is not known."""
    key = f"{pair.prefix}{PROBE}{secrets.token_hex(8)}"
    try:
        etag = client.put(key, b"runner check --online: to be removed at once\n")
    except StoreError as error:
        yield Finding("write", "failed", str(error))
        return None
    yield Finding("write", "ok", "a probe could be written")
    try:
        conditional = client.delete(key, if_match=NOT_ITS_ETAG) == "changed"
        if conditional:
            client.delete(key, if_match=etag)
    except StoreError as error:
        yield _left_behind(error, key, pair)
        return None
    yield Finding("delete", "ok", "the probe is removed")
    return conditional


def _left_behind(error: StoreError, key: str, pair: Pair) -> Finding:
    if pair.mode is Mode.PUSH and not pair.delete:
        return Finding("delete", "note", f"{error} (not needed without `delete: true`); {key} stays")
    return Finding("delete", "failed", f"{error}; {key} stays")


def versioning(client: Client, pair: Pair) -> Finding:
    """Where what is replaced or deleted in the bucket stays."""
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
