"""The S3 of one pair: the calls a pass needs, each with its own deadline, retries and condition.

A call either returns what S3 proved or raises a StoreError with a sentence. Nothing is created at import or by the
constructor; `close` ends connections and threads and the next call makes them anew, so an idle worker can let go.
Semantics: S3 API reference, "conditional requests"; research/reliability.md 2.2 (what other servers do differently).
"""

import hashlib
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Literal
from urllib.parse import quote

from runner.config.settings import Pair
from runner.model.passes import Requests
from runner.store.answers import copied_etag, etag_of, info_of, range_total, versioning_of
from runner.store.conversation import Conversation
from runner.store.credentials import Credentials
from runner.store.errors import (
    NoSuchKeyError,
    ObjectTooLargeError,
    PreconditionFailedError,
    ServerFaultError,
    StoreError,
)
from runner.store.listing import PAGE_BYTES, ListingProof, ObjectInfo, parse_page
from runner.store.request import Answer, Request
from runner.store.retry import Patience

__all__ = ["Client", "ObjectInfo"]

RANGE_BYTES = 8 * 1024 * 1024  # awscrt holds a whole answer in memory


def _never() -> bool:
    return False


def _fixed(credentials: Credentials) -> Callable[[], Credentials]:
    return lambda: credentials


class Client:
    """Requests for one bucket with one pair's options. For one thread at a time."""

    def __init__(
        self,
        bucket: str,
        credentials: Credentials | Callable[[], Credentials],
        *,
        pair: Pair,
        should_stop: Callable[[], bool] = _never,
        patience: Patience | None = None,
    ) -> None:
        """credentials: a snapshot, or a callable that returns one at once (asked for each request, must not block)."""
        self._bucket = bucket
        self._pair = pair
        source = self._source = _fixed(credentials) if isinstance(credentials, Credentials) else credentials
        self._conversation = Conversation(bucket, source, pair, should_stop, patience or Patience(), random.random)
        self._unordered = False
        self._bare_etags = False
        self._in_byte_order: bool | None = None

    @property
    def requests(self) -> Requests:
        """Every request sent since the client was made, retries included, by price class."""
        return self._conversation.requests

    @property
    def endpoint_url(self) -> str | None:
        """The configured endpoint, wherever that was found; None for Amazon's own."""
        return self._source().endpoint_url

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
        proof = ListingProof(self._bucket, prefix, unordered=self._unordered)
        query = {"list-type": "2", "encoding-type": "url", "prefix": prefix, "max-keys": "1000"}
        try:
            while True:
                answer = self._ask(Request("ListObjectsV2", "GET", query=dict(query), max_body_bytes=PAGE_BYTES))
                page = parse_page(answer.body, bucket=self._bucket, prefix=prefix)
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
        """The object, metadata included; None only when S3 names the key as absent.

        A HEAD's 404 has no body and is the same for a missing key, a missing bucket and a proxy's error: one GET of a
        byte tells them apart.
        """
        answer = self._ask(Request("HeadObject", "HEAD", key, accept=(404,)))
        if answer.status != 404:
            return info_of(key, answer.headers)
        try:
            self._ask(Request("GetObject", "GET", key, headers={"Range": "bytes=0-0"}, accept=(416,), max_body_bytes=1))
        except NoSuchKeyError:
            return None
        except ObjectTooLargeError:
            pass  # a server that ignores Range: the object is there now
        raise PreconditionFailedError(f"s3://{self._bucket}/{key} came into being while it was looked at")

    def get_bytes(self, key: str, max_bytes: int) -> bytes:
        """A small object, whole. Raises NoSuchKeyError, ObjectTooLargeError (over max_bytes)."""
        headers = {"Range": f"bytes=0-{max_bytes}"}
        asked = Request("GetObject", "GET", key, headers=headers, accept=(416,), max_body_bytes=max_bytes + 1)
        answer = self._ask(asked)
        if answer.status == 416:  # an empty object has no byte 0
            return b""
        if len(answer.body) > max_bytes or range_total(answer.headers, len(answer.body)) > max_bytes:
            raise ObjectTooLargeError(f"s3://{self._bucket}/{key} is larger than {max_bytes} bytes")
        return answer.body

    def get_to(self, key: str, write: Callable[[bytes], None], if_match: str | None = None) -> ObjectInfo:
        """One version of an object, in slices of at most 8 MiB given to `write` in order.

        if_match: the ETag it must have; without one, the version of the first slice. Raises PreconditionFailedError
        when it changes meanwhile (what was written so far is to be thrown away), NoSuchKeyError.
        """
        etag, offset, total, info = if_match, 0, 1, None
        while offset < total:
            condition = {"If-Match": self._quoted(etag)} if etag else {}
            headers = {"Range": f"bytes={offset}-{offset + RANGE_BYTES - 1}", **condition}
            accept = (416,) if offset == 0 else ()
            answer = self._ask(Request("GetObject", "GET", key, headers=headers, accept=accept))
            if answer.status == 416:
                return self._empty(key, if_match)
            info = info_of(key, answer.headers, size=range_total(answer.headers, len(answer.body)))
            if (answer.status == 200 and offset) or (not answer.body and info.size):
                raise ServerFaultError(f"{self._pair.bucket} answered another range of {key} than was asked")
            etag, total = etag or info.etag, info.size
            write(answer.body)
            offset += len(answer.body)
        assert info is not None
        return info

    def put(
        self,
        key: str,
        body: bytes,
        *,
        if_none_match: bool = False,
        if_match: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> str:
        """Stores a small object and returns its ETag.

        if_none_match: only if there is none; if_match: only over that version. Raises PreconditionFailedError. A
        refusal that may be of our own lost success is settled by looking: same bytes, same metadata is success.
        """
        headers = self._write_headers(metadata)
        if if_none_match:
            headers["If-None-Match"] = "*"
        attempt = self._conversation.lost_answers
        try:
            answer = self._conditional(Request("PutObject", "PUT", key, headers=headers, body=body), if_match)
        except PreconditionFailedError:
            if self._conversation.lost_answers == attempt:
                raise
            now = self.head(key)
            ours = now is not None and now.etag == hashlib.md5(body, usedforsecurity=False).hexdigest()
            if now is None or not ours or any((now.metadata or {}).get(k) != v for k, v in (metadata or {}).items()):
                raise
            return now.etag
        return etag_of(answer, f"s3://{self._bucket}/{key}")

    def delete(self, key: str, *, if_match: str) -> Literal["deleted", "changed", "gone"]:
        """Removes that version of the object, no other. `changed`: it is another one now and was left alone."""
        lost = self._conversation.lost_answers
        try:
            self._conditional(Request("DeleteObject", "DELETE", key), if_match)
        except NoSuchKeyError:
            return "gone" if self._conversation.lost_answers == lost else "deleted"
        except PreconditionFailedError:
            if self.head(key) is not None:
                return "changed"
            return "gone" if self._conversation.lost_answers == lost else "deleted"
        return "deleted"

    def copy(self, source_key: str, target_key: str, *, if_match: str | None = None) -> str:
        """Copies inside the bucket, metadata included (objects up to 5 GB), and returns the copy's ETag.

        if_match: the version of the source. Raises PreconditionFailedError, NoSuchKeyError.
        """
        source = quote(f"{self._bucket}/{source_key}".encode("utf-8", "surrogateescape"), safe="/-_.~")
        headers = {**self._write_headers(None), "x-amz-copy-source": f"/{source}"}
        if if_match:
            headers["x-amz-copy-source-if-match"] = self._quoted(if_match)
        answer = self._ask(Request("CopyObject", "PUT", target_key, headers=headers, idle_seconds=300.0))
        return copied_etag(answer, f"s3://{self._bucket}/{target_key}")

    def versioning(self) -> Literal["enabled", "suspended", "off", "unknown"]:
        """The bucket's versioning; `unknown` where asking is not allowed or not understood."""
        try:
            answer = self._ask(Request("GetBucketVersioning", "GET", query={"versioning": ""}))
        except StoreError as error:
            if error.status in (400, 403, 404, 405, 501) and error.code != "NoSuchBucket":
                return "unknown"
            raise
        return versioning_of(answer.body)

    def _empty(self, key: str, if_match: str | None) -> ObjectInfo:
        info = self.head(key)
        if info is None or info.size or (if_match and info.etag != if_match):
            raise PreconditionFailedError(f"s3://{self._bucket}/{key} was changed by someone else meanwhile")
        return info

    def _conditional(self, request: Request, if_match: str | None) -> Answer:
        """With If-Match; radosgw 16 refuses a quoted ETag that is right: then once more without the quotes."""
        if if_match is None:
            return self._ask(request)
        lost = self._conversation.lost_answers
        try:
            return self._ask(_with(request, "If-Match", self._quoted(if_match)))
        except PreconditionFailedError:
            now = None if self._bare_etags or self._conversation.lost_answers != lost else self.head(request.key)
            if now is None or now.etag != if_match:
                raise
        answer = self._ask(_with(request, "If-Match", if_match))
        self._bare_etags = True
        return answer

    def _quoted(self, etag: str) -> str:
        return etag if self._bare_etags or etag == "*" else f'"{etag}"'

    def _write_headers(self, metadata: Mapping[str, str] | None) -> dict[str, str]:
        pair = self._pair
        named = {
            "x-amz-storage-class": pair.storage_class,
            "x-amz-server-side-encryption": pair.sse,
            "x-amz-server-side-encryption-aws-kms-key-id": pair.sse_kms_key_id,
            "x-amz-acl": pair.acl,
        }
        headers = {name: value for name, value in named.items() if value}
        return headers | {f"x-amz-meta-{name}": value for name, value in (metadata or {}).items()}

    def _ask(self, request: Request) -> Answer:
        return self._conversation.ask(request)


def _with(request: Request, header: str, value: str) -> Request:
    return replace(request, headers={**request.headers, header: value})
