"""What ETags tell, with values that other tools made."""

import hashlib

import pytest

from runner.engine.native.equality import (
    MIB,
    Digester,
    contents_tell,
    etag_is_md5,
    etag_tells,
    link_sha256,
    part_count,
    part_sizes,
)
from runner.engine.native.facts import Kind, Remote

EMPTY_MD5 = "d41d8cd98f00b204e9800998ecf8427e"
HELLO_MD5 = "5d41402abc4b2a76b9719d911017c592"


def digested(data: bytes, etag: str = "", block: int = 7 * MIB // 3) -> Digester:
    digester = Digester(len(data), etag)
    for start in range(0, len(data), block):
        digester.update(memoryview(data)[start : start + block])
    return digester


def multipart_etag(data: bytes, part_size: int) -> str:
    """As S3 does it, said in the shortest way."""
    parts = [data[start : start + part_size] for start in range(0, len(data), part_size)] or [b""]
    return f'"{hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest()}-{len(parts)}"'


@pytest.mark.parametrize(
    ("size_mib", "parts", "expected"),
    [
        (1, 1, [1]),
        (12, 2, [8, 10, 6]),
        (16, 2, [8, 10, 15]),
        (100, 13, [8]),
        (100, 20, [5]),
        (100, 10, [10]),
        (100, 7, [16, 15]),
        (100, 2, [64, 50]),
        (1000, 8, [128, 125]),
        (100_000, 6250, [16]),  # s3transfer doubles 8 MiB until 10,000 parts suffice
        (80_000, 10_000, [8]),  # as many parts as there may be
        (40_000, 20, [2048, 2000]),
        (78_000, 20, [4096, 3900]),
        (160_000, 20, [8000]),  # 8192 MiB: more than a part may be
        (60_000, 8572, [7]),
        (200_000, 9524, [21]),  # rclone: as many whole MiB as 10,000 parts need
        (100, 101, []),
    ],
)
def test_part_sizes_that_fit_are_the_usual_ones(size_mib: int, parts: int, expected: list[int]) -> None:
    assert [each // MIB for each in part_sizes(size_mib * MIB, parts)] == expected


@pytest.mark.parametrize(("size", "expected"), [(0, (1,)), (1, (1,)), (7, (7,))])
def test_part_sizes_of_one_part_is_the_size_of_the_file(size: int, expected: tuple[int, ...]) -> None:
    assert part_sizes(size, 1) == expected


@pytest.mark.parametrize(("size", "parts"), [(5, 0), (5, 10_001), (-1, 1), (0, 2)])
def test_part_sizes_of_what_cannot_be_are_none(size: int, parts: int) -> None:
    assert part_sizes(size, parts) == ()


@pytest.mark.parametrize("size", [0, 1, 10 * MIB, 16 * MIB + 1])
@pytest.mark.parametrize("part_size", [5 * MIB, 8 * MIB, 10 * MIB])
def test_etag_of_a_multipart_upload_is_recomputed_in_one_read(size: int, part_size: int) -> None:
    data = bytes(range(251)) * (size // 251 + 1)
    data = data[:size]
    etag = multipart_etag(data, part_size)
    digests = digested(data, etag)
    assert etag_tells(etag, size, digests) is True
    assert digests.md5 == hashlib.md5(data).hexdigest()
    assert digests.sha256 == hashlib.sha256(data).hexdigest()
    other = digested(data[:-1] + b"!", etag) if size else None
    assert other is None or etag_tells(etag, size, other) is None


@pytest.mark.parametrize(
    ("etag", "md5_etags", "expected"),
    [
        (HELLO_MD5, False, True),
        (f'"{HELLO_MD5}"', False, True),
        (HELLO_MD5.upper(), False, True),
        (f'W/"{HELLO_MD5}"', False, True),
        (EMPTY_MD5, False, None),  # may be encrypted with KMS: any 32 digits
        (EMPTY_MD5, True, False),
        (f"{HELLO_MD5}-1", True, None),
        ("", True, None),
        ("0x8D7", True, None),
    ],
)
def test_etag_tells_only_what_it_can(etag: str, md5_etags: bool, expected: bool | None) -> None:
    assert etag_tells(etag, 5, digested(b"hello"), md5_etags=md5_etags) is expected


def test_etag_is_not_taken_for_an_md5_unless_that_is_said() -> None:
    assert etag_tells(EMPTY_MD5, 5, digested(b"hello")) is None


def test_etag_with_another_size_is_another_content() -> None:
    assert etag_tells(HELLO_MD5, 6, digested(b"hello")) is False


def test_digests_of_nothing_are_those_of_an_empty_file() -> None:
    assert digested(b"").md5 == EMPTY_MD5
    assert digested(b"").size == 0


@pytest.mark.parametrize(
    ("etag", "expected"), [(f'"{HELLO_MD5}-12"', 12), (HELLO_MD5, None), (f"{HELLO_MD5}-0", None), ("x-1", None)]
)
def test_part_count_is_read_from_a_multipart_etag(etag: str, expected: int | None) -> None:
    assert part_count(etag) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (None, False),
        ({}, True),
        ({"x-amz-server-side-encryption": "AES256"}, True),
        ({"x-amz-server-side-encryption": "aws:kms"}, False),
        ({"x-amz-server-side-encryption-customer-algorithm": "AES256"}, False),
    ],
)
def test_etag_is_md5_unless_a_key_of_ones_own_encrypts(headers: dict[str, str] | None, expected: bool) -> None:
    assert etag_is_md5(headers) is expected


@pytest.mark.parametrize(
    ("etag", "looked", "sha256", "md5_etag", "expected"),
    [
        (HELLO_MD5, False, "", False, True),
        ("opaque", True, hashlib.sha256(b"hello").hexdigest(), False, True),
        ("opaque", True, "0" * 64, False, False),
        ("opaque", True, "", False, None),
        ("opaque", False, hashlib.sha256(b"hello").hexdigest(), False, None),
        (HELLO_MD5, True, "0" * 64, False, True),  # the metadata is left over from an earlier content
        (EMPTY_MD5, True, hashlib.sha256(b"hello").hexdigest(), True, False),
    ],
)
def test_contents_tell_by_etag_before_metadata(
    etag: str, looked: bool, sha256: str, md5_etag: bool, expected: bool | None
) -> None:
    remote = Remote(Kind.FILE, "k", 5, etag, 1.0, looked=looked, sha256=sha256, md5_etag=md5_etag)
    assert contents_tell(digested(b"hello"), remote) is expected


def test_link_sha256_is_that_of_the_objects_body() -> None:
    assert link_sha256("hello") == hashlib.sha256(b"hello").hexdigest()
    assert link_sha256("caf\udce9") == hashlib.sha256(b"caf\xe9").hexdigest()  # a name in Latin-1
