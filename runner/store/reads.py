"""Reading objects: whole small ones, slices in order, pieces side by side. Every byte is of one named version.

A server may ignore Range or If-Match, so the answer's own ETag, range and length are compared with what was asked.
Source: "GetObject" in the S3 API reference.
"""

import base64
import hashlib
from collections.abc import Callable

from runner.store.answers import info_of, range_total
from runner.store.bucket import Bucket
from runner.store.errors import ObjectTooLargeError, ServerFaultError
from runner.store.listing import ObjectInfo
from runner.store.pieces import PIECE_BYTES, Piece, Room, cut
from runner.store.request import Answer, Request

_LEAST_RANGE_BYTES = 256 * 1024


class Reads:
    """The reading half of a client."""

    def __init__(self, bucket: Bucket, room: Room) -> None:
        self._bucket = bucket
        self._room = room
        rate = bucket.pair.bandwidth_bytes_per_second
        self._range_bytes = PIECE_BYTES if rate is None else min(PIECE_BYTES, max(_LEAST_RANGE_BYTES, int(rate)))

    def get_bytes(self, key: str, max_bytes: int) -> bytes:
        headers = {"Range": f"bytes=0-{max_bytes}"}
        asked = Request("GetObject", "GET", key, headers=headers, accept=(416,), max_body_bytes=max_bytes + 1)
        answer = self._bucket.ask(asked)
        if answer.status == 416:  # an empty object has no byte 0
            return b""
        if len(answer.body) > max_bytes or range_total(answer.headers, len(answer.body)) > max_bytes:
            raise self._too_large(key, max_bytes)
        return answer.body

    def get_to(self, key: str, write: Callable[[bytes], None], if_match: str | None) -> ObjectInfo:
        etag, offset, total, info = if_match, 0, 1, None
        while offset < total:
            condition = {"If-Match": self._bucket.quoted(etag)} if etag else {}
            headers = {"Range": f"bytes={offset}-{offset + PIECE_BYTES - 1}", **condition}
            accept = (416,) if offset == 0 else ()
            answer = self._bucket.ask(Request("GetObject", "GET", key, headers=headers, accept=accept))
            if answer.status == 416:
                return self._empty(key, if_match)
            info = info_of(key, answer.headers, size=range_total(answer.headers, len(answer.body)))
            if (answer.status == 200 and offset) or (not answer.body and info.size):
                raise self._other_range(key)
            etag, total = etag or info.etag, info.size
            write(answer.body)
            offset += len(answer.body)
        assert info is not None
        return info

    def get_small(self, key: str, *, max_bytes: int, etag: str | None) -> tuple[ObjectInfo, bytes]:
        headers = {"x-amz-checksum-mode": "ENABLED"}
        if etag is not None:
            headers["If-Match"] = self._bucket.quoted(etag)
        try:
            answer = self._bucket.ask(Request("GetObject", "GET", key, headers=headers, max_body_bytes=max_bytes))
        except ObjectTooLargeError:
            raise self._too_large(key, max_bytes) from None
        info = self._proven(key, answer, etag)
        if info.size != len(answer.body):
            raise self._other_range(key)
        _compare_checksum(info, answer.body)
        return info, answer.body

    def get_file(
        self,
        key: str,
        *,
        size: int,
        etag: str,
        write_at: Callable[[int, bytes], None],
        on_bytes: Callable[[int], None],
    ) -> ObjectInfo:
        if size == 0:
            return self._empty(key, etag)

        def get(piece: Piece, has_failed: Callable[[], bool]) -> ObjectInfo:
            info, body = self._range(key, piece, size, etag, has_failed)
            write_at(piece.offset, body)
            on_bytes(piece.length)
            return info

        return self._room.each(cut(size, self._range_bytes), get)[0]

    def _range(
        self, key: str, piece: Piece, size: int, etag: str, has_failed: Callable[[], bool]
    ) -> tuple[ObjectInfo, bytes]:
        last = piece.offset + piece.length - 1
        headers = {"Range": f"bytes={piece.offset}-{last}", "If-Match": self._bucket.quoted(etag)}
        request = Request("GetObject", "GET", key, headers=headers, accept=(416,), max_body_bytes=piece.length)
        answer = self._bucket.ask(request, has_failed)
        if answer.status == 416:  # it has become shorter, on a server that ignores If-Match
            raise self._bucket.changed(key)
        info = self._proven(key, answer, etag)
        whole = piece.length == size and answer.status == 200
        if not whole and answer.headers.get("content-range", "") != f"bytes {piece.offset}-{last}/{size}":
            raise self._other_range(key)
        if len(answer.body) != piece.length:
            raise self._other_range(key)
        return info._replace(size=size), answer.body

    def _proven(self, key: str, answer: Answer, etag: str | None) -> ObjectInfo:
        info = info_of(key, answer.headers)
        if etag is not None and info.etag != etag:
            raise self._bucket.changed(key)
        return info

    def _empty(self, key: str, etag: str | None) -> ObjectInfo:
        info = self._bucket.look(key)
        if info is None or info.size or (etag and info.etag != etag):
            raise self._bucket.changed(key)
        return info

    def _other_range(self, key: str) -> ServerFaultError:
        return ServerFaultError(f"the server answered another range of {self._bucket.place(key)} than was asked")

    def _too_large(self, key: str, max_bytes: int) -> ObjectTooLargeError:
        return ObjectTooLargeError(f"{self._bucket.place(key)} is larger than {max_bytes} bytes")


def _compare_checksum(info: ObjectInfo, body: bytes) -> None:
    """Where the server kept a SHA-256 of the whole object (a composite one, of parts, has a "-")."""
    said = (info.headers or {}).get("x-amz-checksum-sha256", "")
    if said and "-" not in said and said != base64.b64encode(hashlib.sha256(body).digest()).decode():
        raise ServerFaultError(f"the bytes of {info.key!r} are not those that its checksum was made of")
