"""Compare and swap: a write that names what it expects to find, and what its answer really means.

A retried write meets its own first success as 412, 404 or 409; a proxy answers 200 with HTML. Neither is taken at its
word: one HEAD that finds our own mark settles it. Where a condition is not kept by the server, a look goes before.
Sources: S3 user guide, "conditional writes"; research/reliability.md 2.2 and finding 4.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from runner.store.bucket import Bucket
from runner.store.door import Written
from runner.store.errors import (
    NoSuchKeyError,
    ServerFaultError,
    StoppedError,
    StoreError,
    ThrottledError,
    UnreachableError,
)
from runner.store.listing import ObjectInfo
from runner.store.request import Answer, Request
from runner.store.write_token import TOKEN


def carries(token: str) -> Callable[[ObjectInfo], bool]:
    """Whether an object is the one that was written with this token."""
    return lambda info: (info.metadata or {}).get(TOKEN) == token


@dataclass(frozen=True, slots=True)
class Condition:
    """expected: the ETag of the version to replace, None: there must be none. is_ours: knows our own write again.

    sent: the server keeps the condition, so it is sent and believed; otherwise a look goes before the write.
    """

    expected: str | None
    is_ours: Callable[[ObjectInfo], bool]
    sent: bool = True

    def headers(self, bucket: Bucket, *, bare: bool) -> dict[str, str]:
        if not self.sent:
            return {}
        if self.expected is None:
            return {"If-None-Match": "*"}
        return {"If-Match": self.expected if bare else bucket.quoted(self.expected)}

    def look_first(self, bucket: Bucket, key: str) -> None:
        """Raises PreconditionFailedError when the key is not as expected now."""
        now = bucket.look(key)
        if (now.etag if now else None) != self.expected:
            raise bucket.changed(key)


def write(bucket: Bucket, request: Request, condition: Condition, read: Callable[[Answer], Written]) -> Written:
    """Sends the write on its condition. read: what the answer says; raises ServerFaultError when it is not believed.

    Raises PreconditionFailedError also where S3 says 404 or 409 to a condition; StoreError.
    """
    if not condition.sent:
        condition.look_first(bucket, request.key)
    bare = bucket.bare_etags
    while True:
        try:
            written = read(bucket.ask(request.with_headers(condition.headers(bucket, bare=bare))))
        except StoreError as error:
            if condition.sent and _is_folders_name(error, condition, bucket, request.key):
                condition = replace(condition, sent=False)
                condition.look_first(bucket, request.key)
                continue
            may_be_ours = bool(error.lost) or isinstance(error, ServerFaultError)  # the latter: an answer that is none
            may_be_spelling = error.status == 412 and condition.expected is not None and condition.sent and not bare
            if isinstance(error, _NOT_SETTLED_BY_LOOKING) or not (may_be_ours or may_be_spelling):
                raise _refusal(error, condition, bucket, request.key) from error
            now = _look_after(bucket, request.key, error)
            if may_be_ours and now is not None and condition.is_ours(now):
                return Written(now.etag, now.last_modified)
            if not may_be_spelling or now is None or now.etag != condition.expected:
                raise _refusal(error, condition, bucket, request.key) from error
            bare = True  # what was expected is there, and nothing of ours: the quotes were refused
            continue
        bucket.bare_etags = bucket.bare_etags or bare
        return written


_NOT_SETTLED_BY_LOOKING = (StoppedError, UnreachableError, ThrottledError)


def _is_folders_name(error: StoreError, condition: Condition, bucket: Bucket, key: str) -> bool:
    """A server that keeps folders (and lists in their order) takes one for an object when asked to create.

    SeaweedFS answers 412 to `If-None-Match: *` on `d` as long as it has a folder `d`, even one whose last object was
    deleted long ago, and 404 to HEAD: such a name can only be looked at and then written.
    """
    if error.status != 412 or error.lost or condition.expected is not None:
        return False
    return bucket.capabilities.byte_order is False and bucket.look(f"{key}/") is not None


def _look_after(bucket: Bucket, key: str, error: StoreError) -> ObjectInfo | None:
    """Of a failing look after a fault, the fault is told: it came first. After a refusal: nothing is known."""
    try:
        return bucket.look(key)
    except StoppedError:
        raise
    except StoreError:
        if isinstance(error, ServerFaultError):
            raise error from None
        raise


def _refusal(error: StoreError, condition: Condition, bucket: Bucket, key: str) -> StoreError:
    """A 404 to If-Match is a condition that failed: the object to be replaced is gone."""
    if isinstance(error, NoSuchKeyError) and condition.expected is not None and condition.sent:
        gone = bucket.changed(key)
        gone.status, gone.code, gone.lost = error.status, error.code, error.lost
        return gone
    return error
