"""The one door to S3 for the native engine: what an object store can be asked, as a protocol.

`runner.store.client.Client` answers it, fakes are put in here. Every call may come from any thread at any time and
raises the kinds of runner/store/errors.py (StoppedError when the caller's should_stop became true). Decides nothing.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from runner.model.passes import Requests
from runner.store.capabilities import Capabilities, Versioning
from runner.store.listing import ObjectInfo

__all__ = ["ContentHeaders", "ObjectInfo", "ObjectStore", "Written"]


class Written(NamedTuple):
    """What a write left in the bucket. etag: without quotes. modified: LastModified, seconds since the epoch, where
    the answer (or the look that settled it) tells it."""

    etag: str
    modified: float | None = None


@dataclass(frozen=True, slots=True)
class ContentHeaders:
    """How an object is served; None: not said. tags: as x-amz-tagging takes them (`a=1&b=2`), None: none.

    Storage class, encryption and ACL come from the pair. Source: "PutObject" in the S3 API reference.
    """

    content_type: str | None = None
    cache_control: str | None = None
    content_disposition: str | None = None
    content_encoding: str | None = None
    content_language: str | None = None
    expires: str | None = None
    tags: str | None = None

    def as_headers(self) -> dict[str, str]:
        """Request headers of what is said."""
        named = {
            "Content-Type": self.content_type,
            "Cache-Control": self.cache_control,
            "Content-Disposition": self.content_disposition,
            "Content-Encoding": self.content_encoding,
            "Content-Language": self.content_language,
            "Expires": self.expires,
            "x-amz-tagging": self.tags,
        }
        return {name: value for name, value in named.items() if value}

    @staticmethod
    def of(headers: Mapping[str, str]) -> "ContentHeaders":
        """Those of an object, from `ObjectInfo.headers` of a HEAD or GET, which never tell the tags."""
        return ContentHeaders(
            headers.get("content-type"),
            headers.get("cache-control"),
            headers.get("content-disposition"),
            _kept_encoding(headers.get("content-encoding")),
            headers.get("content-language"),
            headers.get("expires"),
        )


def _kept_encoding(text: str | None) -> str | None:
    """Without `aws-chunked`, which is of a request's body; some servers keep it, and would take a copy for chunked."""
    kept = [part.strip() for part in (text or "").split(",") if part.strip() != "aws-chunked"]
    return ",".join(kept) or None


class ObjectStore(Protocol):
    """One bucket. capabilities: decides which conditions are sent and believed; may be set at any time.

    session: what the tokens of its writes begin with (`write_token`); "" for nobody's.
    """

    capabilities: Capabilities
    session: str

    @property
    def requests(self) -> Requests:
        """Every request sent so far, retries included, by price class."""

    @property
    def endpoint_url(self) -> str | None:
        """The configured endpoint; None for Amazon's own."""

    @property
    def lists_in_byte_order(self) -> bool | None:
        """Of the last complete listing; None before it."""

    def close(self) -> None:
        """Ends connections; the next call makes them anew."""

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Every object below the prefix; absence may be concluded only after normal exhaustion."""

    def head(self, key: str) -> ObjectInfo | None:
        """Metadata and headers filled; None only when S3 names the key as absent."""

    def get_bytes(self, key: str, max_bytes: int) -> bytes:
        """A small object, whole. Raises NoSuchKeyError, ObjectTooLargeError."""

    def get_small(self, key: str, *, max_bytes: int, etag: str | None) -> tuple[ObjectInfo, bytes]:
        """Content and metadata by one GET. etag: the version it must be.

        Raises NoSuchKeyError, ObjectTooLargeError (over max_bytes), PreconditionFailedError (another version).
        """

    def get_to(self, key: str, write: Callable[[bytes], None], if_match: str | None = None) -> ObjectInfo:
        """That version, in order, in slices of at most 8 MiB. Raises PreconditionFailedError, NoSuchKeyError."""

    def get_file(
        self,
        key: str,
        *,
        size: int,
        etag: str,
        write_at: Callable[[int, bytes], None],
        on_bytes: Callable[[int], None],
    ) -> ObjectInfo:
        """Exactly `size` bytes of that version, in pieces of at most 8 MiB, up to 4 at once, in no order.

        write_at(offset, bytes) and on_bytes(count) may be called from several threads. Raises PreconditionFailedError
        when the object changed (what was written is to be thrown away), NoSuchKeyError; and what write_at raises.
        """

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
        """Stores the body over the version `expected`, or, None, only where there is no object.

        sha256: the body's digest (32 bytes), checked by the server. A `runner-token` is added to the metadata: an
        answer that was lost, or that may be our own success refused, is settled by one HEAD. Raises
        PreconditionFailedError.
        """

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
        """Stores `size` bytes, in parts where they are more than one; appears whole or not at all.

        read_at(offset, length) and on_bytes(count) may be called from several threads. still_same() is asked once,
        after the last byte was read. Raises SourceChangedError (short read, still_same false), PreconditionFailedError.
        """

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
        """Copies that version inside the bucket over the version `expected` of the target (None: there must be none).

        metadata and content None: kept as they are. Raises PreconditionFailedError, NoSuchKeyError (the source).
        """

    def set_metadata(self, key: str, *, etag: str, changes: Mapping[str, str | None]) -> Written:
        """Changes metadata (None removes a name) of that version, all else kept, so that LastModified moves.

        Raises PreconditionFailedError, NoSuchKeyError, ObjectTooLargeError (over 5 GB).
        """

    def delete(self, key: str, *, if_match: str) -> Literal["deleted", "changed", "gone"]:
        """Removes that version, no other. changed: it is another one now and was left alone."""

    def versioning(self) -> Versioning:
        """The bucket's versioning; `unknown` where asking is not allowed or not understood."""
