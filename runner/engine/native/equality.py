"""Are a file and an object the same bytes? What ETags, part sizes and hashes can tell without reading the object.

Pure: the caller feeds the file's bytes once. Never says "different" on an ETag that need not be a hash of the content.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Protocol

from runner.engine.native.facts import Remote

MIB = 1024 * 1024
MAX_PARTS = 10_000  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
_MAX_CANDIDATES = 6  # each one costs another MD5 over the whole file

# Bytes. Who cuts so: 5 rclone (s3.chunk_size) and the smallest S3 takes; 8 boto3, aws-cli (multipart_chunksize), this
# runner; 10 s3fs (multipart_size); 15 s3cmd; 16, 64 and 128 minio-go's generations; 64 rclone's multi-thread uploads;
# 50 s5cmd; the rest are round sizes that people set.
USUAL_PART_SIZES = tuple(mib * MIB for mib in (8, 5, 16, 10, 64, 15, 50, 128, 20, 25, 32, 100, 256, 512, 1024))

_PLAIN = re.compile(r"[0-9a-f]{32}")
_MULTIPART = re.compile(r"([0-9a-f]{32})-([1-9][0-9]{0,4})")


class Digests(Protocol):
    """Of one read of a file. size in bytes; md5, sha256 in hex; multipart: part size in bytes -> the ETag it gives."""

    @property
    def size(self) -> int: ...
    @property
    def md5(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def multipart(self) -> Mapping[int, str]: ...


class _Hash(Protocol):
    def update(self, data: bytes | memoryview, /) -> None: ...
    def digest(self) -> bytes: ...


def link_sha256(target: str) -> str:
    """The content hash of a symbolic link: of its target's bytes, which are its object's body."""
    return hashlib.sha256(target.encode("utf-8", "surrogateescape")).hexdigest()


def part_count(etag: str) -> int | None:
    """How many parts a multipart ETag (`<md5 of md5s>-<n>`) says; None for any other."""
    match = _MULTIPART.fullmatch(_bare(etag))
    return int(match.group(2)) if match else None


def part_sizes(size: int, parts: int) -> tuple[int, ...]:
    """The part sizes in bytes that may have cut an object of `size` bytes into `parts`, likely ones first.

    The usual ones that fit; 8 MiB doubled as s3transfer's ChunksizeAdjuster does; the smallest whole MiB that fits,
    as rclone's chunksize.Calculator takes for files of more than 10,000 parts. One part: its size does not matter.
    """
    if parts < 1 or parts > MAX_PARTS or size < 0:
        return ()
    if parts == 1:
        return (max(size, 1),)
    doubled = tuple(8 * MIB << step for step in range(1, 10))
    smallest = -(-size // (parts * MIB)) * MIB  # ceil(size / parts), rounded up to whole MiB
    fitting = [each for each in (*USUAL_PART_SIZES, *doubled, smallest) if each > 0 and -(-size // each) == parts]
    return tuple(dict.fromkeys(fitting))[:_MAX_CANDIDATES]


class Digester:
    """Feeds one read of a file to every hash that is needed to compare it with an object.

    size: of the file in bytes, as far as known before the read. etag: of the object; a multipart ETag adds the ETags
    of the part sizes that fit. Is its own `Digests`. Made for one read by one thread.
    """

    def __init__(self, size: int = 0, etag: str = "") -> None:
        self._size = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha256 = hashlib.sha256()
        parts = part_count(etag)
        self._multipart = [_PartsHash(each) for each in part_sizes(size, parts)] if parts else []

    def update(self, data: bytes | memoryview) -> None:
        """The next bytes of the file, in order."""
        self._size += len(data)
        self._md5.update(data)
        self._sha256.update(data)
        for each in self._multipart:
            each.update(data)

    @property
    def size(self) -> int:
        """Bytes fed so far; the others too are of what was fed so far."""
        return self._size

    @property
    def md5(self) -> str:
        return self._md5.hexdigest()

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    @property
    def multipart(self) -> Mapping[int, str]:
        return {each.part_size: each.etag() for each in self._multipart}


class _PartsHash:
    """The ETag S3 gives a multipart upload: MD5 over the parts' MD5 digests, then `-` and their number.

    Not written down by AWS as a promise ("the ETag is not an MD5 digest"), yet stable since 2010 and recomputed by
    rclone, s3cmd and others; a wrong guess only costs a read.
    """

    def __init__(self, part_size: int) -> None:
        self.part_size = part_size
        self._parts: list[bytes] = []
        self._left = part_size
        self._part: _Hash = hashlib.md5(usedforsecurity=False)

    def update(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        while view:
            taken = view[: self._left]
            self._part.update(taken)
            self._left -= len(taken)
            view = view[len(taken) :]
            if self._left == 0:
                self._end_part()

    def _end_part(self) -> None:
        self._parts.append(self._part.digest())
        self._part = hashlib.md5(usedforsecurity=False)
        self._left = self.part_size

    def etag(self) -> str:
        parts = list(self._parts)
        if self._left < self.part_size or not parts:
            parts.append(self._part.digest())
        return f"{hashlib.md5(b''.join(parts), usedforsecurity=False).hexdigest()}-{len(parts)}"


def etag_tells(etag: str, size: int, digests: Digests, *, md5_etags: bool = False) -> bool | None:
    """Whether an object with this ETag and size (bytes) holds the digested bytes; None: the ETag cannot tell.

    md5_etags: this object's plain ETag is known to be the MD5 of its content (`etag_is_md5`), so that another one means
    other bytes. A multipart ETag that no part size explains says nothing: the parts may be of any size.
    """
    if size != digests.size:
        return False
    bare = _bare(etag)
    if _PLAIN.fullmatch(bare):
        if bare == digests.md5:
            return True
        return False if md5_etags else None
    return True if bare in digests.multipart.values() else None


def etag_is_md5(headers: Mapping[str, str] | None) -> bool:
    """By a HEAD's headers (lower case): neither KMS nor a customer's key, so a plain ETag is the content's MD5.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html (ETag). Directory buckets differ: do not ask there.
    """
    if headers is None:
        return False
    encrypted = headers.get("x-amz-server-side-encryption", "AES256")
    return encrypted == "AES256" and "x-amz-server-side-encryption-customer-algorithm" not in headers


def contents_tell(digests: Digests, remote: Remote) -> bool | None:
    """Whether file and object hold the same bytes, as far as ETag and metadata tell; None: read the object.

    The ETag goes first: it is the server's, where `sha256` in the metadata may be left over from an earlier content
    (tools that rewrite an object and keep its metadata). Kinds are compared by the caller.
    """
    told = etag_tells(remote.etag, remote.size, digests, md5_etags=remote.md5_etag)
    if told is not None or not remote.looked or not remote.sha256:
        return told
    return remote.sha256 == digests.sha256


def _bare(etag: str) -> str:
    return etag.removeprefix("W/").strip('"').lower()
