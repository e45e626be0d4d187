"""One trial of a server on one key of our own: each condition is sent wrong, which must be refused, and right.

Says True only for what was seen to hold. Knows no policy: `probe` says what is tried and keeps the answer.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

from runner.store.errors import (
    AccessDeniedError,
    NoSuchKeyError,
    PreconditionFailedError,
    StoreError,
    document,
    local_name,
)
from runner.store.request import Answer, Request

if TYPE_CHECKING:
    from runner.store.bucket import Bucket

NOT_ITS_ETAG = "00000000000000000000000000000000"
_NONE_YET = {"If-None-Match": "*"}
_NOT_TAKEN = frozenset({400, 404, 405, 411, 415, 501})  # the server does not take a request with that condition
_WRONG_SHA256 = base64.b64encode(bytes(32)).decode()
Verdict = Literal["accepted", "refused", "not-taken", "forbidden"]


class Trial:
    """etag: of the key's present version. may_delete: False once a deletion was forbidden. reason: why writing was."""

    def __init__(self, bucket: "Bucket", key: str) -> None:
        self.key = key
        self.etag = ""
        self.may_delete = True
        self.reason = ""
        self.made: set[str] = set()
        self._bucket = bucket
        written = bucket.write_headers()
        self._headers = {name: value for name, value in written.items() if name != "x-amz-storage-class"}
        self._count = 0
        self._upload = ""
        self._part = ""

    # ── what is tried ──

    def creates(self) -> bool | None:
        """If-None-Match: * on PutObject, and the key is there afterwards. None: writing is forbidden."""
        first = self._try(self._put(_NONE_YET))
        if first == "forbidden":
            return None
        if first == "refused":  # on a key nobody else can know: an answer was lost, and the retry met our own success
            self._look()
        is_there = bool(self.etag)
        if not is_there and self._try(self._put({})) != "accepted":
            return None
        return is_there and self._try(self._put(_NONE_YET)) == "refused"

    def replaces(self) -> bool:
        """If-Match on PutObject."""
        return self._holds(self._put)

    def deletes_wrong(self) -> bool:
        """Whether DeleteObject with the ETag of another version is refused; the key is there afterwards."""
        verdict = self._try(self._delete({"If-Match": self._bucket.quoted(NOT_ITS_ETAG)}))
        if verdict == "forbidden":
            self.may_delete = False
        if verdict == "accepted":
            self._try(self._put({}))
        return verdict == "refused"

    def deletes_right(self) -> bool:
        """Whether DeleteObject with the right ETag is accepted; the last thing to try."""
        for etag in (self._bucket.quoted(self.etag), self.etag):
            if self._try(self._delete({"If-Match": etag})) == "accepted":
                return True
        try:
            return self._bucket.look(self.key) is None
        except AccessDeniedError:  # without the right to list, absence is not told
            return False

    def verifies_checksums(self) -> bool:
        """Whether a PutObject whose x-amz-checksum-sha256 is wrong is refused."""
        return self._try(self._put({"x-amz-checksum-sha256": _WRONG_SHA256})) == "not-taken"

    def completes(self) -> bool:
        """If-None-Match and If-Match on CompleteMultipartUpload."""
        try:
            return self._complete(_NONE_YET) == "refused" and self._holds(None)
        finally:
            self._abort()

    def copies(self) -> bool:
        """If-None-Match and If-Match of target and source on CopyObject."""
        source = {"x-amz-copy-source-if-match": self._bucket.quoted(NOT_ITS_ETAG)}
        return all(self._try(self._copy(wrong)) == "refused" for wrong in (_NONE_YET, source)) and self._holds(
            self._copy
        )

    # ── how ──

    def _holds(self, make: Callable[[Mapping[str, str]], Request] | None) -> bool:
        """If-Match refuses another version and takes the right one. make None: Complete."""

        def tried(etag: str) -> Verdict:
            condition = {"If-Match": etag}
            return self._try(make(condition)) if make else self._complete(condition)

        if tried(self._bucket.quoted(NOT_ITS_ETAG)) != "refused":
            return False
        before = self.etag
        if (verdict := tried(self._bucket.quoted(before))) == "refused" and not self._bucket.bare_etags:
            self._look()
            if self.etag != before:  # ours: only its answer was lost
                return True
            verdict = tried(before)
            self._bucket.bare_etags = verdict == "accepted"
        return verdict == "accepted"

    def _try(self, request: Request) -> Verdict:
        """One request. Raises StoreError for what says nothing about conditions (no answer, wrong keys, 5xx)."""
        if request.method != "DELETE":
            self.made.add(request.key)
        try:
            answer = self._bucket.ask(request)
        except (PreconditionFailedError, NoSuchKeyError):
            return "refused"
        except AccessDeniedError as error:
            self.reason = str(error)
            return "forbidden"
        except StoreError as error:
            if _is_not_taken(error):
                self.reason = str(error)
                return "not-taken"
            raise
        if request.method != "DELETE" and request.key == self.key and "partNumber" not in request.query:
            self._take_etag(answer)
        return "accepted"

    def _take_etag(self, answer: Answer) -> None:
        root = document(answer.body)
        texts = {local_name(child.tag): child.text or "" for child in root} if root is not None else {}
        if etag := (answer.headers.get("etag") or texts.get("ETag", "")).strip('" '):
            self.etag = etag
        else:
            self._look()

    def _look(self) -> None:
        try:
            info = self._bucket.look(self.key)
        except AccessDeniedError:  # a role that may only write: what the answers said has to do
            return
        self.etag = info.etag if info else self.etag

    def _put(self, headers: Mapping[str, str]) -> Request:
        self._count += 1
        body = f"runner probe {self._count}: to be removed at once\n".encode()
        return Request("PutObject", "PUT", self.key, headers={**self._headers, **headers}, body=body)

    def put_beside(self, ending: str) -> bool:
        """An empty neighbour of the key; False when that is not possible."""
        return self._try(Request("PutObject", "PUT", f"{self.key}{ending}", headers=self._headers)) == "accepted"

    def _delete(self, headers: Mapping[str, str]) -> Request:
        return Request("DeleteObject", "DELETE", self.key, headers=headers)

    def _copy(self, headers: Mapping[str, str]) -> Request:
        self._count += 1
        own = {
            **self._bucket.source_headers(self.key, None),
            "x-amz-metadata-directive": "REPLACE",
            "x-amz-meta-runner-probe": str(self._count),  # a copy onto itself must change something
        }
        return Request("CopyObject", "PUT", self.key, headers={**self._headers, **own, **headers})

    def _complete(self, headers: Mapping[str, str]) -> Verdict:
        """A server may forget an upload whose completion it refused: then once more with a new one."""
        opened = bool(self._upload)
        if not opened and not self._open_upload():
            return "not-taken"
        tag = f"<Part><PartNumber>1</PartNumber><ETag>&quot;{self._part}&quot;</ETag></Part>"
        body = f"<CompleteMultipartUpload>{tag}</CompleteMultipartUpload>".encode()
        md5 = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        query = {"uploadId": self._upload}
        sent = {"Content-MD5": md5, "Content-Type": "application/xml", **headers}
        verdict = self._try(Request("CompleteMultipartUpload", "POST", self.key, query, sent, body))
        if verdict == "not-taken" and opened:
            self._upload = ""
            return self._complete(headers)
        if verdict == "accepted":
            self._upload = ""
        return verdict

    def _open_upload(self) -> bool:
        self._count += 1
        try:
            answer = self._bucket.ask(
                Request("CreateMultipartUpload", "POST", self.key, {"uploads": ""}, dict(self._headers))
            )
            root = document(answer.body)
            found = (child.text or "" for child in root or () if local_name(child.tag) == "UploadId")
            self._upload = next(found, "")
            query = {"partNumber": "1", "uploadId": self._upload}
            part = self._bucket.ask(Request("UploadPart", "PUT", self.key, query, body=f"part {self._count}".encode()))
            self._part = part.headers.get("etag", "").strip('" ')
        except StoreError as error:
            if _is_not_taken(error) or isinstance(error, AccessDeniedError):
                return False
            raise
        return bool(self._upload and self._part)

    def _abort(self) -> None:
        if self._upload:
            query, self._upload = {"uploadId": self._upload}, ""
            with suppress(StoreError):  # the bucket's own rule for unfinished uploads has it
                self._anyhow(Request("AbortMultipartUpload", "DELETE", self.key, query))

    def _anyhow(self, request: Request) -> None:
        """Also when asked to stop."""
        self._bucket.conversation.ask(request, _never)

    def clean_up(self) -> list[str]:
        """Removes what was made, even when asked to stop; the keys that stay."""
        self._abort()
        return [key for key in sorted(self.made) if not self.remove(key)]

    def remove(self, key: str) -> bool:
        try:
            self._anyhow(Request("DeleteObject", "DELETE", key))
        except NoSuchKeyError:
            return True
        except StoreError as error:
            self.reason = str(error)
            return False
        return True


def _is_not_taken(error: StoreError) -> bool:
    """Not for errors that have a kind: an expired token, a missing bucket or another region says nothing of conditions
    though it comes with 400 or 404 too."""
    return type(error) is StoreError and error.status in _NOT_TAKEN


def _never() -> bool:
    return False
