"""Writes whose answer is none, is odd, or refuses what was our own success: settled by looking, never guessed."""

import hashlib
from collections.abc import Iterator

import pytest

from runner.store.client import Client
from runner.store.credentials import Credentials
from runner.store.door import ContentHeaders, Written
from runner.store.errors import AccessDeniedError, PreconditionFailedError, ServerFaultError, StoreError
from tests.integration.test_store_lies import QUICK, Liar, Reply, _liar, error  # noqa: F401  (a fixture)
from tests.integration.test_store_seaweedfs import make_pair

BEGUN = Reply(body=b"<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>")
PART = Reply(headers={"ETag": '"p"'})
ABSENT = [Reply(404), error(404, "NoSuchKey")]  # a HEAD, and the GET that tells what its 404 means
NINE_MIB = 9 * 1024 * 1024
HTML = Reply(body=b"<html>all is well</html>")


@pytest.fixture
def client(liar: Liar, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    for module in ("writes", "multipart", "copies"):
        monkeypatch.setattr(f"runner.store.{module}.new_token", lambda *_: "ours")
    client = Client("buck", Credentials("k", "s", endpoint_url=liar.url), pair=make_pair("buck"), patience=QUICK)
    yield client
    client.close()


def found(etag: str = "e", token: str = "ours", size: int = 0) -> Reply:
    named = {"ETag": f'"{etag}"', "x-amz-meta-runner-token": token, "Last-Modified": "Mon, 23 Nov 2026 05:00:00 GMT"}
    return Reply(200, b"x" * size, named)


def put(client: Client, expected: str | None = None) -> Written:
    digest = hashlib.sha256(b"1").digest()
    return client.put_small("k", b"1", expected=expected, metadata={}, content=ContentHeaders(), sha256=digest)


def put_large(client: Client) -> Written:
    return client.put_file(
        "k", size=NINE_MIB, read_at=lambda _at, length: bytes(length), expected=None, metadata={},
        content=ContentHeaders(), still_same=lambda: True, on_bytes=lambda _count: None,
    )  # fmt: skip


@pytest.mark.parametrize("odd", [HTML, Reply(), error(200, "InternalError")])
def test_put_with_an_odd_answer_is_what_the_look_finds(client: Client, liar: Liar, odd: Reply) -> None:
    liar.replies = [odd] * (5 if odd.body.startswith(b"<Error") else 1) + [found()]
    assert put(client) == Written("e", 1795410000.0)
    liar.replies = [odd] * (5 if odd.body.startswith(b"<Error") else 1) + [found(token="theirs")]
    with pytest.raises(ServerFaultError):
        put(client)


@pytest.mark.parametrize("refusal", [error(412, "PreconditionFailed"), error(409, "ConditionalRequestConflict")])
def test_refusal_after_a_lost_answer_is_our_own_success(client: Client, liar: Liar, refusal: Reply) -> None:
    for expected in (None, "old"):
        liar.replies = [Reply(drop=True), refusal, found()]
        assert put(client, expected).etag == "e"
        liar.replies = [Reply(drop=True), refusal, found(token="theirs")]
        with pytest.raises(PreconditionFailedError):
            put(client, expected)


def test_404_to_a_replace_is_a_condition_that_failed(client: Client, liar: Liar) -> None:
    liar.replies = [error(404, "NoSuchKey")]
    with pytest.raises(PreconditionFailedError):
        put(client, "old")
    assert len(liar.asked) == 1


def test_refused_create_costs_no_look(client: Client, liar: Liar) -> None:
    liar.replies = [error(412, "PreconditionFailed")]
    with pytest.raises(PreconditionFailedError):
        put(client)
    assert len(liar.asked) == 1


def test_look_that_is_refused_leaves_it_unknown_not_a_conflict(client: Client, liar: Liar) -> None:
    liar.replies = [Reply(drop=True), error(412, "PreconditionFailed"), Reply(403)]
    with pytest.raises(AccessDeniedError):
        put(client)


def test_complete_with_a_web_page_is_believed_only_by_its_token(client: Client, liar: Liar) -> None:
    liar.replies = [*ABSENT, BEGUN, PART, PART, HTML, found(size=NINE_MIB), found(size=NINE_MIB)]
    assert put_large(client).etag == "e"
    liar.replies = [*ABSENT, BEGUN, PART, PART, HTML, found(token="theirs"), Reply(204)]
    with pytest.raises(ServerFaultError, match="no result"):
        put_large(client)
    assert liar.asked[-1][0] == "DELETE"


def test_complete_with_an_empty_etag_is_what_the_look_finds(client: Client, liar: Liar) -> None:
    """radosgw, to one of several who complete the same key at once."""
    empty = Reply(body=b"<CompleteMultipartUploadResult><Key>k</Key><ETag></ETag></CompleteMultipartUploadResult>")
    begun = [*ABSENT, BEGUN, PART, PART, empty]
    liar.replies = [*begun, found(size=NINE_MIB), found(size=NINE_MIB)]
    assert put_large(client).etag == "e"
    liar.replies = [*begun, found(token="theirs"), Reply(204)]
    with pytest.raises(PreconditionFailedError):
        put_large(client)
    liar.replies = [*begun, Reply(404), found(), Reply(204)]
    with pytest.raises(ServerFaultError):
        put_large(client)


def test_complete_that_lost_bytes_is_not_believed(client: Client, liar: Liar) -> None:
    done = Reply(body=b"<CompleteMultipartUploadResult><ETag>&quot;e&quot;</ETag></CompleteMultipartUploadResult>")
    liar.replies = [*ABSENT, BEGUN, PART, PART, done, found(size=5), Reply(204)]
    with pytest.raises(ServerFaultError, match="5 bytes"):
        put_large(client)


def test_upload_that_is_gone_after_a_lost_complete_is_our_success(client: Client, liar: Liar) -> None:
    gone = error(404, "NoSuchUpload")
    liar.replies = [*ABSENT, BEGUN, PART, PART, Reply(drop=True), gone, found(size=NINE_MIB), found(size=NINE_MIB)]
    assert put_large(client).etag == "e"


def test_part_or_upload_id_that_is_missing_is_not_believed(client: Client, liar: Liar) -> None:
    liar.replies = [*ABSENT, HTML]
    with pytest.raises(ServerFaultError, match="began no multipart upload"):
        put_large(client)
    liar.replies = [*ABSENT, BEGUN, HTML]
    with pytest.raises(ServerFaultError, match="no ETag"):
        put_large(client)


def test_copy_with_a_web_page_is_what_the_look_finds(client: Client, liar: Liar) -> None:
    liar.replies = [HTML, found("e")]
    assert client.copy("a", "b", source_etag="e", expected=None).etag == "e"
    liar.replies = [HTML, found("other", token=""), found("e", token="")]
    with pytest.raises(ServerFaultError):
        client.copy("a", "b", source_etag="e", expected=None)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(206, b"x" * 10, {"ETag": '"e"', "Content-Range": "bytes 10-19/20"}),
        Reply(206, b"x" * 9, {"ETag": '"e"', "Content-Range": "bytes 0-9/10"}),
        Reply(200, b"x" * 9, {"ETag": '"e"'}),
        Reply(206, b"x" * 10, {"ETag": '"other"', "Content-Range": "bytes 0-9/10"}),
        Reply(200, b"x" * 100, {"ETag": '"e"'}),
        Reply(200, b"<html>login</html>"),
    ],
)
def test_answer_that_is_not_the_range_that_was_asked_is_never_written(client: Client, liar: Liar, reply: Reply) -> None:
    liar.replies = [reply]
    written: list[bytes] = []
    with pytest.raises(StoreError):
        client.get_file(
            "k", size=10, etag="e", write_at=lambda _at, data: written.append(data), on_bytes=lambda _count: None
        )
    assert written == []


def test_whole_object_is_compared_with_the_checksum_that_the_server_kept(client: Client, liar: Liar) -> None:
    liar.replies = [Reply(200, b"damaged", {"ETag": '"e"', "x-amz-checksum-sha256": "a4ayc/80/OGda4BO/1o/V0etpOqiLx1JwB5S3beHW0s="})]  # fmt: skip  # noqa: E501
    with pytest.raises(ServerFaultError, match="checksum"):
        client.get_small("k", max_bytes=100, etag="e")
