"""Writing and removing single objects on condition; where the server ignores the condition, a look goes before."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Literal

from runner.store.answers import etag_of, written_at
from runner.store.bucket import Bucket
from runner.store.conditions import Condition, carries, write
from runner.store.door import ContentHeaders, Written
from runner.store.errors import NoSuchKeyError, PreconditionFailedError, ServerFaultError
from runner.store.listing import ObjectInfo
from runner.store.request import Answer, Request
from runner.store.write_token import TOKEN, new_token


class Writes:
    """The writing half of a client, one request an object."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def put(
        self, key: str, body: bytes, *, if_none_match: bool, if_match: str | None, metadata: Mapping[str, str] | None
    ) -> str:
        """Sends what it is given, whatever the server is known to keep; same bytes and metadata are its own."""
        request = Request("PutObject", "PUT", key, headers=self._bucket.write_headers(metadata), body=body)
        if not if_none_match and if_match is None:
            return etag_of(self._bucket.ask(request), self._bucket.place(key))

        def is_ours(now: ObjectInfo) -> bool:
            same = now.etag == hashlib.md5(body, usedforsecurity=False).hexdigest()
            return same and all((now.metadata or {}).get(name) == value for name, value in (metadata or {}).items())

        return write(self._bucket, request, Condition(if_match, is_ours), self._read(key)).etag

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
        token = new_token(self._bucket.session, key)
        headers = self._bucket.write_headers({**metadata, TOKEN: token}, content)
        headers |= checksum_headers(self._bucket, body, sha256)
        request = Request("PutObject", "PUT", key, headers=headers, body=body)
        keeps = self._bucket.capabilities
        condition = Condition(expected, carries(token), keeps.create if expected is None else keeps.replace)
        return write(self._bucket, request, condition, self._read(key))

    def delete(self, key: str, *, if_match: str) -> Literal["deleted", "changed", "gone"]:
        bucket = self._bucket
        if not bucket.capabilities.delete:
            now = bucket.look(key)
            if now is None or now.etag != if_match:
                return "gone" if now is None else "changed"
            return self._proven(bucket.ask(Request("DeleteObject", "DELETE", key)), key, if_match)
        try:
            return self._proven(self._delete_version(key, if_match), key, if_match)
        except NoSuchKeyError as error:
            return "deleted" if error.lost else "gone"
        except PreconditionFailedError as error:
            if bucket.look(key) is not None:
                return "changed"
            return "deleted" if error.lost else "gone"

    def _proven(self, answer: Answer, key: str, if_match: str) -> Literal["deleted", "changed"]:
        """S3 answers 204; a 200 may be anybody's (a captive portal's page, say), so a look says what it is worth."""
        if answer.status == HTTPStatus.NO_CONTENT:
            return "deleted"
        now = self._bucket.look(key)
        if now is not None and now.etag == if_match:
            place = self._bucket.place(key)
            raise ServerFaultError(f"the deletion of {place} got {answer.status}, and it is still there: not believed")
        return "deleted" if now is None else "changed"

    def _delete_version(self, key: str, if_match: str) -> Answer:
        """radosgw 16 refuses a quoted ETag that is right: then once more without the quotes."""
        bucket = self._bucket

        def ask(etag: str) -> Answer:
            return bucket.ask(Request("DeleteObject", "DELETE", key, headers={"If-Match": etag}))

        try:
            return ask(bucket.quoted(if_match))
        except PreconditionFailedError:
            now = None if bucket.bare_etags else bucket.look(key)
            if now is None or now.etag != if_match:
                raise
        answer = ask(if_match)
        bucket.bare_etags = True
        return answer

    def _read(self, key: str) -> Callable[[Answer], Written]:
        return lambda answer: Written(etag_of(answer, self._bucket.place(key)), written_at(answer))


def checksum_headers(bucket: Bucket, body: bytes, sha256: bytes) -> dict[str, str]:
    """What lets the server refuse a body that was damaged on its way: SHA-256 where it is compared, MD5 elsewhere."""
    if bucket.capabilities.checksums:
        return {"x-amz-checksum-sha256": base64.b64encode(sha256).decode()}
    return {"Content-MD5": base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()}
