"""S3 in memory, strict, and as careless as it is told to be: the one bucket of all tests without a server.

Two ways lead in: `fake_door` is one runner's client of it, at full speed; `fake_web` takes requests, as a transport of
the real client or over HTTP.
"""

import hashlib
import pickle
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from runner.store.capabilities import Capabilities, Versioning
from tests.bench.faults import FaultName, Faults

EVERYTHING = frozenset({"create", "replace", "delete", "complete", "copy", "copy-source", "checksums"})
Order = Literal["bytes", "tree", "none"]
_ORDERS: Mapping[str, Callable[[str], bytes]] = {
    "bytes": lambda key: key.encode("utf-8", "surrogateescape"),
    "tree": lambda key: key.replace("/", "\0").encode("utf-8", "surrogateescape"),
    "none": lambda key: hashlib.md5(key.encode("utf-8", "surrogateescape")).digest(),
}
_ANY: frozenset[FaultName] = frozenset({"storm", "meanwhile"})
_WRITE: frozenset[FaultName] = _ANY | {"lost", "conflict", "at-put"}
_SUITS: Mapping[str, frozenset[FaultName]] = {
    "PutObject": _WRITE, "CopyObject": _WRITE, "CompleteMultipartUpload": _WRITE,
    "DeleteObject": _ANY | {"lost", "at-delete"}, "ListObjectsV2": _ANY | {"garbled", "short"},
}  # fmt: skip


class Clock:
    """Of everybody in a history; moves only when it is told to."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Kind(NamedTuple):
    """What sort of server it is. keeps: of EVERYTHING. fraction: LastModified has one in listings."""

    order: Order = "bytes"
    versioning: Versioning = "off"
    etags: Literal["md5", "multipart", "opaque"] = "md5"
    keeps: frozenset[str] = EVERYTHING
    fraction: bool = False

    @property
    def capabilities(self) -> Capabilities:
        """As a probe finds them."""
        keeps, order = self.keeps, self.order == "bytes"
        return Capabilities(
            "create" in keeps, "replace" in keeps, "delete" in keeps, "complete" in keeps, "copy" in keeps,
            "checksums" in keeps, self.versioning, order, probed_at=0.0,
        )  # fmt: skip


CARELESS = Kind(order="tree", keeps=frozenset())


class RefusedError(Exception):
    """What is answered instead."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code


@dataclass(slots=True)
class Stored:
    """One version of an object. headers: names in lower case. storage_class: GLACIER, say: its bytes cannot be had."""

    body: bytes
    etag: str
    modified: float
    metadata: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    storage_class: str = ""


@dataclass(eq=False)
class FakeS3(Faults):
    """every: each version that ever was, for who asks what a memory may know. kept: old versions, while versioned.
    unseen: what a server without conditions lost between a runner's look and its write. alike: keys of which two
    versions with other metadata have one ETag and one LastModified, so nobody tells them apart. asked: operations,
    by S3's names. page: keys of one.

    forbids: operations, "GetObject KEY" too, that are answered 403; who may not list is not told of absence either.
    answers: the error that an operation always gets. refuses_all: 412 to every condition, right or wrong.
    """

    kind: Kind = field(default_factory=Kind)
    clock: Callable[[], float] = time.time
    name: str = "bkt"
    page: int = 1000
    forbids: frozenset[str] = frozenset()
    answers: dict[str, tuple[int, str]] = field(default_factory=dict)
    refuses_all: bool = False
    objects: dict[str, Stored] = field(default_factory=dict)
    every: dict[tuple[str, str], bytes] = field(default_factory=dict)
    kept: list[bytes] = field(default_factory=list)
    unseen: set[bytes] = field(default_factory=set)
    alike: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    remembers = True
    _writes = 0
    _stamped: dict[tuple[str, str, int], Mapping[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()

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
        lowered = {name.lower(): text for name, text in headers.items()}
        stored = Stored(body, etag, self.clock(), dict(metadata or {}), lowered)
        self.objects[key] = stored
        self.every[key, etag] = body
        seen_as = (key, etag, int(stored.modified))  # as HEAD and GET tell it, whatever a listing tells
        if self._stamped.setdefault(seen_as, stored.metadata) != stored.metadata:
            self.alike.add(key)
        return stored

    def remove(self, key: str) -> None:
        self._keep(key)
        self.objects.pop(key, None)

    def contents(self) -> dict[str, tuple[bytes, Mapping[str, str]]]:
        return {key: (stored.body, stored.metadata) for key, stored in self.objects.items()}

    def version(self, key: str, etag: str) -> bytes | None:
        """The body that this version had, whenever it was there."""
        return self.every.get((key, etag))

    def frozen(self) -> bytes:
        """All that a history leaves in it, for another process."""
        return pickle.dumps((self.objects, self.every, self.kept, self.clock()))

    def thaw(self, state: bytes) -> None:
        self.objects, self.every, self.kept, now = pickle.loads(state)
        if isinstance(self.clock, Clock):
            self.clock.now = now

    # ── as who asks it is answered ──

    def admit(self, operation: str, key: str = "") -> FaultName | None:
        """Before a request is carried out. What the caller is to do wrong with it; raises RefusedError."""
        self.asked.append(operation)
        fault = self.fault_now(_SUITS.get(operation, _ANY))
        if self.storm > 0:
            self.storm -= 1
            raise RefusedError(503, "SlowDown")
        if fault == "conflict":
            raise RefusedError(409, "ConditionalRequestConflict")
        if operation in self.answers:
            raise RefusedError(*self.answers[operation])
        right = "GetObject" if operation == "HeadObject" else operation
        if {operation, right, f"{right} {key}"} & self.forbids:
            raise RefusedError(403, "AccessDenied")
        return fault

    def find(self, key: str, etag: str | None = None) -> Stored:
        """That version. Raises RefusedError."""
        if key not in self.objects:
            may_list = "ListObjectsV2" not in self.forbids
            raise RefusedError(404, "NoSuchKey") if may_list else RefusedError(403, "AccessDenied")
        stored = self.objects[key]
        if etag is not None and stored.etag != etag:
            raise RefusedError(412, "PreconditionFailed")
        return stored

    def read(self, key: str, etag: str | None = None) -> Stored:
        """As `find`, of what has bytes to be had."""
        stored = self.find(key, etag)
        if stored.storage_class:
            raise RefusedError(403, "InvalidObjectState")
        return stored

    def check(self, kept: str, key: str, etag: str | None) -> None:
        """The condition of a write, where it is kept: over that version, or (None) where there is none.

        Raises RefusedError.
        """
        now = self.objects.get(key)
        if kept in self.kind.keeps and (self.refuses_all or (now.etag if now else None) != etag):
            raise RefusedError(412, "PreconditionFailed")

    def keys_after(self, prefix: str, last: str) -> tuple[list[str], bool]:
        """The next page, in this server's order, and whether another follows. last: key of the page before, or ""."""
        order = _ORDERS[self.kind.order]
        keys = sorted((key for key in self.objects if key.startswith(prefix)), key=order)
        left = [key for key in keys if not last or order(key) > order(last)]
        return left[: self.page], len(left) > self.page

    def _keep(self, key: str) -> None:
        if self.kind.versioning == "enabled" and key in self.objects:
            self.kept.append(self.objects[key].body)
