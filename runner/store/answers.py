"""What S3's successful answers say: pure readings of headers and small documents, believing only what is written."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Literal

from runner.store.errors import ServerFaultError, document, local_name
from runner.store.listing import ObjectInfo
from runner.store.request import Answer

_META = "x-amz-meta-"


def info_of(key: str, headers: Mapping[str, str], size: int | None = None) -> ObjectInfo:
    """An object from a HEAD's or GET's headers. Raises ServerFaultError when they do not describe one."""
    length = headers.get("content-length", "")
    if size is None and not length.isdecimal():
        raise ServerFaultError(f"the server did not say how long {key!r} is")
    if not (etag := headers.get("etag", "").strip('"')):
        raise ServerFaultError(f"the server gave no ETag for {key!r}: not an S3 answer")
    return ObjectInfo(
        key=key,
        size=int(length) if size is None else size,
        etag=etag,
        last_modified=_moment(headers.get("last-modified", "")),
        storage_class=headers.get("x-amz-storage-class") or "STANDARD",
        metadata={name[len(_META) :]: value for name, value in headers.items() if name.startswith(_META)},
        headers=headers,
    )


@lru_cache(maxsize=64)  # a server says the same Date a thousand times a second
def _moment(text: str) -> float:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError):
        return 0.0


def written_at(answer: Answer) -> float | None:
    """About the LastModified of what was just written: the answer's Date, seconds since the epoch. May be one second
    late; who finds another LastModified in a listing looks at the object once."""
    return _moment(answer.headers.get("date", "")) or None


def etag_of(answer: Answer, place: str) -> str:
    """The ETag of a PUT's answer; a 200 without one is not believed."""
    etag = answer.headers.get("etag", "").strip('"')
    if not etag:
        raise ServerFaultError(f"the server said {answer.status} but gave no ETag for {place}: not believed")
    return etag


def result_text(answer: Answer, result: str, name: str) -> str:
    """The text of one element of a result document, "" when the answer is not that document: a 200 may carry an error
    or a proxy's page instead (S3 API reference, CopyObject and CompleteMultipartUpload)."""
    root = document(answer.body)
    if root is None or local_name(root.tag) != result:
        return ""
    return next((child.text.strip() for child in root if local_name(child.tag) == name and child.text), "")


def copied(answer: Answer, place: str, result: str = "CopyObjectResult") -> tuple[str, float | None]:
    """ETag and LastModified (seconds) of a copy's result."""
    etag = result_text(answer, result, "ETag").strip('"')
    if not etag:
        raise ServerFaultError(
            f"the copy to {place} was answered with {answer.status} but without a result: not believed"
        )
    try:
        moment = datetime.fromisoformat(result_text(answer, result, "LastModified"))
    except ValueError:
        return etag, None
    return etag, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def range_total(headers: Mapping[str, str], body_bytes: int) -> int:
    """The whole object's size from Content-Range; the body's when the server sent everything."""
    match = re.fullmatch(r"bytes \d+-\d+/(\d+)", headers.get("content-range", ""))
    return int(match.group(1)) if match else body_bytes


def versioning_of(body: bytes) -> Literal["enabled", "suspended", "off", "unknown"]:
    """No Status element: never enabled (S3 API reference, GetBucketVersioning)."""
    root = document(body)
    if root is None or local_name(root.tag) != "VersioningConfiguration":
        return "unknown"
    status = next((child.text for child in root if local_name(child.tag) == "Status"), None)
    if status is None:
        return "off"
    return "enabled" if status == "Enabled" else "suspended"
