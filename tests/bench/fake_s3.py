"""S3 in memory, strict: put in at the door (runner/store/door.py), so that histories can be tried by the thousand.

`FakeS3` is the bucket that all see; `Door` is one runner's client of it. Faults are armed from outside and fire at the
n-th request. At this level a lost answer is what is left when even the look that settles it failed, and a server that
ignores conditions is one whose store looks before it writes: `Capabilities` tells the engine, the outcome is the same.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from runner.model.passes import Requests
from runner.store.capabilities import NOTHING, Capabilities, Versioning
from runner.store.conditions import TOKEN
from runner.store.door import ContentHeaders, ObjectInfo, Written
from runner.store.errors import (
    NoSuchKeyError,
    ObjectTooLargeError,
    PreconditionFailedError,
    ServerFaultError,
    SourceChangedError,
    StoppedError,
    ThrottledError,
    UnprovenListingError,
)

_PAGE = 3
_STORM = 8  # requests
Etags = Literal["md5", "multipart", "opaque"]
FaultName = Literal["lost", "conflict", "storm", "garbled", "short", "meanwhile"]
_ORDERS: Mapping[str, Callable[[str], bytes]] = {
    "bytes": lambda key: key.encode(),
    "tree": lambda key: key.replace("/", "\0").encode(),
    "none": lambda key: hashlib.md5(key.encode()).digest(),
}


class Clock:
    """Of everybody in a history; moves only when it is told to."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Kind(NamedTuple):
    """What sort of server it is. conditions: all are kept, or none. fraction: LastModified has one in listings."""

    order: Literal["bytes", "tree", "none"] = "bytes"
    versioning: Versioning = "off"
    etags: Etags = "md5"
    conditions: bool = True
    fraction: bool = False

    @property
    def capabilities(self) -> Capabilities:
        keeps = self.conditions
        return Capabilities(
            keeps, keeps, keeps, keeps, keeps, True, self.versioning, self.order == "bytes", probed_at=0.0
        )


@dataclass(frozen=True, slots=True)
class Stored:
    """One version of an object."""

    body: bytes
    etag: str
    modified: float
    metadata: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Fault:
    """Fires once at the request after so many. action: of `meanwhile`, what happens just before that request."""

    name: FaultName
    after: int
    action: Callable[[], None] = lambda: None


class Faults:
    """What is armed. storm: so many requests more are refused."""

    def __init__(self) -> None:
        self.armed: list[Fault] = []
        self.storm = 0

    def arm(self, fault: Fault) -> None:
        self.armed.append(fault)

    def calm(self) -> None:
        """From now on nothing goes wrong."""
        self.armed.clear()
        self.storm = 0

    def fault_now(self, suits: set[FaultName]) -> FaultName | None:
        """Of this request. Each armed one comes nearer; what does not suit waits for one that does."""
        for fault in list(self.armed):
            fault.after -= 1
            if fault.after < 0 and fault.name in suits and fault in self.armed:
                self.armed.remove(fault)
                if fault.name == "meanwhile":
                    fault.action()
                else:
                    self.storm = _STORM if fault.name == "storm" else self.storm
                    return fault.name
        return None


class FakeS3(Faults):
    """every: each version that ever was, for who asks what a memory may know. kept: old versions, while versioned."""

    remembers = True

    def __init__(self, clock: Clock, kind: Kind) -> None:
        super().__init__()
        self.clock = clock
        self.kind = kind
        self.objects: dict[str, Stored] = {}
        self.every: dict[tuple[str, str], bytes] = {}
        self.kept: list[bytes] = []
        self._writes = 0

    # ── as a stranger sees it: no conditions, no faults ──

    def put(self, key: str, body: bytes, metadata: Mapping[str, str] | None = None, **headers: str) -> Stored:
        self._writes += 1
        etag = hashlib.md5(body).hexdigest()
        if self.kind.etags == "multipart":
            etag = f"{hashlib.md5(hashlib.md5(body).digest()).hexdigest()}-1"
        elif self.kind.etags == "opaque":
            etag = hashlib.md5(b"%d %b" % (self._writes, body)).hexdigest()
            headers["x-amz-server-side-encryption"] = "aws:kms"
        self._keep(key)
        stored = Stored(
            body, etag, self.clock(), dict(metadata or {}), {name.lower(): text for name, text in headers.items()}
        )
        self.objects[key] = stored
        self.every[key, etag] = body
        return stored

    def remove(self, key: str) -> None:
        self._keep(key)
        self.objects.pop(key, None)

    def contents(self) -> dict[str, tuple[bytes, Mapping[str, str]]]:
        return {key: (stored.body, stored.metadata) for key, stored in self.objects.items()}

    def version(self, key: str, etag: str) -> bytes | None:
        """The body that this version had, whenever it was there."""
        return self.every.get((key, etag))

    def _keep(self, key: str) -> None:
        if self.kind.versioning == "enabled" and key in self.objects:
            self.kept.append(self.objects[key].body)


class Door:
    """door.ObjectStore of one runner. should_stop: as a client's."""

    def __init__(self, bucket: FakeS3, should_stop: Callable[[], bool]) -> None:
        self.capabilities: Capabilities = NOTHING
        self.requests = Requests()
        self.endpoint_url: str | None = "http://fake"
        self.lists_in_byte_order: bool | None = None
        self._bucket = bucket
        self._should_stop = should_stop

    def close(self) -> None: ...

    @contextmanager
    def _request(self, cost: Requests, *suits: FaultName) -> Iterator[FaultName | None]:
        """One request: what goes wrong with it goes wrong here, before it or after it was carried out."""
        if self._should_stop():
            raise StoppedError("asked to stop")
        self.requests += cost
        fault = self._bucket.fault_now({"storm", "meanwhile", *suits})
        if self._bucket.storm > 0:
            self._bucket.storm -= 1
            raise ThrottledError("slow down", status=503, code="SlowDown")
        if fault == "conflict":
            raise PreconditionFailedError("another request is under way", status=409)
        yield fault
        if fault == "lost":
            raise ServerFaultError("no answer came", status=500)

    # ── reading ──

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Page by page: what is written meanwhile may be on a later one, as with the real thing."""
        order = _ORDERS[self._bucket.kind.order]
        last = b""
        while True:
            with self._request(Requests(lists=1), "garbled", "short") as fault:
                keys = sorted((key for key in self._bucket.objects if key.startswith(prefix)), key=order)
            if fault == "garbled":
                raise UnprovenListingError("HTML came")
            page = [key for key in keys if order(key) > last][:_PAGE]
            yield from [self._info(key, listed=True) for key in page[: 1 if fault else _PAGE]]
            if fault:
                raise UnprovenListingError("it ends in the middle")
            if len(page) < _PAGE:
                self.lists_in_byte_order = self._bucket.kind.order == "bytes"
                return
            last = order(page[-1])

    def head(self, key: str) -> ObjectInfo | None:
        with self._request(Requests(gets=1)):
            return self._info(key) if key in self._bucket.objects else None

    def get_small(self, key: str, *, max_bytes: int, etag: str | None) -> tuple[ObjectInfo, bytes]:
        with self._request(Requests(gets=1)):
            stored = self._version(key, etag)
            if len(stored.body) > max_bytes:
                raise ObjectTooLargeError(key)
            return self._info(key), stored.body

    def get_bytes(self, key: str, max_bytes: int) -> bytes:
        return self.get_small(key, max_bytes=max_bytes, etag=None)[1]

    def get_to(self, key: str, write: Callable[[bytes], None], if_match: str | None = None) -> ObjectInfo:
        info, body = self.get_small(key, max_bytes=1 << 40, etag=if_match)
        write(body)
        return info

    def get_file(
        self,
        key: str,
        *,
        size: int,
        etag: str,
        write_at: Callable[[int, bytes], None],
        on_bytes: Callable[[int], None],
    ) -> ObjectInfo:
        info = self.get_to(key, lambda body: write_at(0, body), etag)
        on_bytes(size)
        return info

    def versioning(self) -> Versioning:
        with self._request(Requests(gets=1)):
            return self._bucket.kind.versioning

    # ── writing ──

    def put_small(
        self,
        key: str,
        body: bytes,
        *,
        expected: str | None,
        metadata: Mapping[str, str],
        content: ContentHeaders,
        sha256: bytes,
    ) -> Written:
        assert hashlib.sha256(body).digest() == sha256, "a body with another's checksum"
        with self._request(Requests(puts=1), "lost", "conflict"):
            self._expect(key, expected)
            return self._put(key, body, metadata, content.as_headers())

    def put_file(
        self,
        key: str,
        *,
        size: int,
        read_at: Callable[[int, int], bytes],
        expected: str | None,
        metadata: Mapping[str, str],
        content: ContentHeaders,
        still_same: Callable[[], bool],
        on_bytes: Callable[[int], None],
    ) -> Written:
        body = read_at(0, size)
        with self._request(Requests(puts=3), "lost", "conflict"):
            if len(body) != size or not still_same():
                raise SourceChangedError(key)
            self._expect(key, expected)
            written = self._put(key, body, metadata, content.as_headers())
        on_bytes(size)
        return written

    def copy(
        self,
        source_key: str,
        target_key: str,
        *,
        source_etag: str,
        expected: str | None,
        metadata: Mapping[str, str] | None = None,
        content: ContentHeaders | None = None,
    ) -> Written:
        with self._request(Requests(puts=1), "lost", "conflict"):
            source = self._version(source_key, source_etag)
            self._expect(target_key, expected)
            headers = source.headers if content is None else content.as_headers()
            if metadata is not None:
                return self._put(target_key, source.body, metadata, headers)
            return self._written(self._bucket.put(target_key, source.body, source.metadata, **headers))

    def set_metadata(self, key: str, *, etag: str, changes: Mapping[str, str | None]) -> Written:
        with self._request(Requests(puts=1), "lost", "conflict"):
            before = self._version(key, etag)
            if int(before.modified) == int(self._bucket.clock()):
                self._bucket.clock.sleep(1.05)
            named = {name: text for name, text in {**before.metadata, **changes}.items() if text is not None}
            return self._put(key, before.body, named, before.headers)

    def delete(self, key: str, *, if_match: str) -> Literal["deleted", "changed", "gone"]:
        with self._request(Requests(deletes=1), "lost"):
            if key not in self._bucket.objects:
                return "gone"
            if self._bucket.objects[key].etag != if_match:
                return "changed"
            self._bucket.remove(key)
            return "deleted"

    # ── how ──

    def _put(self, key: str, body: bytes, metadata: Mapping[str, str], headers: Mapping[str, str]) -> Written:
        token = f"{self.requests.puts}"
        return self._written(self._bucket.put(key, body, {**metadata, TOKEN: token}, **headers))

    def _written(self, stored: Stored) -> Written:
        return Written(stored.etag, float(int(stored.modified)))

    def _version(self, key: str, etag: str | None) -> Stored:
        if key not in self._bucket.objects:
            raise NoSuchKeyError(key, status=404)
        stored = self._bucket.objects[key]
        if etag is not None and stored.etag != etag:
            raise PreconditionFailedError(key, status=412)
        return stored

    def _expect(self, key: str, expected: str | None) -> None:
        now = self._bucket.objects.get(key)
        if (now.etag if now else None) != expected:
            raise PreconditionFailedError(key, status=412)

    def _info(self, key: str, *, listed: bool = False) -> ObjectInfo:
        stored = self._bucket.objects[key]
        modified = stored.modified if listed and self._bucket.kind.fraction else float(int(stored.modified))
        info = ObjectInfo(key, len(stored.body), stored.etag, modified)
        return info if listed else info._replace(metadata=stored.metadata, headers=stored.headers)
