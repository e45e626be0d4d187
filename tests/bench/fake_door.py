"""One runner's client of the bucket in memory, put in at the door, so that histories can be tried by the thousand.

At this level a lost answer is what is left when even the look that settles it failed. A server that ignores conditions
is one whose store looks before it writes: what comes between the look and the write is overwritten unseen.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

from runner.model.passes import Requests
from runner.store.capabilities import NOTHING, Capabilities, Versioning
from runner.store.door import ContentHeaders, ObjectInfo, Written
from runner.store.errors import (
    Asked,
    ErrorAnswer,
    ObjectTooLargeError,
    ServerFaultError,
    SourceChangedError,
    StoppedError,
    UnprovenListingError,
    error_of,
)
from runner.store.write_token import TOKEN, new_token
from tests.bench.fake_s3 import FakeS3, RefusedError, Stored
from tests.bench.faults import FaultName


class Door:
    """door.ObjectStore of one runner. should_stop: as a client's. sleep: of the bucket's clock."""

    def __init__(
        self, bucket: FakeS3, should_stop: Callable[[], bool], sleep: Callable[[float], None] = lambda _seconds: None
    ) -> None:
        self.capabilities: Capabilities = NOTHING
        self.session = ""
        self.requests = Requests()
        self.endpoint_url: str | None = "http://fake"
        self.lists_in_byte_order: bool | None = None
        self._bucket = bucket
        self._should_stop = should_stop
        self._sleep = sleep

    def close(self) -> None: ...

    @contextmanager
    def _request(self, operation: str, key: str, cost: Requests) -> Iterator[FaultName | None]:
        """What goes wrong with it goes wrong here, before it or after it was carried out."""
        if self._should_stop():
            raise StoppedError("asked to stop")
        self.requests += cost
        try:
            fault = self._bucket.admit(operation, key)
            yield fault
        except RefusedError as refused:
            asked = Asked(operation, self._bucket.name, "http://fake", key)
            raise error_of(ErrorAnswer(refused.status, refused.code), asked) from None
        if fault == "lost":
            raise ServerFaultError("no answer came", status=500)

    # ── reading ──

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Page by page: what is written meanwhile may be on a later one, as with the real thing."""
        last = ""
        while True:
            with self._request("ListObjectsV2", "", Requests(lists=1)) as fault:
                keys, more = self._bucket.keys_after(prefix, last)
            if fault == "garbled":
                raise UnprovenListingError("HTML came")
            yield from [self._info(key, listed=True) for key in (keys[:1] if fault else keys)]
            if fault:
                raise UnprovenListingError("it ends in the middle")
            if not more:
                self.lists_in_byte_order = self._bucket.kind.order == "bytes"
                return
            last = keys[-1]

    def head(self, key: str) -> ObjectInfo | None:
        with self._request("HeadObject", key, Requests(gets=1)):
            try:
                self._bucket.find(key)
            except RefusedError as refused:
                if refused.status != 404:
                    raise
                return None
            return self._info(key)

    def get_small(self, key: str, *, max_bytes: int, etag: str | None) -> tuple[ObjectInfo, bytes]:
        with self._request("GetObject", key, Requests(gets=1)):
            stored = self._bucket.read(key, etag)
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
        with self._request("GetBucketVersioning", "", Requests(gets=1)):
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
        with self._request("PutObject", key, Requests(puts=1)):
            self._expect("create" if expected is None else "replace", key, expected)
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
        with self._request("CompleteMultipartUpload", key, Requests(puts=3)):
            if len(body) != size or not still_same():
                raise SourceChangedError(key)
            self._expect("complete", key, expected)
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
        with self._request("CopyObject", target_key, Requests(puts=1)):
            source = self._bucket.read(source_key, source_etag)
            self._expect("copy", target_key, expected)
            headers = source.headers if content is None else content.as_headers()
            if metadata is not None:
                return self._put(target_key, source.body, metadata, headers)
            return self._written(self._bucket.put(target_key, source.body, source.metadata, **headers))

    def set_metadata(self, key: str, *, etag: str, changes: Mapping[str, str | None]) -> Written:
        with self._request("CopyObject", key, Requests(puts=1)):
            before = self._bucket.find(key, etag)
            if int(before.modified) == int(self._bucket.clock()):
                self._sleep(1.05)
            named = {name: text for name, text in {**before.metadata, **changes}.items() if text is not None}
            return self._put(key, before.body, named, before.headers)

    def delete(self, key: str, *, if_match: str) -> Literal["deleted", "changed", "gone"]:
        with self._request("DeleteObject", key, Requests(deletes=1)):
            if key not in self._bucket.objects:
                return "gone"
            try:
                self._expect("delete", key, if_match)
            except RefusedError:
                return "changed"
            self._bucket.remove(key)
            return "deleted"

    # ── how ──

    def _put(self, key: str, body: bytes, metadata: Mapping[str, str], headers: Mapping[str, str]) -> Written:
        token = new_token(self.session, key)
        return self._written(self._bucket.put(key, body, {**metadata, TOKEN: token}, **headers))

    def _written(self, stored: Stored) -> Written:
        return Written(stored.etag, float(int(stored.modified)))

    def _expect(self, kept: str, key: str, expected: str | None) -> None:
        """By the server where it keeps that condition; else by a look, and what comes after it is not seen.

        Raises RefusedError.
        """
        self._bucket.check(kept, key, expected)
        if kept in self._bucket.kind.keeps:
            return
        before = self._bucket.objects.get(key)
        if (before.etag if before else None) != expected:
            raise RefusedError(412, "PreconditionFailed")
        self._bucket.fault_now({"meanwhile", "at-put", "at-delete"})
        now = self._bucket.objects.get(key)
        if now is not None and now is not before:
            self._bucket.unseen.add(now.body)

    def _info(self, key: str, *, listed: bool = False) -> ObjectInfo:
        stored = self._bucket.objects[key]
        modified = stored.modified if listed and self._bucket.kind.fraction else float(int(stored.modified))
        info = ObjectInfo(key, len(stored.body), stored.etag, modified, stored.storage_class or "STANDARD")
        return info if listed else info._replace(metadata=stored.metadata, headers=stored.headers)
