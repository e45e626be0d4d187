"""Sending files: in one request where one piece holds them, else as a multipart upload. Never a torn file.

Pieces are read, hashed and sent one by one; before anything appears, `still_same` says whether they belong together.
"""

import hashlib
from collections.abc import Callable, Mapping

from runner.store.answers import etag_of
from runner.store.bucket import Bucket
from runner.store.conditions import Condition, carries
from runner.store.door import ContentHeaders, Written
from runner.store.errors import SourceChangedError
from runner.store.pieces import PIECE_BYTES, Piece, Room, cut
from runner.store.upload import Part, Upload
from runner.store.write_token import TOKEN, new_token
from runner.store.writes import Writes, checksum_headers


class Multipart:
    """Files of any size into one bucket."""

    def __init__(self, bucket: Bucket, room: Room, writes: Writes) -> None:
        self._bucket = bucket
        self._room = room
        self._writes = writes

    def put_file(
        self,
        key: str,
        *,
        size: int,
        read_at: Callable[[int, int], bytes],
        expected: str | None,
        metadata: Mapping[str, str],
        content: ContentHeaders,
        still_same: Callable[[], bool],
        on_bytes: Callable[[int], None],
    ) -> Written:
        if size <= PIECE_BYTES:
            body = self._read(key, read_at, Piece(1, 0, size))
            self._prove(key, still_same)
            digest = hashlib.sha256(body).digest()
            written = self._writes.put_small(
                key, body, expected=expected, metadata=metadata, content=content, sha256=digest
            )
            on_bytes(size)
            return written
        token = new_token(self._bucket.session, key)
        condition = Condition(expected, carries(token), self._bucket.capabilities.complete)
        condition.look_first(self._bucket, key)  # before gigabytes are sent in vain
        headers = self._bucket.write_headers({**metadata, TOKEN: token}, content)
        if self._bucket.capabilities.checksums:
            headers["x-amz-checksum-algorithm"] = "SHA256"
        upload = Upload.begin(self._bucket, key, headers)

        def put(piece: Piece, has_failed: Callable[[], bool]) -> Part:
            part = self._part(upload, piece, self._read(key, read_at, piece), has_failed)
            on_bytes(piece.length)
            return part

        try:
            parts = self._room.each(cut(size), put)
            self._prove(key, still_same)
            return upload.complete(parts, condition, size)
        except BaseException:
            upload.abort()
            raise

    def _part(self, upload: Upload, piece: Piece, body: bytes, has_failed: Callable[[], bool]) -> Part:
        digest = hashlib.sha256(body).digest() if self._bucket.capabilities.checksums else b""
        headers = checksum_headers(self._bucket, body, digest)
        answer = upload.ask_part(piece.number, headers, body, has_failed)
        return Part(piece.number, etag_of(answer, "a part"), headers.get("x-amz-checksum-sha256", ""))

    def _read(self, key: str, read_at: Callable[[int, int], bytes], piece: Piece) -> bytes:
        body = read_at(piece.offset, piece.length) if piece.length else b""
        if len(body) != piece.length:
            raise self._source_changed(key)
        return body

    def _prove(self, key: str, still_same: Callable[[], bool]) -> None:
        if not still_same():
            raise self._source_changed(key)

    def _source_changed(self, key: str) -> SourceChangedError:
        return SourceChangedError(f"the file for {self._bucket.place(key)} changed while it was read: not published")
