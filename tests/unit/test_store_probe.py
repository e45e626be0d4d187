"""The probe believes only what it saw: servers that keep, ignore, refuse or forbid each promise in turn."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from runner.store import conversation
from runner.store.capabilities import AWS
from runner.store.client import Client
from runner.store.credentials import Credentials
from runner.store.errors import StoppedError, StoreError
from runner.store.probe import PROBE, probe
from runner.store.retry import Patience
from tests.bench.fake_s3 import CARELESS, EVERYTHING, Kind, Stored
from tests.bench.fake_web import CREDENTIALS, WebS3
from tests.integration.test_store_seaweedfs import make_pair

QUICK = Patience(total_seconds=3.0, first_delay_seconds=0.0)
CONDITIONS = ("create", "replace", "delete", "complete", "copy", "checksums")
NOW = 1_800_000_000.0
Connect = Callable[..., Client]


@pytest.fixture(name="connect")
def _connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    def connect(server: WebS3, should_stop: Callable[[], bool] = lambda: False) -> Client:
        monkeypatch.setattr(conversation, "Transport", server.transport)
        pair = make_pair("bkt")
        return Client("bkt", CREDENTIALS, pair=pair, should_stop=should_stop, patience=QUICK)

    return connect


def test_probe_of_a_faithful_server_finds_everything_and_leaves_nothing(connect: Connect) -> None:
    server = WebS3(Kind(versioning="enabled"))
    found = probe(connect(server), "p/", NOW)
    assert found == replace(AWS, versioning="enabled", probed_at=NOW)
    assert not server.objects
    assert not server.uploads
    assert len(server.asked) <= 30


def test_probe_of_a_server_that_ignores_everything_finds_nothing_safe(connect: Connect) -> None:
    server = WebS3(CARELESS)
    found = probe(connect(server), "", NOW)
    assert not any(getattr(found, name) for name in CONDITIONS)
    assert not found.is_safe
    assert (found.byte_order, found.note) == (False, "")
    assert not server.objects


@pytest.mark.parametrize("ignored", CONDITIONS)
def test_probe_finds_each_single_promise_that_is_not_kept(connect: Connect, ignored: str) -> None:
    server = WebS3(Kind(keeps=EVERYTHING - {ignored}))
    found = probe(connect(server), "p/", NOW)
    assert {name for name in CONDITIONS if not getattr(found, name)} == {ignored}
    assert not server.objects
    assert not server.uploads


def test_probe_wants_the_condition_on_a_copys_source_too(connect: Connect) -> None:
    assert not probe(connect(WebS3(Kind(keeps=EVERYTHING - {"copy-source"}))), "", NOW).copy


def test_probe_of_a_server_that_dislikes_quotes_finds_its_conditions(connect: Connect) -> None:
    found = probe(connect(WebS3(bare=True)), "", NOW)
    assert all(getattr(found, name) for name in CONDITIONS)


def test_probe_of_a_server_that_forgets_refused_uploads_finds_its_conditions(connect: Connect) -> None:
    server = WebS3(forgets=True)
    assert probe(connect(server), "", NOW).complete
    assert not server.uploads


@pytest.mark.parametrize("operation", ["PutObject", "DeleteObject", "CompleteMultipartUpload", "CopyObject"])
def test_probe_takes_a_lost_answer_for_no_lie(connect: Connect, operation: str) -> None:
    server = WebS3(loses={operation})
    found = probe(connect(server), "", NOW)
    assert all(getattr(found, name) for name in CONDITIONS)
    assert not server.objects


@pytest.mark.parametrize(
    ("operation", "missing"),
    [
        ("PutObject", {"create", "replace"}),
        ("DeleteObject", {"delete"}),
        ("CopyObject", {"copy"}),
        ("CompleteMultipartUpload", {"complete"}),
    ],
)
def test_probe_of_a_server_that_refuses_conditions_finds_only_those(
    connect: Connect, operation: str, missing: set[str]
) -> None:
    server = WebS3(not_taken=frozenset({operation}))
    found = probe(connect(server), "", NOW)
    assert {name for name in CONDITIONS if not getattr(found, name)} == missing
    assert not server.objects


def test_probe_without_the_right_to_write_relies_on_nothing_and_says_why(connect: Connect) -> None:
    server = WebS3(Kind(versioning="suspended"), forbids=frozenset({"PutObject"}))
    found = probe(connect(server), "", NOW)
    assert not any(getattr(found, name) for name in CONDITIONS)
    assert "s3:PutObject" in found.note
    assert (found.versioning, found.probed_at) == ("suspended", NOW)


def test_probe_without_the_right_to_delete_knows_the_rest_and_names_what_stays(connect: Connect) -> None:
    server = WebS3(forbids=frozenset({"DeleteObject"}))
    found = probe(connect(server), "p/", NOW)
    assert found.is_safe
    assert found.complete
    assert not found.delete
    assert "s3:DeleteObject" in found.note
    (left,) = server.objects
    assert left in found.note
    assert left.startswith(f"p/{PROBE}")


@pytest.mark.parametrize("forbidden", ["HeadObject", "ListObjectsV2", "CreateMultipartUpload", "CopyObject"])
def test_probe_without_a_side_right_still_finds_a_safe_server(connect: Connect, forbidden: str) -> None:
    server = WebS3(forbids=frozenset({forbidden}))
    assert probe(connect(server), "", NOW).is_safe
    assert not server.objects


def test_probe_removes_what_a_killed_one_left_and_nothing_else(connect: Connect) -> None:
    server = WebS3()
    old = [f"p/{PROBE}0123456789abcdef", f"p/{PROBE}0123456789abcdef-a!"]
    others = [f"p/{PROBE}of-a-person", "p/x"]
    young = f"p/{PROBE}ffffffffffffffff"
    server.objects = {key: Stored(b"1", "e", NOW - 7200.0) for key in old + others}
    server.objects[young] = Stored(b"1", "e", NOW - 60.0)
    server.clock = lambda: NOW
    probe(connect(server), "p/", NOW)
    assert set(server.objects) == {*others, young}


def test_probe_that_is_stopped_removes_its_key(connect: Connect) -> None:
    server = WebS3()
    client = connect(server, lambda: server.asked.count("PutObject") >= 3)
    with pytest.raises(StoppedError):
        probe(client, "", NOW)
    assert not server.objects


def test_probe_of_a_failing_server_raises_and_removes_its_key(connect: Connect) -> None:
    server = WebS3(clock=lambda: 1 / 0 if server.asked.count("PutObject") > 1 else NOW)
    with pytest.raises(ZeroDivisionError):
        probe(connect(server), "", NOW)
    assert not server.objects


def test_amazon_is_known_and_asked_for_versioning_only(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    server = WebS3(CARELESS._replace(versioning="enabled"))
    monkeypatch.setattr(conversation, "Transport", server.transport)
    credentials = Credentials("AKIAIOSFODNN7EXAMPLE", "a-secret", region="eu-west-1")
    client = Client("bkt", credentials, pair=make_pair("bkt"), patience=QUICK)
    assert probe(client, "", NOW) == replace(AWS, versioning="enabled", probed_at=NOW)
    assert server.asked == ["GetBucketVersioning"]


def test_probe_without_an_answer_raises(connect: Connect) -> None:
    server = WebS3(CARELESS, forbids=frozenset({"PutObject"}))
    client = connect(server, lambda: True)
    with pytest.raises(StoreError):
        probe(client, "", NOW)


@pytest.mark.parametrize("operation", ["PutObject", "UploadPart", "CompleteMultipartUpload", "CopyObject"])
@pytest.mark.parametrize(
    ("status", "code"), [(400, "ExpiredToken"), (404, "NoSuchBucket"), (403, "RequestTimeTooSkewed"), (500, "")]
)
def test_probe_takes_no_fault_for_a_server_that_lacks_something(
    connect: Connect, operation: str, status: int, code: str
) -> None:
    server = WebS3(answers={operation: (status, code)})
    with pytest.raises(StoreError):
        probe(connect(server), "", NOW)
    assert not server.objects


def test_probe_believes_no_refusal_that_comes_without_an_object(connect: Connect) -> None:
    server = WebS3()
    server.refuses_all = True
    found = probe(connect(server), "", NOW)
    assert not found.is_safe
    assert not server.objects


def test_probe_of_a_bucket_that_takes_no_object_says_what_it_answered(connect: Connect) -> None:
    server = WebS3(CARELESS, answers={"PutObject": (400, "InvalidRequest")})
    found = probe(connect(server), "", NOW)
    assert not found.is_safe
    assert "InvalidRequest" in found.note
