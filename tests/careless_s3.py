"""An S3 in memory that keeps only the promises it is told to: as a transport for unit tests, over HTTP for others."""

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

EVERYTHING = frozenset({"create", "replace", "delete", "complete", "copy", "copy-source", "checksums", "order"})


@dataclass
class Stored:
    body: bytes
    etag: str
    modified: float
    headers: dict[str, str] = field(default_factory=dict)
    storage_class: str = ""  # GLACIER: its bytes cannot be had


@dataclass
class CarelessS3:
    """keeps: of EVERYTHING. forbids: operations by S3's name, "GetObject KEY" too, that are answered 403; who may not
    list is not told of absence either. access_keys: the ones it knows, all when there are none. bare:
    a right ETag is taken only without quotes (radosgw 16). forgets: an upload whose completion was refused is gone.
    loses: answers of these operations are lost once (500 after the deed)."""

    bucket: str = "bkt"
    keeps: frozenset[str] = frozenset()
    forbids: frozenset[str] = frozenset()
    access_keys: set[str] = field(default_factory=set)
    bare: bool = False
    forgets: bool = False
    loses: set[str] = field(default_factory=set)
    not_taken: frozenset[str] = frozenset()  # answered 501 when they carry a condition
    answers: dict[str, tuple[int, str]] = field(default_factory=dict)  # operation to the error it always gets
    refuses_all: bool = False  # 412 to every condition, right or wrong
    lifecycle: bytes = b""
    versioning: str = ""
    clock: Callable[[], float] = time.time
    objects: dict[str, Stored] = field(default_factory=dict)
    uploads: dict[str, list[bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """target: path style, encoded."""
        parts = urlsplit(target)
        _, _, key = unquote(parts.path).lstrip("/").partition("/")
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        given = {name.lower(): value for name, value in headers.items()}
        operation = _operation(method, key, query, given)
        self.asked.append(operation)
        if self.access_keys and not any(f"Credential={name}/" in given["authorization"] for name in self.access_keys):
            return _error(403, "InvalidAccessKeyId")
        if operation in self.answers:
            return _error(*self.answers[operation])
        if {operation, f"{operation} {key}"} & self.forbids:
            return _error(403, "AccessDenied")
        if operation in self.not_taken and ("if-match" in given or "if-none-match" in given):
            return _error(501, "NotImplemented")
        answer: Answer = getattr(self, f"_{operation}")(key, query, given, body)
        if operation in self.loses:
            self.loses.discard(operation)
            return _error(500, "InternalError")
        return answer

    # ── operations ──

    def _PutObject(self, key: str, _query: Mapping[str, str], given: Mapping[str, str], body: bytes) -> Answer:  # noqa: N802
        wanted = base64.b64encode(hashlib.sha256(body).digest()).decode()
        if "checksums" in self.keeps and given.get("x-amz-checksum-sha256", wanted) != wanted:
            return _error(400, "BadDigest")
        kept = "create" if "if-none-match" in given else "replace"
        if refusal := self._refused(key, given, kept=kept):
            return refusal
        return Answer(200, {"etag": self._store(key, body, given)}, b"")

    def _CopyObject(self, key: str, _query: Mapping[str, str], given: Mapping[str, str], _body: bytes) -> Answer:  # noqa: N802
        source_key = unquote(given["x-amz-copy-source"]).lstrip("/").partition("/")[2]
        source = self.objects[source_key]
        if f"GetObject {source_key}" in self.forbids:
            return _error(403, "AccessDenied")
        if source.storage_class:
            return _error(403, "InvalidObjectState")
        condition = given.get("x-amz-copy-source-if-match", "").strip('"')
        if "copy-source" in self.keeps and condition not in ("", source.etag):
            return _error(412, "PreconditionFailed")
        if refusal := self._refused(key, given, kept="copy"):
            return refusal
        etag = self._store(key, source.body, given)
        return Answer(200, {}, f"<CopyObjectResult><ETag>{etag}</ETag></CopyObjectResult>".encode())

    def _DeleteObject(self, key: str, _query: Mapping[str, str], given: Mapping[str, str], _body: bytes) -> Answer:  # noqa: N802
        if refusal := self._refused(key, given, kept="delete"):
            return refusal
        self.objects.pop(key, None)
        return Answer(204, {}, b"")

    def _CreateMultipartUpload(self, key: str, *_rest: object) -> Answer:  # noqa: N802
        name = f"u{len(self.asked)}"
        self.uploads[name] = []
        told = f"<InitiateMultipartUploadResult><UploadId>{name}</UploadId></InitiateMultipartUploadResult>"
        return Answer(200, {}, told.encode())

    def _UploadPart(self, _key: str, query: Mapping[str, str], _given: object, body: bytes) -> Answer:  # noqa: N802
        self.uploads[query["uploadId"]].append(body)
        return Answer(200, {"etag": f'"{hashlib.md5(body).hexdigest()}"'}, b"")

    def _CompleteMultipartUpload(  # noqa: N802
        self, key: str, query: Mapping[str, str], given: Mapping[str, str], _body: bytes
    ) -> Answer:
        if query["uploadId"] not in self.uploads:
            return _error(404, "NoSuchUpload")
        if refusal := self._refused(key, given, kept="complete"):
            if self.forgets:
                self.uploads.pop(query["uploadId"])
            return refusal
        etag = self._store(key, b"".join(self.uploads.pop(query["uploadId"])), given)
        return Answer(
            200, {}, f"<CompleteMultipartUploadResult><ETag>{etag}</ETag></CompleteMultipartUploadResult>".encode()
        )

    def _AbortMultipartUpload(self, _key: str, query: Mapping[str, str], *_rest: object) -> Answer:  # noqa: N802
        self.uploads.pop(query["uploadId"], None)
        return Answer(204, {}, b"")

    def _HeadObject(self, key: str, *_rest: object) -> Answer:  # noqa: N802
        if {"GetObject", f"GetObject {key}"} & self.forbids:
            return Answer(403, {}, b"")
        return Answer(200, self._told(key), b"") if key in self.objects else self._absent()

    def _GetObject(self, key: str, *_rest: object) -> Answer:  # noqa: N802
        if key not in self.objects:
            return self._absent()
        if self.objects[key].storage_class:
            return _error(403, "InvalidObjectState")
        return Answer(200, self._told(key), self.objects[key].body)

    def _ListObjectsV2(self, _key: str, query: Mapping[str, str], *_rest: object) -> Answer:  # noqa: N802
        keys = [key for key in self.objects if key.startswith(query["prefix"])]
        keys.sort(key=None if "order" in self.keeps else lambda key: key.replace("/", "\0"))
        rows = "".join(
            f"<Contents><Key>{quote(key)}</Key><Size>{len(self.objects[key].body)}</Size>"
            f"<ETag>{self.objects[key].etag}</ETag>"
            f"<LastModified>{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(self.objects[key].modified))}"
            f"</LastModified><StorageClass>{self.objects[key].storage_class or 'STANDARD'}</StorageClass></Contents>"
            for key in keys
        )
        told = (
            f"<ListBucketResult><Name>{self.bucket}</Name><Prefix>{quote(query['prefix'])}</Prefix>"
            f"<EncodingType>url</EncodingType><KeyCount>{len(keys)}</KeyCount><IsTruncated>false</IsTruncated>"
            f"{rows}</ListBucketResult>"
        )
        return Answer(200, {}, told.encode())

    def _GetBucketVersioning(self, *_rest: object) -> Answer:  # noqa: N802
        status = f"<Status>{self.versioning}</Status>" if self.versioning else ""
        return Answer(200, {}, f"<VersioningConfiguration>{status}</VersioningConfiguration>".encode())

    def _GetBucketLifecycleConfiguration(self, *_rest: object) -> Answer:  # noqa: N802
        return Answer(200, {}, self.lifecycle) if self.lifecycle else _error(404, "NoSuchLifecycleConfiguration")

    def _GetObjectTagging(self, *_rest: object) -> Answer:  # noqa: N802
        return Answer(200, {}, b"<Tagging><TagSet></TagSet></Tagging>")

    def _GetObjectAcl(self, *_rest: object) -> Answer:  # noqa: N802
        return Answer(200, {}, b"<AccessControlPolicy></AccessControlPolicy>")

    def _absent(self) -> Answer:
        return _error(403, "AccessDenied") if "ListObjectsV2" in self.forbids else _error(404, "NoSuchKey")

    # ── storing ──

    def _store(self, key: str, body: bytes, given: Mapping[str, str]) -> str:
        etag = hashlib.md5(body).hexdigest()
        meta = {name: value for name, value in given.items() if name.startswith("x-amz-meta-")}
        self.objects[key] = Stored(body, etag, self.clock(), meta)
        return f'"{etag}"'

    def _told(self, key: str) -> dict[str, str]:
        stored = self.objects[key]
        return {
            "etag": f'"{stored.etag}"',
            "content-length": str(len(stored.body)),
            "last-modified": formatdate(stored.modified, usegmt=True),
            **({"x-amz-storage-class": stored.storage_class} if stored.storage_class else {}),
            **stored.headers,
        }

    def _refused(self, key: str, given: Mapping[str, str], *, kept: str) -> Answer | None:
        if kept not in self.keeps:
            return None
        if self.refuses_all and ("if-match" in given or "if-none-match" in given):
            return _error(412, "PreconditionFailed")
        now = self.objects.get(key)
        if given.get("if-none-match") == "*" and now is not None:
            return _error(412, "PreconditionFailed")
        if (wanted := given.get("if-match")) is not None:
            right = now is not None and wanted == (now.etag if self.bare else f'"{now.etag}"')
            return None if right else _error(412, "PreconditionFailed")
        return None

    # ── ways in ──

    def transport(self, *_arguments: object, **_options: object) -> "CarelessTransport":
        """To be put in the place of runner.store.conversation.Transport."""
        return CarelessTransport(self)

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


class CarelessTransport:
    def __init__(self, server: CarelessS3) -> None:
        self._server = server

    def send(
        self,
        request: Request,
        target: str,
        headers: Mapping[str, str],
        should_stop: Callable[[], bool],
        deadline: float,
    ) -> Answer:
        return self._server.answer(request.method, target, headers, request.body)

    def close(self) -> None:
        pass


CREDENTIALS = Credentials("testaccesskey", "testsecretkey", endpoint_url="http://careless.test")


def _operation(method: str, key: str, query: Mapping[str, str], given: Mapping[str, str]) -> str:
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


def _handler(s3: CarelessS3) -> type[BaseHTTPRequestHandler]:
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
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_one  # noqa: N815

        def log_message(self, *_arguments: object) -> None:
            pass

    return Handler
