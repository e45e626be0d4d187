"""One multipart upload: begun, filled, completed on condition, or aborted. Nothing is seen in the bucket before.

Source: S3 user guide, "Uploading and copying objects using multipart upload". Answers are believed only when parsed.
"""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import NamedTuple

from runner.store.answers import result_text
from runner.store.bucket import Bucket
from runner.store.conditions import Condition, write
from runner.store.door import Written
from runner.store.errors import ServerFaultError, StoreError
from runner.store.listing import ObjectInfo
from runner.store.request import Answer, Request

_ABORT_SECONDS = 5.0
_COMPLETE_SECONDS = 300.0  # of silence: S3 assembles the object before it answers
_RESULT = "CompleteMultipartUploadResult"
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


class Part(NamedTuple):
    """sha256: base64, "" where the server does not keep checksums."""

    number: int
    etag: str
    sha256: str = ""


class Upload:
    """One that was begun."""

    def __init__(self, bucket: Bucket, key: str, upload_id: str) -> None:
        self._bucket = bucket
        self._key = key
        self._id = upload_id

    @staticmethod
    def begin(bucket: Bucket, key: str, headers: Mapping[str, str]) -> "Upload":
        """headers: those of the object to be (metadata, class, encryption, checksum algorithm)."""
        answer = bucket.ask(Request("CreateMultipartUpload", "POST", key, query={"uploads": ""}, headers=headers))
        upload_id = result_text(answer, "InitiateMultipartUploadResult", "UploadId")
        if not upload_id:
            raise ServerFaultError(f"the server began no multipart upload of {bucket.place(key)}: not believed")
        return Upload(bucket, key, upload_id)

    def ask_part(
        self,
        number: int,
        headers: Mapping[str, str],
        body: bytes,
        has_failed: Callable[[], bool],
        operation: str = "UploadPart",
    ) -> Answer:
        query = {"partNumber": str(number), "uploadId": self._id}
        idle_seconds = 30.0 if body else _COMPLETE_SECONDS  # a part that is copied comes without one
        request = Request(operation, "PUT", self._key, query, headers, body, idle_seconds=idle_seconds)
        return self._bucket.ask(request, has_failed)

    def complete(self, parts: Sequence[Part], condition: Condition, size: int) -> Written:
        """Raises PreconditionFailedError, ServerFaultError (what is there now is not what was sent)."""
        if (
            condition.sent and condition.expected is not None
        ):  # some servers keep If-None-Match here and ignore If-Match
            condition.look_first(self._bucket, self._key)
        request = Request(
            "CompleteMultipartUpload", "POST", self._key, {"uploadId": self._id},
            {"Content-Type": "application/xml"}, _document(parts), idle_seconds=_COMPLETE_SECONDS,
        )  # fmt: skip
        written = write(self._bucket, request, condition, lambda answer: self._completed(answer, condition))
        return self._compared(written, condition.is_ours, size)

    def abort(self) -> None:
        """Never raises for what S3 says; an upload that stays is the bucket's lifecycle rule's to remove."""
        deadline = time.monotonic() + _ABORT_SECONDS
        request = Request("AbortMultipartUpload", "DELETE", self._key, {"uploadId": self._id})
        with contextlib.suppress(StoreError):
            self._bucket.conversation.ask(request, lambda: time.monotonic() > deadline)

    def _completed(self, answer: Answer, condition: Condition) -> Written:
        etag = result_text(answer, _RESULT, "ETag").strip('"')
        if etag:
            return Written(etag)
        place = self._bucket.place(self._key)
        if result_text(answer, _RESULT, "Key"):
            return self._overtaken(condition)
        raise ServerFaultError(f"the upload of {place} got {answer.status} but no result: not believed")

    def _overtaken(self, condition: Condition) -> Written:
        """A result without an ETag: radosgw says so to one of several who complete the same key at once.

        Raises PreconditionFailedError when somebody else's version stands there, ServerFaultError when nothing came.
        """
        now = self._bucket.look(self._key)
        if now is not None and condition.is_ours(now):
            return Written(now.etag, now.last_modified)
        if now is not None and now.etag != condition.expected:
            raise self._bucket.changed(self._key)
        raise ServerFaultError(f"the upload of {self._bucket.place(self._key)} got a result but is not there")

    def _compared(self, written: Written, is_ours: Callable[[ObjectInfo], bool], size: int) -> Written:
        """With the LastModified of what is there now, if that is ours and as long as what was sent."""
        try:
            now = self._bucket.look(self._key)
        except StoreError:
            return written
        if now is None or not is_ours(now):
            return written  # somebody else was here since
        if now.size != size:
            raise ServerFaultError(f"{self._bucket.place(self._key)} has {now.size} bytes, sent were {size}")
        return Written(now.etag, now.last_modified)


def _document(parts: Sequence[Part]) -> bytes:
    rows = "".join(
        f"<Part><PartNumber>{part.number}</PartNumber><ETag>&quot;{escape(part.etag)}&quot;</ETag>"
        + (f"<ChecksumSHA256>{part.sha256}</ChecksumSHA256>" if part.sha256 else "")
        + "</Part>"
        for part in parts
    )
    return f'<CompleteMultipartUpload xmlns="{_NAMESPACE}">{rows}</CompleteMultipartUpload>'.encode()
