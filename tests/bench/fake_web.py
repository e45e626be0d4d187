"""The bucket in memory as requests reach it: as a transport of the real client, and over HTTP for other processes."""

import base64
import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, unquote, urlsplit

from runner.store.credentials import Credentials
from runner.store.request import Answer, Request
from tests.bench.fake_s3 import FakeS3, RefusedError, Stored

CREDENTIALS = Credentials("testaccesskey", "testsecretkey", endpoint_url="http://fake.test")
_META = "x-amz-meta-"
_HEADERS = (
    "content-type", "cache-control", "content-disposition", "content-encoding", "content-language", "expires",
)  # fmt: skip
Words = Mapping[str, str]


@dataclass(eq=False)
class WebS3(FakeS3):
    """access_keys: the ones it knows, all when there are none. bare: a right ETag is taken only without quotes (radosgw
    16). forgets: an upload whose completion was refused is gone. loses: answers of these operations are lost once (500
    after the deed). not_taken: operations that are answered 501 when they carry a condition. lifecycle: the document.
    """

    access_keys: set[str] = field(default_factory=set)
    bare: bool = False
    forgets: bool = False
    loses: set[str] = field(default_factory=set)
    not_taken: frozenset[str] = frozenset()
    lifecycle: bytes = b""
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)
    _begun: dict[str, Words] = field(default_factory=dict)
    _one_by_one: threading.RLock = field(default_factory=threading.RLock)

    # ── ways in ──

    def transport(self, *_arguments: object, **_options: object) -> "Transport":
        """To be put in the place of runner.store.conversation.Transport."""
        return Transport(self)

    @contextmanager
    def served(self) -> Iterator[str]:
        """The endpoint's URL on loopback."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def answer(self, method: str, target: str, headers: Words, body: bytes) -> Answer:
        """target: path style, encoded."""
        parts = urlsplit(target)
        _, _, key = unquote(parts.path).lstrip("/").partition("/")
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        given = {name.lower(): value for name, value in headers.items()}
        operation = _operation(method, key, query, given)
        with self._one_by_one:
            try:
                answer = self._answer(operation, key, query, given, body)
            except RefusedError as refused:
                answer = _error(refused.status, refused.code)
        return Answer(answer.status, answer.headers, b"") if method == "HEAD" else answer

    def _answer(self, operation: str, key: str, query: Words, given: Words, body: bytes) -> Answer:
        if self.access_keys and not any(f"Credential={name}/" in given["authorization"] for name in self.access_keys):
            raise RefusedError(403, "InvalidAccessKeyId")
        fault = self.admit(operation, key)
        if operation in self.not_taken and ("if-match" in given or "if-none-match" in given):
            raise RefusedError(501, "NotImplemented")
        answer: Answer = getattr(self, f"_{operation}")(key, query, given, body)
        if fault == "garbled":
            return Answer(200, {}, b"<html>Please sign in</html>")
        if fault == "short":
            return Answer(200, {}, answer.body[: len(answer.body) // 2])
        if fault == "lost" or operation in self.loses:
            self.loses.discard(operation)
            raise RefusedError(500, "InternalError")
        return answer

    # ── operations on objects ──

    def _PutObject(self, key: str, _query: Words, given: Words, body: bytes) -> Answer:  # noqa: N802
        if "checksums" in self.kind.keeps:
            _compare(given, "x-amz-checksum-sha256", hashlib.sha256(body).digest())
        _compare(given, "content-md5", hashlib.md5(body).digest())
        self._look("create" if "if-none-match" in given else "replace", key, given)
        return Answer(200, {"etag": f'"{self._store(key, body, given).etag}"'}, b"")

    def _CopyObject(self, key: str, _query: Words, given: Words, _body: bytes) -> Answer:  # noqa: N802
        source_key = unquote(given["x-amz-copy-source"]).lstrip("/").partition("/")[2]
        if f"GetObject {source_key}" in self.forbids:
            raise RefusedError(403, "AccessDenied")
        etag = given.get("x-amz-copy-source-if-match", "").strip('"') if "copy-source" in self.kind.keeps else ""
        source = self.read(source_key, etag or None)
        anew = given.get("x-amz-metadata-directive") == "REPLACE"
        if key == source_key and not anew:
            raise RefusedError(400, "InvalidRequest")
        self._look("copy", key, given)
        copy = self._store(key, source.body, given if anew else {**source.headers, **_meta(source)})
        told = f"<ETag>&quot;{copy.etag}&quot;</ETag><LastModified>{_moment(copy.modified)}</LastModified>"
        return Answer(200, {}, f"<CopyObjectResult>{told}</CopyObjectResult>".encode())

    def _DeleteObject(self, key: str, _query: Words, given: Words, _body: bytes) -> Answer:  # noqa: N802
        self._look("delete", key, given)
        self.remove(key)
        return Answer(204, {}, b"")

    def _HeadObject(self, key: str, *_rest: object) -> Answer:  # noqa: N802
        self.find(key)
        return Answer(200, self._told(key), b"")

    def _GetObject(self, key: str, _query: Words, given: Words, _body: bytes) -> Answer:  # noqa: N802
        body = self.read(key, given.get("if-match", "").strip('"') or None).body
        told = self._told(key)
        if "range" not in given:
            return Answer(200, told, body)
        first, last = (int(number) for number in given["range"].removeprefix("bytes=").split("-"))
        part = body[first : last + 1]
        told |= {
            "content-range": f"bytes {first}-{first + len(part) - 1}/{len(body)}",
            "content-length": f"{len(part)}",
        }
        return Answer(206, told, part)

    def _GetObjectTagging(self, *_rest: object) -> Answer:  # noqa: N802
        return Answer(200, {}, b"<Tagging><TagSet></TagSet></Tagging>")

    def _GetObjectAcl(self, *_rest: object) -> Answer:  # noqa: N802
        return Answer(200, {}, b"<AccessControlPolicy></AccessControlPolicy>")

    # ── parts ──

    def _CreateMultipartUpload(self, _key: str, _query: Words, given: Words, _body: bytes) -> Answer:  # noqa: N802
        name = f"u{len(self.asked)}"
        self.uploads[name], self._begun[name] = {}, given
        told = f"<InitiateMultipartUploadResult><UploadId>{name}</UploadId></InitiateMultipartUploadResult>"
        return Answer(200, {}, told.encode())

    def _UploadPart(self, _key: str, query: Words, _given: Words, body: bytes) -> Answer:  # noqa: N802
        self._upload(query)[int(query["partNumber"])] = body
        return Answer(200, {"etag": f'"{hashlib.md5(body).hexdigest()}"'}, b"")

    def _CompleteMultipartUpload(self, key: str, query: Words, given: Words, _body: bytes) -> Answer:  # noqa: N802
        name, parts = query["uploadId"], self._upload(query)
        try:
            self._look("complete", key, given)
        except RefusedError:
            if self.forgets:
                del self.uploads[name]
            raise
        del self.uploads[name]
        stored = self._store(key, b"".join(parts[number] for number in sorted(parts)), self._begun.pop(name))
        told = f"<ETag>&quot;{stored.etag}&quot;</ETag>"
        return Answer(200, {}, f"<CompleteMultipartUploadResult>{told}</CompleteMultipartUploadResult>".encode())

    def _AbortMultipartUpload(self, _key: str, query: Words, *_rest: object) -> Answer:  # noqa: N802
        self.uploads.pop(query["uploadId"], None)
        return Answer(204, {}, b"")

    def _upload(self, query: Words) -> dict[int, bytes]:
        if query["uploadId"] not in self.uploads:
            raise RefusedError(404, "NoSuchUpload")
        return self.uploads[query["uploadId"]]

    # ── the bucket ──

    def _ListObjectsV2(self, _key: str, query: Words, *_rest: object) -> Answer:  # noqa: N802
        last = base64.urlsafe_b64decode(query.get("continuation-token", "")).decode("utf-8", "surrogateescape")
        keys, more = self.keys_after(query["prefix"], last)
        token = base64.urlsafe_b64encode(keys[-1].encode("utf-8", "surrogateescape")).decode() if more else ""
        told = (
            f"<Name>{self.name}</Name><Prefix>{quote(query['prefix'])}</Prefix><EncodingType>url</EncodingType>"
            f"<KeyCount>{len(keys)}</KeyCount><IsTruncated>{'true' if more else 'false'}</IsTruncated>"
            f"{f'<NextContinuationToken>{token}</NextContinuationToken>' if more else ''}"
            f"{''.join(self._row(key) for key in keys)}"
        )
        return Answer(200, {}, f"<ListBucketResult>{told}</ListBucketResult>".encode())

    def _row(self, key: str) -> str:
        stored = self.objects[key]
        return (
            f"<Contents><Key>{quote(key)}</Key><Size>{len(stored.body)}</Size><ETag>&quot;{stored.etag}&quot;</ETag>"
            f"<LastModified>{_moment(stored.modified, fraction=self.kind.fraction)}</LastModified>"
            f"<StorageClass>{stored.storage_class or 'STANDARD'}</StorageClass></Contents>"
        )

    def _GetBucketVersioning(self, *_rest: object) -> Answer:  # noqa: N802
        if self.kind.versioning == "unknown":
            raise RefusedError(501, "NotImplemented")
        status = f"<Status>{self.kind.versioning.capitalize()}</Status>" if self.kind.versioning != "off" else ""
        return Answer(200, {}, f"<VersioningConfiguration>{status}</VersioningConfiguration>".encode())

    def _GetBucketLifecycleConfiguration(self, *_rest: object) -> Answer:  # noqa: N802
        if not self.lifecycle:
            raise RefusedError(404, "NoSuchLifecycleConfiguration")
        return Answer(200, {}, self.lifecycle)

    # ── how ──

    def _look(self, kept: str, key: str, given: Words) -> None:
        """At the condition that was given, if one was."""
        if given.get("if-none-match") == "*":
            self.check(kept, key, None)
        elif (etag := given.get("if-match")) is not None:
            self.check(kept, key, etag if self.bare else etag[1:-1] if etag.startswith('"') else f"unquoted {etag}")

    def _store(self, key: str, body: bytes, given: Words) -> Stored:
        metadata = {name.removeprefix(_META): text for name, text in given.items() if name.startswith(_META)}
        return self.put(key, body, metadata, **{name: given[name] for name in _HEADERS if name in given})

    def _told(self, key: str) -> dict[str, str]:
        stored = self.objects[key]
        return {
            "etag": f'"{stored.etag}"',
            "content-length": str(len(stored.body)),
            "last-modified": formatdate(stored.modified, usegmt=True),
            **({"x-amz-storage-class": stored.storage_class} if stored.storage_class else {}),
            **stored.headers,
            **_meta(stored),
        }


class Transport:
    """runner.store.transport.Transport of one client."""

    def __init__(self, server: WebS3) -> None:
        self._server = server

    def send(
        self, request: Request, target: str, headers: Words, should_stop: Callable[[], bool], deadline: float
    ) -> Answer:
        return self._server.answer(request.method, target, headers, request.body)

    def close(self) -> None: ...


def _operation(method: str, key: str, query: Words, given: Words) -> str:
    if not key:
        of_bucket = {"versioning": "GetBucketVersioning", "lifecycle": "GetBucketLifecycleConfiguration"}
        return next((name for word, name in of_bucket.items() if word in query), "ListObjectsV2")
    of_object = {"tagging": "GetObjectTagging", "acl": "GetObjectAcl"}
    if method == "GET" and (word := next((word for word in of_object if word in query), "")):
        return of_object[word]
    if method == "POST":
        return "CreateMultipartUpload" if "uploads" in query else "CompleteMultipartUpload"
    if "uploadId" in query:
        return "AbortMultipartUpload" if method == "DELETE" else "UploadPart"
    if "x-amz-copy-source" in given:
        return "CopyObject"
    return {"PUT": "PutObject", "DELETE": "DeleteObject", "GET": "GetObject", "HEAD": "HeadObject"}[method]


def _error(status: int, code: str) -> Answer:
    return Answer(status, {}, f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode())


def _compare(given: Words, name: str, digest: bytes) -> None:
    if name in given and given[name] != base64.b64encode(digest).decode():
        raise RefusedError(400, "BadDigest")


def _meta(stored: Stored) -> dict[str, str]:
    return {f"{_META}{name}": text for name, text in stored.metadata.items()}


def _moment(seconds: float, *, fraction: bool = False) -> str:
    rest = f".{int(seconds * 1000) % 1000:03}" if fraction else ""
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}{rest}Z"


def _handler(s3: WebS3) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = s3.answer(self.command, self.path, dict(self.headers), body)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if "content-length" not in answer.headers:
                self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_one  # noqa: N815

        def log_message(self, *_arguments: object) -> None: ...

    return Handler
