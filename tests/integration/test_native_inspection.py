"""`check --online` of native and two-way pairs on real servers, on one that ignores conditions, and with few rights."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from demo.seaweedfs import Server
from runner.config.settings import EngineName, Mode, Symlinks
from runner.engine.interface import Finding
from runner.engine.registry import inspect
from tests.bench.fake_s3 import CARELESS
from tests.bench.fake_web import WebS3
from tests.integration.aws_cli_engine import Services, services
from tests.integration.aws_cli_launcher import make_pair
from tests.integration.worker_part import surroundings_of
from tests.witness import objects, put, s3

__all__ = ["services"]
Inspect = Callable[..., dict[str, Finding]]


@pytest.fixture(name="findings")
def _findings(services: Services, seaweed: Server, bucket: str, tmp_path: Path) -> Inspect:
    """findings(mode=..., prefix=..., ...) of a two-way pair on the folder `tmp_path/f` and the bucket, by item."""
    (tmp_path / "f").mkdir()

    def found(mode: Mode = Mode.TWO_WAY, **keys: Any) -> dict[str, Finding]:
        plain = {"endpoint_url": seaweed.endpoint_url, "engine": EngineName.NATIVE, "symlinks": Symlinks.PRESERVE}
        folder, name = keys.pop("folder", tmp_path / "f"), keys.pop("bucket", bucket)
        pair = make_pair(name, folder, mode, **plain | keys)
        return {one.item: one for one in inspect(surroundings_of(pair, services.connect))}

    return found


def verdicts(found: dict[str, Finding]) -> dict[str, str]:
    return {item: finding.verdict for item, finding in found.items()}


def test_inspection_of_a_two_way_pair_proves_each_promise_and_leaves_nothing(
    findings: Inspect, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    put(seaweed, bucket, "p/there", b"x" * 5000)
    (tmp_path / "f" / "a").write_text("1")
    found = findings(prefix="p/", watch=True)
    names = ("credentials", "bucket", "list", "read", "write", "delete", "conditions", "checksums", "list-order",
             "versioning", "lifecycle", "folder", "files", "events", "file-system", "requests")  # fmt: skip
    assert verdicts(found) == dict.fromkeys(names, "ok")
    assert found["list-order"].text.startswith("names come out of byte order")  # SeaweedFS lists as a tree
    assert found["conditions"].text == "all hold: create, replace, delete, complete, copy"
    assert objects(seaweed, bucket) == {"p/there": 5000}
    assert [path.name for path in (tmp_path / "f").iterdir()] == ["a"]


def test_inspection_of_a_folder_in_use_tries_in_its_private_place(findings: Inspect, tmp_path: Path) -> None:
    (tmp_path / "f" / ".runner" / "tmp").mkdir(parents=True, mode=0o700)
    assert verdicts(findings())["file-system"] == "ok"
    assert not list((tmp_path / "f" / ".runner" / "tmp").iterdir())


def test_inspection_of_a_pull_writes_nothing(findings: Inspect, seaweed: Server, bucket: str, tmp_path: Path) -> None:
    found = findings(Mode.PULL, folder=tmp_path / "not-there")
    assert not {"write", "delete", "conditions", "checksums", "file-system"} & found.keys()
    assert verdicts(found)["lifecycle"] == "ok"
    assert not (tmp_path / "not-there").exists()


def test_inspection_tells_a_lifecycle_rule_that_deletes(findings: Inspect, seaweed: Server, bucket: str) -> None:
    rule = {"ID": "tidy", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 7}}
    s3(seaweed.endpoint_url).put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    found = findings()["lifecycle"]
    assert found.verdict == "note"
    assert "deletes objects after 7 days" in found.text


@pytest.mark.radosgw
def test_inspection_on_radosgw_says_which_conditions_look_first(
    findings: Inspect, ceph: Server, ceph_bucket: str
) -> None:
    found = findings(bucket=ceph_bucket, endpoint_url=ceph.endpoint_url)
    assert found["conditions"].verdict == "note"
    assert found["conditions"].text.startswith("these hold: create, replace; not: delete, complete, copy")
    assert verdicts(found)["checksums"] == "note"
    assert found["list-order"].text == "names come in byte order"
    assert verdicts(found)["delete"] == "ok"
    assert objects(ceph, ceph_bucket) == {}


def test_inspection_refuses_two_way_on_a_server_that_ignores_conditions(findings: Inspect) -> None:
    careless = WebS3(CARELESS)
    with careless.served() as url:
        refused = findings(bucket="bkt", endpoint_url=url)["conditions"]
        accepted = findings(bucket="bkt", endpoint_url=url, accept_unsafe_server=True)["conditions"]
        pushed = findings(bucket="bkt", endpoint_url=url, mode=Mode.PUSH)["conditions"]
    assert refused.verdict == "failed"
    assert "accept_unsafe_server: true" in refused.text
    assert (accepted.verdict, pushed.verdict) == ("note", "note")
    assert not careless.objects


@pytest.mark.parametrize(("mode", "verdict"), [(Mode.TWO_WAY, "failed"), (Mode.PULL, "failed"), (Mode.PUSH, "note")])
def test_inspection_without_the_right_to_list_refuses_all_but_push(findings: Inspect, mode: Mode, verdict: str) -> None:
    careless = WebS3(forbids=frozenset({"ListObjectsV2"}))
    with careless.served() as url:
        found = findings(bucket="bkt", endpoint_url=url, mode=mode)
    assert verdicts(found)["list"] == verdict
    assert "allow s3:ListBucket" in found["list"].text
    assert "requests" not in found
    assert not careless.objects


def test_inspection_without_the_right_to_write_or_to_see_rules_says_what_to_allow(findings: Inspect) -> None:
    forbidden = frozenset({"PutObject", "GetBucketLifecycleConfiguration"})
    careless = WebS3(forbids=forbidden)
    with careless.served() as url:
        found = findings(bucket="bkt", endpoint_url=url)
    assert "allow s3:PutObject" in found["write"].text
    assert verdicts(found)["write"] == "failed"
    assert not {"delete", "conditions"} & found.keys()
    assert found["lifecycle"].text == "not told (allow s3:GetLifecycleConfiguration)"
