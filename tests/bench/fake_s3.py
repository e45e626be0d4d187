"""S3 in memory, strict: the bucket that all see. `fake_door` is one runner's client of it (runner/store/door.py)."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from runner.store.capabilities import Capabilities, Versioning
from tests.bench.faults import Faults

Etags = Literal["md5", "multipart", "opaque"]


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


class FakeS3(Faults):
    """every: each version that ever was, for who asks what a memory may know. kept: old versions, while versioned.
    unseen: what a server without conditions lost between a runner's look and its write.
    """

    remembers = True

    def __init__(self, clock: Clock, kind: Kind) -> None:
        super().__init__()
        self.clock = clock
        self.kind = kind
        self.objects: dict[str, Stored] = {}
        self.every: dict[tuple[str, str], bytes] = {}
        self.kept: list[bytes] = []
        self.unseen: set[bytes] = set()
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
