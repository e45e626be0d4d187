"""Limited rights: what a role may not do is named and waits; 403 is never absence, and the rest is synced."""

import json
from collections.abc import Iterator

import pytest

from demo.seaweedfs import Server
from runner.config.settings import Mode
from runner.model.passes import Outcome, PassReport, Scope
from tests.bench.fake_web import WebS3
from tests.integration.native_engine import BucketWitness, MakeRunner, credential_process, runner

__all__ = ["credential_process", "runner"]

Codes = dict[str, str]


@pytest.fixture
def bucket() -> str:
    return "bkt"


@pytest.fixture
def there() -> WebS3:
    """Keeps all conditions."""
    return WebS3()


@pytest.fixture
def url(there: WebS3) -> Iterator[str]:
    with there.served() as address:
        yield address


def codes(report: PassReport) -> Codes:
    return {problem.path: problem.code for problem in report.problems}


def put(there: WebS3, key: str, body: bytes, storage_class: str = "") -> None:
    there.put(key, body).storage_class = storage_class


def asked(there: WebS3) -> list[str]:
    """Since the last question."""
    found, there.asked = there.asked, []
    return found


def names(there: WebS3) -> set[str]:
    return {key for key in there.objects if not key.startswith(".runner-")}


def test_deletion_without_the_right_waits_is_named_and_costs_no_requests(
    runner: MakeRunner, there: WebS3, url: str
) -> None:
    one = runner("a", endpoint_url=url)
    for name in ("a", "b", "c"):
        (one.path / name).write_text(name)
    assert one.sync().uploaded == 3
    there.forbids = frozenset({"DeleteObject"})
    (one.path / "a").unlink()
    first = one.sync()
    assert codes(first) == {"a": "delete-forbidden"}
    assert first.outcome is Outcome.DONE_WITH_PROBLEMS
    asked(there)
    again = one.sync()
    assert codes(again) == {"a": "delete-forbidden"}
    assert asked(there) == ["ListObjectsV2"]
    assert sorted(one.files()) == ["b", "c"]
    assert names(there) == {"a", "b", "c"}

    there.forbids = frozenset()
    assert codes(one.sync()) == {"a": "delete-forbidden"}  # nobody told us; a new worker or a new day asks
    one.restart()
    assert one.sync().deleted_remote == 1
    assert names(there) == {"b", "c"}


def test_deletions_without_the_right_are_tried_again_by_a_few(runner: MakeRunner, there: WebS3, url: str) -> None:
    one = runner("a", endpoint_url=url, remote_trash="off", max_delete=1000)
    for number in range(60):
        (one.path / f"f{number}").write_text("x")
    (one.path / "stays").write_text("x")
    one.sync()
    there.forbids = frozenset({"DeleteObject"})
    for number in range(60):
        (one.path / f"f{number}").unlink()
    assert len(one.sync().problems) == 60
    one.restart()
    asked(there)
    assert len(one.sync().problems) == 60
    assert asked(there).count("DeleteObject") == 10
    there.forbids = frozenset()
    one.restart()
    assert one.sync().deleted_remote == 10
    assert one.sync().deleted_remote == 50
    assert one.sync().outcome is Outcome.DONE


def test_role_without_delete_leaves_one_probe_and_no_more(runner: MakeRunner, there: WebS3, url: str) -> None:
    there.forbids = frozenset({"DeleteObject"})
    one = runner("a", endpoint_url=url)
    (one.path / "a").write_text("x")
    one.sync()
    probes = len(there.objects)
    assert probes <= 2
    for _ in range(3):
        one.sync()
        one.restart()
    assert len(there.objects) == probes
    assert sum("DeleteObject" in line for line in one.log) == 1


def test_push_without_the_right_to_list_goes_by_memory_and_says_so(runner: MakeRunner, there: WebS3, url: str) -> None:
    there.forbids = frozenset({"ListObjectsV2"})
    put(there, "theirs", b"1")
    put(there, "other", b"kept")
    one = runner("a", Mode.PUSH, endpoint_url=url, delete=True, remote_trash="off")
    (one.path / "new").write_text("n")
    (one.path / "theirs").write_text("2")
    first = one.sync()
    assert codes(first) == {"": "unlisted"}
    assert "s3:ListBucket" in first.problems[0].reason
    assert (there.objects["new"].body, there.objects["theirs"].body) == (b"n", b"2")
    (one.path / "new").write_text("n2")
    assert one.sync(Scope.PATHS, "new").uploaded == 1
    (one.path / "theirs").write_text("33")
    (one.path / "new").unlink()
    asked(there)
    later = one.sync()
    assert (later.uploaded, later.deleted_remote) == (1, 1)
    assert set(asked(there)) == {"ListObjectsV2", "PutObject", "DeleteObject"}
    assert {key: stored.body for key, stored in there.objects.items()} == {"theirs": b"33", "other": b"kept"}


@pytest.mark.parametrize("mode", [Mode.TWO_WAY, Mode.PULL])
def test_listing_that_becomes_forbidden_is_a_failure_and_never_an_empty_bucket(
    runner: MakeRunner, there: WebS3, url: str, mode: Mode
) -> None:
    put(there, "a", b"x")
    one = runner("a", mode, endpoint_url=url, delete=True)
    assert one.sync().hydrated
    there.forbids = frozenset({"ListObjectsV2"})
    report = one.sync()
    assert (report.outcome, report.retry) == (Outcome.FAILED, True)
    assert "s3:ListBucket" in report.message
    assert one.sync(Scope.KEYS, keys=("a", "gone")).outcome in {Outcome.DONE, Outcome.DONE_WITH_PROBLEMS}
    assert one.files() == {"a": b"x"}
    there.forbids = frozenset()
    assert one.sync().outcome is Outcome.DONE


def test_forbidden_key_is_a_permanent_problem_and_the_rest_is_hydrated(
    runner: MakeRunner, there: WebS3, url: str
) -> None:
    put(there, "secret", b"s")
    put(there, "both", b"1")
    put(there, "open", b"o")
    there.forbids = frozenset({"GetObject secret", "GetObject both"})
    one = runner("a", endpoint_url=url)
    (one.path / "both").write_text("2")
    for _ in range(2):
        report = one.sync()
        assert codes(report) == {"secret": "forbidden", "both": "forbidden"}
        assert all(problem.permanent and "s3:GetObject" in problem.reason for problem in report.problems)
        assert report.hydrated
    assert one.files() == {"open": b"o", "both": b"2"}
    assert names(there) == {"secret", "both", "open"}
    there.forbids = frozenset()
    one.sync()
    assert one.files()["secret"] == b"s"


@pytest.mark.parametrize("server_is_amazons", [False, True])
def test_without_the_right_to_write_a_two_way_still_downloads_and_names_what_waits(
    runner: MakeRunner, there: WebS3, url: str, monkeypatch: pytest.MonkeyPatch, *, server_is_amazons: bool
) -> None:
    if server_is_amazons:
        monkeypatch.setattr("runner.store.probe.is_aws", lambda _url: True)
    there.forbids = frozenset({"PutObject", "CopyObject", "CreateMultipartUpload"})
    put(there, "theirs", b"t")
    one = runner("a", endpoint_url=url)
    (one.path / "mine").write_text("m")
    report = one.sync()
    assert report.hydrated
    assert codes(report) == {"mine": "forbidden"}
    assert "s3:PutObject" in report.problems[0].reason
    assert one.files() == {"theirs": b"t", "mine": b"m"}
    (one.path / "theirs").unlink()
    assert set(codes(one.sync())) == {"mine", "theirs"}  # no copy into the trash, so no deletion
    assert names(there) == {"theirs"}
    there.forbids = frozenset()
    one.restart()
    report = one.sync()
    assert (report.uploaded, report.deleted_remote) == (1, 1)


def test_rights_that_only_tell_more_are_not_missed(runner: MakeRunner, there: WebS3, url: str) -> None:
    there.forbids = frozenset({"GetBucketVersioning", "GetObjectTagging", "GetObjectAcl"})
    one = runner("a", endpoint_url=url)
    file = one.path / "a"
    file.write_text("x")
    file.chmod(0o640)
    one.sync()
    file.chmod(0o600)
    assert one.sync().outcome is Outcome.DONE
    file.unlink()
    assert one.sync().deleted_remote == 1
    assert [key.startswith(".runner-trash/") for key in there.objects] == [True]


def test_mode_that_may_not_be_set_is_asked_for_once(runner: MakeRunner, there: WebS3, url: str) -> None:
    one = runner("a", endpoint_url=url)
    file = one.path / "a"
    file.write_text("x")
    file.chmod(0o640)
    one.sync()
    there.forbids = frozenset({"CopyObject"})
    file.chmod(0o600)
    assert "its new mode" in one.sync().message
    asked(there)
    one.sync()
    assert "CopyObject" not in asked(there)
    there.forbids = frozenset()
    file.chmod(0o604)
    assert one.sync().outcome is Outcome.DONE
    assert there.objects["a"].metadata["file-permissions"] == "0100604"


def test_archived_object_is_a_permanent_problem_and_never_absent(runner: MakeRunner, there: WebS3, url: str) -> None:
    put(there, "cold", b"c", "GLACIER")
    put(there, "tiered", b"t", "INTELLIGENT_TIERING")  # its listing does not tell that it is archived
    put(there, "warm", b"w")
    one = runner("a", endpoint_url=url)
    for _ in range(2):
        report = one.sync()
        assert codes(report) == {"cold": "archived", "tiered": "archived"}
        assert report.hydrated
        assert all(problem.permanent for problem in report.problems)
    assert one.files() == {"warm": b"w"}
    there.objects["warm"].storage_class = "DEEP_ARCHIVE"  # by a lifecycle rule: the same object
    (one.path / "warm").unlink()
    assert codes(one.sync())["warm"] == "archived"
    assert names(there) == {"cold", "tiered", "warm"}
    there.objects["cold"].storage_class = ""
    one.sync()
    assert one.files()["cold"] == b"c"


def deny(witness: BucketWitness, *actions: str, key: str = "*") -> None:
    """To everybody, by a bucket policy, besides what is denied to nobody."""
    places = [f"arn:aws:s3:::{witness.bucket}", f"arn:aws:s3:::{witness.bucket}/{key}"]
    rule = {"Effect": "Deny", "Principal": "*", "Action": [f"s3:{action}" for action in actions], "Resource": places}
    policy = {"Version": "2012-10-17", "Statement": [rule]}
    witness.s3.put_bucket_policy(Bucket=witness.bucket, Policy=json.dumps(policy))


def test_policies_of_a_real_server_are_obeyed_and_named(runner: MakeRunner, ceph: Server, ceph_bucket: str) -> None:
    there = BucketWitness(ceph, ceph_bucket)
    one = runner("a", bucket=ceph_bucket, endpoint_url=ceph.endpoint_url)
    for name in ("a", "b"):
        (one.path / name).write_text(name)
    assert one.sync().uploaded == 2
    deny(there, "DeleteObject")
    (one.path / "a").unlink()
    for _ in range(2):
        assert codes(one.sync()) == {"a": "delete-forbidden"}
    assert list(one.files()) == ["b"]

    there.put("secret", b"s")
    deny(there, "GetObject", key="secret")
    one.restart()
    report = one.sync()
    assert codes(report) == {"secret": "forbidden"}
    assert (report.hydrated, report.deleted_remote) == (True, 1)

    deny(there, "PutObject")
    (one.path / "mine").write_text("m")
    assert codes(one.sync())["mine"] == "forbidden"

    deny(there, "ListBucket")
    report = one.sync()
    assert (report.outcome, "s3:ListBucket" in report.message) == (Outcome.FAILED, True)
    there.s3.delete_bucket_policy(Bucket=ceph_bucket)
    assert one.sync().outcome is Outcome.DONE
    assert one.files() == {"b": b"b", "mine": b"m", "secret": b"s"}
    assert there.files() == one.files()
