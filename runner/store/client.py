"""The S3 of one pair: the calls a pass needs, each with its own deadline, retries and condition.

A call either returns what S3 proved or raises a StoreError with a sentence. Nothing is created at import or by the
constructor; `close` ends connections and threads and the next call makes them anew, so an idle worker can let go.
Semantics: S3 API reference, "conditional requests"; research/reliability.md 2.2 (what other servers do differently).
"""

import random
from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from runner.config.settings import Pair
from runner.model.passes import Requests
from runner.store.bucket import Bucket
from runner.store.capabilities import Capabilities
from runner.store.conversation import Conversation
from runner.store.copies import Copies
from runner.store.credentials import Credentials
from runner.store.door import ContentHeaders, Written
from runner.store.listing import PAGE_BYTES, ListingProof, ObjectInfo, parse_page
from runner.store.multipart import Multipart
from runner.store.pieces import Room
from runner.store.reads import Reads
from runner.store.request import Request
from runner.store.retry import Patience
from runner.store.writes import Writes

__all__ = ["Client", "ObjectInfo"]


def _never() -> bool:
    return False


def _fixed(credentials: Credentials) -> Callable[[], Credentials]:
    return lambda: credentials


class Client:
    """Requests for one bucket with one pair's options, from any number of threads (door.ObjectStore).

    capabilities: which conditions the server keeps; all of them until it is set.
    """

    def __init__(
        self,
        bucket: str,
        credentials: Credentials | Callable[[], Credentials],
        *,
        pair: Pair,
        should_stop: Callable[[], bool] = _never,
        patience: Patience | None = None,
    ) -> None:
        """credentials: a snapshot, or a callable that returns one at once (asked for each request, must not block).

        should_stop is asked by every thread.
        """
        source = _fixed(credentials) if isinstance(credentials, Credentials) else credentials
        self._conversation = Conversation(bucket, source, pair, should_stop, patience or Patience(), random.random)
        self._bucket = Bucket(bucket, pair, self._conversation)
        room = Room()
        self._reads = Reads(self._bucket, room)
        self._writes = Writes(self._bucket)
        self._multipart = Multipart(self._bucket, room, self._writes)
        self._copies = Copies(self._bucket, room)
        self._unordered = False
        self._in_byte_order: bool | None = None

    @property
    def capabilities(self) -> Capabilities:
        return self._bucket.capabilities

    @capabilities.setter
    def capabilities(self, capabilities: Capabilities) -> None:
        self._bucket.capabilities = capabilities

    @property
    def session(self) -> str:
        return self._bucket.session

    @session.setter
    def session(self, session: str) -> None:
        self._bucket.session = session

    @property
    def requests(self) -> Requests:
        """Every request sent since the client was made, retries included, by price class."""
        return self._conversation.requests

    @property
    def endpoint_url(self) -> str | None:
        """The configured endpoint, wherever that was found; None for Amazon's own."""
        return self._conversation.endpoint_url

    @property
    def lists_in_byte_order(self) -> bool | None:
        """Of the last complete listing: False on servers on which `aws s3 sync` transfers again and again."""
        return self._in_byte_order

    def close(self) -> None:
        self._conversation.close()

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Every object below the prefix, page by page, in the server's order.

        Absence may be concluded only after normal exhaustion. Raises UnprovenListingError at the page that cannot be
        believed, and what any call can raise.
        """
        name = self._bucket.name
        proof = ListingProof(name, prefix, unordered=self._unordered)
        query = {"list-type": "2", "encoding-type": "url", "prefix": prefix, "max-keys": "1000"}
        try:
            while True:
                answer = self._bucket.ask(Request("ListObjectsV2", "GET", query=dict(query), max_body_bytes=PAGE_BYTES))
                page = parse_page(answer.body, bucket=name, prefix=prefix)
                proof.take(page)
                yield from page.objects
                if not page.next_token:
                    self._in_byte_order = proof.in_byte_order
                    return
                query["continuation-token"] = page.next_token
        finally:
            self._unordered = self._unordered or proof.unordered
            proof.close()

    def head(self, key: str) -> ObjectInfo | None:
        """The object, metadata and headers included; None only when S3 names the key as absent."""
        return self._bucket.look(key)

    def versioning(self) -> Literal["enabled", "suspended", "off", "unknown"]:
        """The bucket's versioning; `unknown` where asking is not allowed or not understood."""
        return self._bucket.versioning()

    # ── reading ──

    def get_bytes(self, key: str, max_bytes: int) -> bytes:
        """A small object, whole. Raises NoSuchKeyError, ObjectTooLargeError (over max_bytes)."""
        return self._reads.get_bytes(key, max_bytes)

    def get_small(self, key: str, *, max_bytes: int, etag: str | None) -> tuple[ObjectInfo, bytes]:
        """As door.ObjectStore.get_small."""
        return self._reads.get_small(key, max_bytes=max_bytes, etag=etag)

    def get_file(
        self,
        key: str,
        *,
        size: int,
        etag: str,
        write_at: Callable[[int, bytes], None],
        on_bytes: Callable[[int], None],
    ) -> ObjectInfo:
        """As door.ObjectStore.get_file."""
        return self._reads.get_file(key, size=size, etag=etag, write_at=write_at, on_bytes=on_bytes)

    def get_to(self, key: str, write: Callable[[bytes], None], if_match: str | None = None) -> ObjectInfo:
        """One version of an object, in slices of at most 8 MiB given to `write` in order.

        if_match: the ETag it must have; without one, the version of the first slice. Raises PreconditionFailedError
        when it changes meanwhile (what was written so far is to be thrown away), NoSuchKeyError.
        """
        return self._reads.get_to(key, write, if_match)

    # ── writing ──

    def put(
        self,
        key: str,
        body: bytes,
        *,
        if_none_match: bool = False,
        if_match: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> str:
        """Stores a small object and returns its ETag; sends the condition whatever `capabilities` says.

        if_none_match: only if there is none; if_match: only over that version. Raises PreconditionFailedError. A
        refusal that may be of our own lost success is settled by looking: same bytes, same metadata is success.
        """
        return self._writes.put(key, body, if_none_match=if_none_match, if_match=if_match, metadata=metadata)

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
        """As door.ObjectStore.put_small."""
        return self._writes.put_small(key, body, expected=expected, metadata=metadata, content=content, sha256=sha256)

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
        """As door.ObjectStore.put_file."""
        return self._multipart.put_file(
            key, size=size, read_at=read_at, expected=expected, metadata=metadata, content=content,
            still_same=still_same, on_bytes=on_bytes,
        )  # fmt: skip

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
        """As door.ObjectStore.copy."""
        return self._copies.copy(
            source_key, target_key, source_etag=source_etag, expected=expected, metadata=metadata, content=content
        )

    def set_metadata(self, key: str, *, etag: str, changes: Mapping[str, str | None]) -> Written:
        """As door.ObjectStore.set_metadata."""
        return self._copies.set_metadata(key, etag=etag, changes=changes)

    def delete(self, key: str, *, if_match: str) -> Literal["deleted", "changed", "gone"]:
        """Removes that version of the object, no other. `changed`: it is another one now and was left alone."""
        return self._writes.delete(key, if_match=if_match)
