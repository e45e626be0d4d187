"""Copies inside the bucket: to another key, or onto itself with other metadata. On condition at both ends.

CopyObject takes up to 5 GB (S3 API reference); larger ones go by UploadPartCopy. A copy onto itself says again
what a copy would drop: class, encryption, ACL, content headers (tags stay by themselves).
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from runner.store.answers import copied
from runner.store.bucket import Bucket, meta_headers
from runner.store.conditions import Condition, carries, write
from runner.store.door import ContentHeaders, Written
from runner.store.errors import NoSuchKeyError, ObjectTooLargeError, StoppedError, StoreError
from runner.store.grants import grant_headers
from runner.store.listing import ObjectInfo
from runner.store.pieces import Piece, Room, cut
from runner.store.price import is_aws
from runner.store.request import Answer, Request
from runner.store.tags import all_tags, set_tags, tagging
from runner.store.upload import Part, Upload
from runner.store.write_token import TOKEN, new_token

COPY_BYTES = 5 * 1024**3  # "up to 5 GB", measured by AWS in GiB
_PART_BYTES = 512 * 1024**2
_COPY_SECONDS = 300.0  # of silence
_KEPT = (  # what a copy onto itself would reset
    "x-amz-storage-class", "x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-bucket-key-enabled", "x-amz-website-redirect-location",
    "x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date", "x-amz-object-lock-legal-hold",
)  # fmt: skip


class _Change(NamedTuple):
    """What a copy is to have of its own; None: as the source has it."""

    metadata: Mapping[str, str] | None
    content: ContentHeaders | None

    def __bool__(self) -> bool:
        return self.metadata is not None or self.content is not None

    def new_headers(self, bucket: Bucket, source: ObjectInfo, token: str) -> dict[str, str]:
        kept = (source.metadata or {}) if self.metadata is None else self.metadata
        content = self.content or ContentHeaders.of(source.headers or {})
        return bucket.write_headers({**kept, TOKEN: token}, content)

    def headers(self, bucket: Bucket, source: ObjectInfo, token: str) -> dict[str, str]:
        """Of CopyObject; what is not replaced as a whole goes along by itself."""
        headers = self.new_headers(bucket, source, token) | {"x-amz-metadata-directive": "REPLACE"}
        if "x-amz-tagging" in headers:
            headers["x-amz-tagging-directive"] = "REPLACE"
        return headers


class Copies:
    """copy_bytes, part_bytes: the limits above, smaller ones for tests."""

    def __init__(
        self, bucket: Bucket, room: Room, *, copy_bytes: int = COPY_BYTES, part_bytes: int = _PART_BYTES
    ) -> None:
        self._bucket = bucket
        self._room = room
        self._copy_bytes = copy_bytes
        self._part_bytes = part_bytes
        self._acl_is_told = True  # until asking for it is refused

    def copy(
        self,
        source_key: str,
        target_key: str,
        *,
        source_etag: str,
        expected: str | None,
        metadata: Mapping[str, str] | None,
        content: ContentHeaders | None,
    ) -> Written:
        change = _Change(metadata, content)
        looks = bool(change) or not self._bucket.capabilities.copy  # such servers ignore the source's condition too
        source = self._source(source_key, source_etag) if looks else None
        if source is None or source.size <= self._copy_bytes:
            try:
                return self._copy_whole(source or source_key, source_etag, target_key, expected, change)
            except StoreError as error:
                if error.status != 400 or error.code not in ("InvalidRequest", "EntityTooLarge"):
                    raise
                source = source or self._source(source_key, source_etag)
                if source.size <= self._copy_bytes:
                    raise
        return self._copy_in_parts(source, target_key, expected, change)

    def _copy_whole(
        self, source: ObjectInfo | str, source_etag: str, target_key: str, expected: str | None, change: "_Change"
    ) -> Written:
        """source: as it was seen where something is to change, else its key is enough."""
        bucket = self._bucket
        token = new_token(bucket.session, target_key)
        source_key = source if isinstance(source, str) else source.key
        headers = bucket.source_headers(source_key, source_etag)
        is_ours: Callable[[ObjectInfo], bool]
        if change and not isinstance(source, str):
            headers |= change.headers(bucket, source, token)
            is_ours = carries(token)
        else:
            headers |= bucket.write_headers()
            is_ours = lambda now: self._is_copy(source_key, source_etag, now)  # noqa: E731
        try:
            return self._copy_object(target_key, headers, Condition(expected, is_ours, bucket.capabilities.copy))
        except NoSuchKeyError as error:
            raise self._absence(error, source_key, target_key, expected) from error

    def set_metadata(self, key: str, *, etag: str, changes: Mapping[str, str | None]) -> Written:
        """Others see a change only by ETag or LastModified, which has whole seconds: it must leave this one."""
        before = self._source(key, etag)
        if before.size > self._copy_bytes:
            raise ObjectTooLargeError(
                f"{self._bucket.place(key)} is larger than 5 GB: S3 cannot change its metadata in place"
            )
        tags = "" if is_aws(self._bucket.conversation.endpoint_url) else self._tags(key)
        written = self._set_once(before, changes)
        if tags and self._tags(key) != tags:  # radosgw 16 drops them
            set_tags(self._bucket, key, tags)
        if math.floor(self._modified(key, written)) != math.floor(before.last_modified):
            return written
        self._bucket.conversation.sleep(1.05)
        again = self._set_once(self._source(key, written.etag), changes)
        if tags and self._tags(key) != tags:
            set_tags(self._bucket, key, tags)
        return again

    def _set_once(self, before: ObjectInfo, changes: Mapping[str, str | None]) -> Written:
        bucket, key = self._bucket, before.key
        token = new_token(bucket.session, key)
        told = before.headers or {}
        metadata = {**(before.metadata or {}), **changes, TOKEN: token}
        headers = bucket.source_headers(key, before.etag) | ContentHeaders.of(told).as_headers()
        headers |= {name: told[name] for name in _KEPT if told.get(name)}
        headers |= meta_headers({name: value for name, value in metadata.items() if value is not None})
        headers["x-amz-metadata-directive"] = "REPLACE"
        condition = Condition(before.etag, carries(token), bucket.capabilities.copy)
        grants = self._grants(key)
        try:
            return self._copy_object(key, headers | grants, condition)
        except StoreError as error:
            if not grants or error.code not in ("AccessControlListNotSupported", "AccessDenied", "NotImplemented"):
                raise
        return self._copy_object(key, headers, condition)  # an ACL that cannot be set: there is none that counts

    def _copy_object(self, key: str, headers: Mapping[str, str], condition: Condition) -> Written:
        def read(answer: Answer) -> Written:
            return Written(*copied(answer, self._bucket.place(key)))

        request = Request("CopyObject", "PUT", key, headers=headers, idle_seconds=_COPY_SECONDS)
        return write(self._bucket, request, condition, read)

    def _copy_in_parts(self, source: ObjectInfo, target_key: str, expected: str | None, change: "_Change") -> Written:
        bucket = self._bucket
        token = new_token(bucket.session, target_key)
        condition = Condition(expected, carries(token), bucket.capabilities.complete)
        condition.look_first(bucket, target_key)
        headers = change.new_headers(bucket, source, token)
        if "x-amz-tagging" not in headers and (tags := tagging(bucket, source)):
            headers["x-amz-tagging"] = tags
        upload = Upload.begin(bucket, target_key, headers)

        def copy(piece: Piece, has_failed: Callable[[], bool]) -> Part:
            span = f"bytes={piece.offset}-{piece.offset + piece.length - 1}"
            asked = {**bucket.source_headers(source.key, source.etag), "x-amz-copy-source-range": span}
            answer = upload.ask_part(piece.number, asked, b"", has_failed, "UploadPartCopy")
            etag, _modified = copied(answer, bucket.place(target_key), "CopyPartResult")
            return Part(piece.number, etag)

        try:
            parts = self._room.each(cut(source.size, self._part_bytes), copy)
            self._source(source.key, source.etag)  # for servers that ignore the condition on the source
            return upload.complete(parts, condition, source.size)
        except BaseException:
            upload.abort()
            raise

    def _source(self, key: str, etag: str) -> ObjectInfo:
        info = self._bucket.look(key)
        if info is None:
            raise NoSuchKeyError(f"there is no {self._bucket.place(key)}")
        if info.etag != etag:
            raise self._bucket.changed(key)
        return info

    def _modified(self, key: str, written: Written) -> float:
        """When it was written, by the answer or by a look; as it was before is never assumed."""
        if written.modified is not None:
            return written.modified
        now = self._bucket.look(key)
        if now is None or now.etag != written.etag:
            raise self._bucket.changed(key)
        return now.last_modified

    def _is_copy(self, source_key: str, source_etag: str, now: ObjectInfo) -> bool:
        """After a lost answer: the metadata went along, so a token or a single-part ETag tells the very version."""
        if now.etag == source_etag:
            return True
        source = self._bucket.look(source_key)
        token = ((source.metadata or {}) if source else {}).get(TOKEN)
        return bool(source and token and source.etag == source_etag and source.size == now.size) and (
            (now.metadata or {}).get(TOKEN) == token
        )

    def _absence(self, error: NoSuchKeyError, source_key: str, target_key: str, expected: str | None) -> StoreError:
        """S3 says NoSuchKey of the source, and of a target that If-Match names."""
        if expected is not None and self._bucket.look(source_key) is not None:
            return self._bucket.changed(target_key)
        return error

    def _tags(self, key: str) -> str:
        try:
            return all_tags(self._bucket, key)
        except StoppedError:
            raise
        except StoreError as error:
            if error.status in (400, 403, 404, 405, 501):
                return ""
            raise

    def _grants(self, key: str) -> dict[str, str]:
        if not self._acl_is_told:
            return {}
        try:
            return grant_headers(self._bucket.ask(Request("GetObjectAcl", "GET", key, query={"acl": ""})).body)
        except StoppedError:
            raise
        except StoreError as error:
            if error.status in (400, 403, 405, 501):
                self._acl_is_told = False
                return {}
            raise
