"""The probe against what it was made for: two real servers that differ, and one that ignores every condition."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from demo.seaweedfs import Server
from runner.store.capabilities import AWS, Versioning
from runner.store.client import Client
from runner.store.probe import probe
from tests.bench.fake_s3 import Kind
from tests.bench.fake_web import WebS3
from tests.integration.test_store_seaweedfs import make_client
from tests.witness import objects, s3

NOW = 1_800_000_000.0


@pytest.fixture
def client(seaweed: Server, bucket: str) -> Iterator[Client]:
    client = make_client(seaweed.endpoint_url, bucket)
    yield client
    client.close()


@pytest.mark.parametrize("prefix", ["", "a prefix/ü/"])
def test_probe_of_seaweedfs_finds_all_but_byte_order(client: Client, seaweed: Server, bucket: str, prefix: str) -> None:
    assert probe(client, prefix, NOW) == replace(AWS, versioning="off", byte_order=False, probed_at=NOW)
    assert objects(seaweed, bucket) == {}
    assert "Uploads" not in s3(seaweed.endpoint_url).list_multipart_uploads(Bucket=bucket)
    assert client.requests.puts + client.requests.gets + client.requests.lists + client.requests.deletes <= 30


@pytest.mark.radosgw
@pytest.mark.parametrize(("status", "kept", "holds"), [("", "off", True), ("Enabled", "enabled", False)])
def test_probe_of_radosgw_finds_creating_and_replacing_without_versioning_only(
    ceph: Server, ceph_bucket: str, status: str, kept: Versioning, holds: bool
) -> None:
    """radosgw 16 ignores If-None-Match in a bucket with versioning: what holds is the bucket's, not the server's."""
    if status:
        configuration = {"Status": status}
        s3(ceph.endpoint_url).put_bucket_versioning(Bucket=ceph_bucket, VersioningConfiguration=configuration)
    client = make_client(ceph.endpoint_url, ceph_bucket)
    try:
        found = probe(client, "p/", NOW)
    finally:
        client.close()
    expected = replace(AWS, create=holds, replace=holds, delete=False, complete=False, copy=False, checksums=False)
    assert found == replace(expected, versioning=kept, probed_at=NOW)
    assert objects(ceph, ceph_bucket) == {}


def test_probe_over_http_of_a_server_that_ignores_conditions_finds_it_unsafe() -> None:
    careless = WebS3(Kind(keeps=frozenset()))
    with careless.served() as url:
        client = make_client(url, "bkt")
        try:
            found = probe(client, "", NOW)
        finally:
            client.close()
    nothing = replace(AWS, create=False, replace=False, delete=False, complete=False, copy=False, checksums=False)
    assert found == replace(nothing, versioning="off", probed_at=NOW)
    assert not careless.objects
