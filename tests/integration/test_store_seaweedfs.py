"""The client against a real server: what S3 semantics it relies on, and what it tells when things are wrong."""

import os
import socket
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.seaweedfs import ACCESS_KEY, SECRET_KEY, Server, running
from runner.config.settings import EngineName, Mode, Pair, Symlinks
from runner.store.client import Client
from runner.store.credentials import Credentials
from runner.store.errors import (
    CredentialsRejectedError,
    NoSuchBucketError,
    NoSuchKeyError,
    ObjectTooLargeError,
    PreconditionFailedError,
    StoppedError,
    UnreachableError,
)
from tests.witness import aws, make_bucket, s3, soon


def make_pair(bucket: str, **keys: object) -> Pair:
    base: dict[str, object] = {
        "name": "test", "bucket": bucket, "folder": Path("/nowhere"), "mode": Mode.PUSH, "engine": EngineName.AWS_CLI,
        "every": None, "watch": False, "symlinks": Symlinks.FOLLOW, "required": False,
    }  # fmt: skip
    return Pair.model_validate(base | keys)


def make_client(endpoint_url: str, bucket: str, secret: str = SECRET_KEY, **keys: object) -> Client:
    credentials = Credentials(ACCESS_KEY, secret, endpoint_url=endpoint_url)
    return Client(bucket, credentials, pair=make_pair(bucket, **keys))


@pytest.fixture
def client(seaweed: Server, bucket: str) -> Iterator[Client]:
    client = make_client(seaweed.endpoint_url, bucket)
    yield client
    client.close()


# Not here: a backslash, which SeaweedFS turns into a slash, and "." segments, which it refuses
AWKWARD_KEYS = [
    "plain.txt", "with space", "plus+and&and%and%20", "hash#query?semi;equals=tilde~", "quote'\"`$(id)", "ünï/côdé",
    "emoji-🎉", "line\nfeed", "carriage\rreturn", "tab\tand\x01\x1b[31m", "-rf", "--delete", "a!/b",
    "brackets[1]{2}<3>|^", "comma,colon:at@", "*.glob?", "\u202ertl", "x" * 255, "deep/" * 60 + "file",
]  # fmt: skip


def test_awkward_keys_round_trip_byte_for_byte(client: Client) -> None:
    for key in AWKWARD_KEYS:
        client.put(key, key.encode())
    assert sorted(info.key for info in client.list()) == sorted(AWKWARD_KEYS)
    for key in AWKWARD_KEYS:
        assert client.get_bytes(key, 4096) == key.encode()
        info = client.head(key)
        assert info is not None
        assert info.size == len(key.encode())


def test_awkward_key_is_the_same_object_to_the_aws_cli(client: Client, seaweed: Server, bucket: str) -> None:
    client.put("plus+ %20&ü#?.txt", b"mine")
    assert aws(seaweed, "s3", "cp", f"s3://{bucket}/plus+ %20&ü#?.txt", "-") == "mine"


def test_listing_of_1200_keys_comes_in_pages_each_key_once(client: Client) -> None:
    for number in range(1200):
        client.put(f"many/{number:04}", b"x")
    client.put("elsewhere", b"")
    before = client.requests.lists
    keys = [info.key for info in client.list("many/")]
    assert keys == [f"many/{number:04}" for number in range(1200)]
    assert client.requests.lists - before == 2
    assert client.lists_in_byte_order is True


def test_tree_order_is_listed_whole_and_reported(client: Client) -> None:
    for key in ("a/b", "a!", "a-b"):
        client.put(key, b"")
    assert {info.key for info in client.list()} == {"a/b", "a!", "a-b"}
    assert client.lists_in_byte_order is False


def test_empty_bucket_lists_nothing_and_that_is_proven(client: Client) -> None:
    assert list(client.list()) == []
    assert list(client.list("no/such/prefix/")) == []


def test_head_of_an_absent_key_is_none(client: Client) -> None:
    assert client.head("nothing") is None


def test_head_in_a_missing_bucket_is_an_error_not_absence(seaweed: Server) -> None:
    client = make_client(seaweed.endpoint_url, "no-such-bucket-here")
    with pytest.raises(NoSuchBucketError, match="does not exist at http"):
        client.head("key")
    with pytest.raises(NoSuchBucketError):
        list(client.list())
    with pytest.raises(NoSuchBucketError):
        client.versioning()
    client.close()


def test_put_with_metadata_is_seen_by_head(client: Client) -> None:
    etag = client.put("k", b"body", metadata={"runner-token": "t1"})
    info = client.head("k")
    assert info is not None
    assert (info.etag, info.size, dict(info.metadata or {})) == (etag, 4, {"runner-token": "t1"})
    assert abs(info.last_modified - time.time()) < 60


def test_conditional_put_has_one_winner(client: Client) -> None:
    first = client.put("k", b"1", if_none_match=True)
    with pytest.raises(PreconditionFailedError):
        client.put("k", b"2", if_none_match=True)
    second = client.put("k", b"3", if_match=first)
    with pytest.raises(PreconditionFailedError):
        client.put("k", b"4", if_match=first)
    assert client.get_bytes("k", 10) == b"3"
    assert second != first


def test_delete_removes_only_the_named_version(client: Client) -> None:
    old = client.put("k", b"old")
    new = client.put("k", b"new")
    assert client.delete("k", if_match=old) == "changed"
    assert client.get_bytes("k", 10) == b"new"
    assert client.delete("k", if_match=new) == "deleted"
    assert client.delete("k", if_match=new) == "gone"


def test_empty_object_round_trip(client: Client) -> None:
    client.put("empty", b"")
    written: list[bytes] = []
    assert client.get_bytes("empty", 10) == b""
    assert client.get_to("empty", written.append).size == 0
    assert b"".join(written) == b""


def test_get_to_streams_slices_of_one_version(client: Client, seaweed: Server, bucket: str, tmp_path: Path) -> None:
    body = os.urandom(9_000_000) + b"<Error>"
    (tmp_path / "big").write_bytes(body)
    s3(seaweed.endpoint_url).upload_file(str(tmp_path / "big"), bucket, "big")
    slices: list[bytes] = []
    info = client.get_to("big", slices.append)
    assert b"".join(slices) == body
    assert [len(part) for part in slices] == [8 * 1024 * 1024, len(body) - 8 * 1024 * 1024]
    with pytest.raises(PreconditionFailedError):
        client.get_to("big", slices.append, if_match="0" * 32)
    assert client.get_to("big", lambda _part: None, if_match=info.etag).size == len(body)


def test_body_that_looks_like_an_error_is_a_body(client: Client) -> None:
    body = b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>"
    client.put("k", body)
    assert client.get_bytes("k", 1000) == body


def test_get_bytes_refuses_what_is_larger(client: Client) -> None:
    client.put("k", b"12345")
    with pytest.raises(ObjectTooLargeError):
        client.get_bytes("k", 4)
    assert client.get_bytes("k", 5) == b"12345"
    with pytest.raises(NoSuchKeyError):
        client.get_bytes("absent", 5)


def test_copy_keeps_bytes_and_obeys_the_source_condition(client: Client) -> None:
    etag = client.put("a b/ü+%", b"x", metadata={"m": "1"})
    client.copy("a b/ü+%", "target", source_etag=etag, expected=None)
    info = client.head("target")
    assert info is not None
    assert (info.size, dict(info.metadata or {})) == (1, {"m": "1"})
    with pytest.raises(PreconditionFailedError):
        client.copy("a b/ü+%", "other", source_etag="0" * 32, expected=None)
    with pytest.raises(NoSuchKeyError):
        client.copy("absent", "other", source_etag=etag, expected=None)


def test_versioning_is_read(client: Client, seaweed: Server, bucket: str) -> None:
    assert client.versioning() == "off"
    s3(seaweed.endpoint_url).put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert client.versioning() == "enabled"


def test_wrong_secret_is_told_and_heals_with_the_next_snapshot(seaweed: Server, bucket: str) -> None:
    now = [Credentials(ACCESS_KEY, "wrong", endpoint_url=seaweed.endpoint_url)]
    client = Client(bucket, lambda: now[0], pair=make_pair(bucket))
    with pytest.raises(CredentialsRejectedError, match="SignatureDoesNotMatch") as caught:
        list(client.list())
    assert not caught.value.permanent
    now[0] = Credentials(ACCESS_KEY, SECRET_KEY, endpoint_url=seaweed.endpoint_url)
    assert list(client.list()) == []
    client.close()


def test_closed_port_is_unreachable_within_seconds() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        client = make_client(f"http://127.0.0.1:{holder.getsockname()[1]}", "bucket")
        started = time.monotonic()
        with pytest.raises(UnreachableError, match="the connection was refused"):
            list(client.list())
        assert time.monotonic() - started < soon(5)
    client.close()


def test_unknown_host_is_unreachable() -> None:
    client = make_client("http://no-such-host.invalid", "bucket")
    with pytest.raises(UnreachableError, match="no such host"):
        list(client.list())
    client.close()


def test_should_stop_ends_a_call(seaweed: Server, bucket: str) -> None:
    credentials = Credentials(ACCESS_KEY, SECRET_KEY, endpoint_url=seaweed.endpoint_url)
    client = Client(bucket, credentials, pair=make_pair(bucket), should_stop=lambda: True)
    with pytest.raises(StoppedError):
        list(client.list())


def test_two_endpoints_on_one_host_do_not_mix(seaweed: Server, bucket: str, tmp_path: Path) -> None:
    with running(tmp_path) as other:
        make_bucket(other, bucket)
        one, two = make_client(seaweed.endpoint_url, bucket), make_client(other.endpoint_url, bucket)
        for _ in range(3):
            one.put("where", b"one")
            two.put("where", b"two")
            assert (one.get_bytes("where", 9), two.get_bytes("where", 9)) == (b"one", b"two")
        one.close()
        two.close()


def in_child(work: Callable[[], object]) -> int:
    """The exit status of `work` in a fork; a hang ends by the test's own timeout."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_client_made_before_a_fork_works_after_it(seaweed: Server, bucket: str) -> None:
    import awscrt.s3  # noqa: F401  (as the supervisor does)

    untouched = make_client(seaweed.endpoint_url, bucket)
    assert in_child(lambda: untouched.put("from-child", b"1")) == 0
    used = make_client(seaweed.endpoint_url, bucket)
    assert used.get_bytes("from-child", 5) == b"1"
    assert in_child(lambda: used.put("from-child", b"2")) == 0
    assert used.get_bytes("from-child", 5) == b"2"
    used.close()


def test_closed_client_lets_its_threads_go_and_works_again(client: Client) -> None:
    client.put("k", b"1")
    with_client = len(os.listdir("/proc/self/task"))
    client.close()
    assert len(os.listdir("/proc/self/task")) < with_client
    assert client.get_bytes("k", 5) == b"1"


def test_common_headers_do_no_harm(seaweed: Server, bucket: str) -> None:
    client = make_client(seaweed.endpoint_url, bucket, request_payer="requester", storage_class="STANDARD")
    client.put("k", b"1")
    assert [info.key for info in client.list()] == ["k"]
    client.close()
