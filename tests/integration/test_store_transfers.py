"""Files in pieces, up and down, against real servers: equal, pinned to one version, whole or not at all, in bounded
memory."""

import hashlib
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.seaweedfs import ACCESS_KEY, SECRET_KEY, Server
from runner.store.client import Client
from runner.store.copies import Copies
from runner.store.credentials import Credentials
from runner.store.door import ContentHeaders, Written
from runner.store.errors import ObjectTooLargeError, PreconditionFailedError, SourceChangedError, StoppedError
from runner.store.pieces import Room
from tests.bench.fault_proxy import Operation, faults_before
from tests.integration.test_store_seaweedfs import make_client, make_pair
from tests.integration.test_store_writes import CEPH
from tests.witness import make_bucket, s3

MIB = 1024 * 1024
BODY = os.urandom(30 * MIB)


@pytest.fixture(params=["seaweed", pytest.param("ceph", marks=pytest.mark.radosgw)])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def name(server: Server) -> str:
    return make_bucket(server, f"t-{time.monotonic_ns()}")


@pytest.fixture
def client(server: Server, name: str, request: pytest.FixtureRequest) -> Iterator[Client]:
    client = make_client(server.endpoint_url, name)
    if request.node.callspec.params["server"] == "ceph":
        client.capabilities = CEPH
    yield client
    client.close()


def read_body(offset: int, length: int) -> bytes:
    return BODY[offset : offset + length]


def send(
    client: Client,
    key: str,
    read_at: Callable[[int, int], bytes] = read_body,
    *,
    size: int = len(BODY),
    expected: str | None = None,
    still_same: Callable[[], bool] = lambda: True,
    on_bytes: Callable[[int], None] = lambda _count: None,
) -> Written:
    return client.put_file(
        key, size=size, read_at=read_at, expected=expected, metadata={"mode": "x"}, still_same=still_same,
        content=ContentHeaders("text/plain"), on_bytes=on_bytes,
    )  # fmt: skip


def fetch(client: Client, key: str, etag: str, size: int = len(BODY)) -> bytes:
    target = bytearray(size)
    counted: list[int] = []

    def write_at(offset: int, data: bytes) -> None:
        target[offset : offset + len(data)] = data

    info = client.get_file(key, size=size, etag=etag, write_at=write_at, on_bytes=counted.append)
    assert (info.size, info.etag, sum(counted)) == (size, etag, size)
    return bytes(target)


def unfinished(server: Server, name: str) -> list[str]:
    answer = s3(server.endpoint_url).list_multipart_uploads(Bucket=name)
    return [upload["Key"] for upload in answer.get("Uploads", [])]


def test_30_mib_go_up_and_down_in_pieces_and_are_equal(client: Client, server: Server, name: str) -> None:
    counted: list[int] = []
    written = send(client, "big", on_bytes=counted.append)
    assert sum(counted) == len(BODY)
    assert len(counted) == 4
    info = client.head("big")
    assert info is not None
    assert (info.etag, info.size, info.last_modified) == (written.etag, len(BODY), written.modified)
    assert (info.metadata or {})["mode"] == "x"
    assert (info.headers or {})["content-type"] == "text/plain"
    assert fetch(client, "big", written.etag) == BODY
    theirs = s3(server.endpoint_url).get_object(Bucket=name, Key="big")["Body"].read()
    assert hashlib.sha256(theirs).digest() == hashlib.sha256(BODY).digest()
    assert unfinished(server, name) == []


@pytest.mark.parametrize("size", [0, 1, 8 * MIB, 8 * MIB + 1])
def test_edges_of_a_piece_go_up_and_down_equal(client: Client, size: int) -> None:
    written = send(client, "k", size=size)
    assert fetch(client, "k", written.etag, size) == BODY[:size]


def test_large_create_and_replace_obey_their_condition(client: Client, server: Server, name: str) -> None:
    first = send(client, "k")
    with pytest.raises(PreconditionFailedError):
        send(client, "k")
    with pytest.raises(PreconditionFailedError):
        send(client, "k", expected="0" * 32)
    assert send(client, "k", expected=first.etag).etag
    assert unfinished(server, name) == []


def test_object_that_came_while_parts_were_sent_is_not_overwritten(client: Client, server: Server, name: str) -> None:
    def still_same() -> bool:
        client.put("k", b"theirs")
        return True

    with pytest.raises(PreconditionFailedError):
        send(client, "k", still_same=still_same)
    assert client.get_bytes("k", 10) == b"theirs"
    assert unfinished(server, name) == []


@pytest.mark.parametrize("size", [1 * MIB, len(BODY)])
def test_torn_source_publishes_nothing(client: Client, server: Server, name: str, size: int) -> None:
    with pytest.raises(SourceChangedError):
        send(client, "torn", size=size, still_same=lambda: False)
    with pytest.raises(SourceChangedError):
        send(client, "short", lambda offset, length: read_body(offset, length)[:-1], size=size)
    assert client.head("torn") is None
    assert client.head("short") is None
    assert unfinished(server, name) == []


def test_reading_error_ends_the_upload_and_is_told(client: Client, server: Server, name: str) -> None:
    def read_at(offset: int, length: int) -> bytes:
        if offset >= 16 * MIB:
            raise OSError("disk on fire")
        return read_body(offset, length)

    with pytest.raises(OSError, match="disk on fire"):
        send(client, "k", read_at)
    assert unfinished(server, name) == []


def test_stop_aborts_the_upload(seaweed: Server, bucket: str) -> None:
    stopped = threading.Event()
    credentials = Credentials(ACCESS_KEY, SECRET_KEY, endpoint_url=seaweed.endpoint_url)
    client = Client(bucket, credentials, pair=make_pair(bucket), should_stop=stopped.is_set)
    with pytest.raises(StoppedError):
        send(client, "k", on_bytes=lambda _count: stopped.set())
    assert unfinished(seaweed, bucket) == []
    client.close()


def test_object_that_changes_is_never_read_as_one(client: Client) -> None:
    first = send(client, "k")
    client.put("k", BODY[::-1])
    with pytest.raises(PreconditionFailedError):
        fetch(client, "k", first.etag)
    with pytest.raises(PreconditionFailedError):
        fetch(client, "k", first.etag, size=0)


def test_get_small_refuses_what_is_larger(client: Client) -> None:
    etag = client.put("k", b"12345")
    with pytest.raises(ObjectTooLargeError):
        client.get_small("k", max_bytes=4, etag=etag)
    assert client.get_small("k", max_bytes=5, etag=None)[1] == b"12345"
    client.put("empty", b"")
    assert client.get_small("empty", max_bytes=5, etag=None)[1] == b""


def test_lost_answers_of_begin_part_and_complete_end_in_one_object(seaweed: Server, bucket: str) -> None:
    lost: tuple[Operation, ...] = ("part", "complete")
    with faults_before(seaweed.endpoint_url) as proxy:
        client = make_client(proxy.endpoint_url, bucket)
        for number, operation in enumerate(lost):
            proxy.lose(operation)
            written = send(client, f"k{number}")
            assert proxy.fired() == number + 1
            assert fetch(client, f"k{number}", written.etag) == BODY
        client.close()
    assert unfinished(seaweed, bucket) == []


def test_large_copy_goes_by_parts_and_keeps_metadata(client: Client, server: Server, name: str) -> None:
    written = send(client, "big")
    copies = Copies(client._bucket, Room(), copy_bytes=MIB, part_bytes=8 * MIB)
    copied = copies.copy(
        "big", "target", source_etag=written.etag, expected=None, metadata={"mode": "y"}, content=None
    )  # fmt: skip
    assert fetch(client, "target", copied.etag) == BODY
    info = client.head("target")
    assert info is not None
    assert (info.metadata or {})["mode"] == "y"
    assert (info.headers or {})["content-type"] == "text/plain"
    with pytest.raises(PreconditionFailedError):
        copies.copy("big", "target", source_etag=written.etag, expected=None, metadata={}, content=None)
    with pytest.raises(ObjectTooLargeError):
        copies.set_metadata("big", etag=written.etag, changes={"mode": "z"})
    assert unfinished(server, name) == []


def test_bandwidth_is_kept_on_average(seaweed: Server, bucket: str) -> None:
    client = make_client(seaweed.endpoint_url, bucket, bandwidth="2MiB")
    etag = client.put("k", b"")
    started = time.monotonic()
    written = send(client, "k", size=4 * MIB, expected=etag)
    assert fetch(client, "k", written.etag, 4 * MIB) == BODY[: 4 * MIB]
    assert time.monotonic() - started > 2.5  # 8 MiB at 2 MiB/s, the first 2 MiB are free
    client.close()


def test_memory_stays_bounded_over_a_large_file(seaweed: Server, bucket: str, tmp_path: Path) -> None:
    program = f"""
        import os, resource
        from runner.store.door import ContentHeaders
        from tests.integration.test_store_seaweedfs import make_client
        client = make_client({seaweed.endpoint_url!r}, {bucket!r})
        client.put("warm", b"1")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        piece = os.urandom(1024 * 1024)
        written = client.put_file("large", size=256 << 20, read_at=lambda at, n: piece * (n >> 20), expected=None,
            metadata={{}}, content=ContentHeaders(), still_same=lambda: True, on_bytes=lambda n: None)
        client.get_file("large", size=256 << 20, etag=written.etag, write_at=lambda at, data: None,
            on_bytes=lambda n: None)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
        client.close()
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=100).stdout
    assert int(told) < 140 * 1024, f"{told} KiB more"
