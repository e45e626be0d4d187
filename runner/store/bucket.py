"""One bucket as every call sees it: asking it, looking at a key, and the headers that all writes share.

Knows how the server wants ETags spelled and which conditions it keeps (`capabilities`). Decides nothing about files.
"""

from collections.abc import Callable, Mapping
from typing import Literal
from urllib.parse import quote

from runner.config.settings import Pair
from runner.store.answers import info_of, versioning_of
from runner.store.capabilities import AWS, Capabilities
from runner.store.conversation import Conversation
from runner.store.door import ContentHeaders
from runner.store.errors import NoSuchKeyError, ObjectTooLargeError, PreconditionFailedError, StoreError
from runner.store.listing import ObjectInfo
from runner.store.request import Answer, Request

_META = "x-amz-meta-"
_LOOKS = 3


class Bucket:
    """For any number of threads. bare_etags: this server refuses a right ETag in quotes (radosgw 16).

    session: of who writes, for his tokens (`write_token`).
    """

    def __init__(self, name: str, pair: Pair, conversation: Conversation) -> None:
        self.name = name
        self.pair = pair
        self.conversation = conversation
        self.capabilities: Capabilities = AWS
        self.bare_etags = False
        self.session = ""

    def ask(self, request: Request, give_up: Callable[[], bool] | None = None) -> Answer:
        """As Conversation.ask. give_up: another reason to stop."""
        if give_up is None:
            return self.conversation.ask(request)
        should_stop = self.conversation.should_stop
        return self.conversation.ask(request, lambda: give_up() or should_stop())

    def place(self, key: str) -> str:
        return f"s3://{self.name}/{key}"

    def quoted(self, etag: str) -> str:
        return etag if self.bare_etags or etag == "*" else f'"{etag}"'

    def changed(self, key: str) -> PreconditionFailedError:
        return PreconditionFailedError(f"{self.place(key)} was changed by someone else meanwhile")

    def look(self, key: str) -> ObjectInfo | None:
        """The object, metadata and headers included; None only when S3 names the key as absent.

        A HEAD's 404 has no body and is the same for a missing key, a missing bucket and a proxy's error: one GET of a
        byte tells them apart.
        """
        headers = {"x-amz-checksum-mode": "ENABLED"}
        for _ in range(_LOOKS):
            answer = self.ask(Request("HeadObject", "HEAD", key, headers=headers, accept=(404,)))
            if answer.status != 404:
                return info_of(key, answer.headers)
            if self._is_absent(key):
                return None
        raise PreconditionFailedError(f"{self.place(key)} comes and goes while it is looked at")

    def _is_absent(self, key: str) -> bool:
        """False: it came into being since the HEAD (another runner's new file, say)."""
        try:
            self.ask(Request("GetObject", "GET", key, headers={"Range": "bytes=0-0"}, accept=(416,), max_body_bytes=1))
        except NoSuchKeyError:
            return True
        except ObjectTooLargeError:
            pass  # a server that ignores Range: the object is there now
        return False

    def versioning(self) -> Literal["enabled", "suspended", "off", "unknown"]:
        """`unknown` where asking is not allowed or not understood."""
        try:
            answer = self.ask(Request("GetBucketVersioning", "GET", query={"versioning": ""}))
        except StoreError as error:
            if error.status in (400, 403, 404, 405, 501) and error.code != "NoSuchBucket":
                return "unknown"
            raise
        return versioning_of(answer.body)

    def write_headers(
        self, metadata: Mapping[str, str] | None = None, content: ContentHeaders | None = None
    ) -> dict[str, str]:
        """Of a new object: what the pair's options, the metadata and the content headers say."""
        pair = self.pair
        named = {
            "x-amz-storage-class": pair.storage_class,
            "x-amz-server-side-encryption": pair.sse,
            "x-amz-server-side-encryption-aws-kms-key-id": pair.sse_kms_key_id,
            "x-amz-acl": pair.acl,
        }
        headers = {name: value for name, value in named.items() if value}
        if content is not None:
            headers |= content.as_headers()
        return headers | meta_headers(metadata or {})

    def source_headers(self, key: str, etag: str | None) -> dict[str, str]:
        """Of a copy: from where, and which version."""
        source = quote(f"{self.name}/{key}".encode("utf-8", "surrogateescape"), safe="/-_.~")
        headers = {"x-amz-copy-source": f"/{source}"}
        if etag is not None:
            headers["x-amz-copy-source-if-match"] = self.quoted(etag)
        return headers


def meta_headers(metadata: Mapping[str, str]) -> dict[str, str]:
    """User metadata as request headers."""
    return {_META + name: value for name, value in metadata.items()}
