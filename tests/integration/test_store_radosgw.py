"""What only a faithful server shows: every legal key, byte order, and a server that dislikes quoted ETags."""

from collections.abc import Iterator

import pytest

from demo.seaweedfs import Server
from runner.store.client import Client
from runner.store.keys import Refusal, path_of_key
from tests.integration.test_store_seaweedfs import AWKWARD_KEYS, make_client

pytestmark = pytest.mark.radosgw

FAITHFUL_ONLY = [
    "back\\slash",
    "a//b",
    "/leading",
    "./dot",
    "dot/./dot",
    "../up",
    "up/../up",
    "..",
    "folder/",
    "a/.",
    "x" * 1024,
]


@pytest.fixture
def client(ceph: Server, ceph_bucket: str) -> Iterator[Client]:
    client = make_client(ceph.endpoint_url, ceph_bucket)
    yield client
    client.close()


def test_every_legal_key_round_trips_in_byte_order(client: Client) -> None:
    keys = AWKWARD_KEYS + FAITHFUL_ONLY
    for key in keys:
        client.put(key, key.encode())
    assert [info.key for info in client.list()] == sorted(keys, key=str.encode)
    assert client.lists_in_byte_order is True
    for key in keys:
        assert client.get_bytes(key, 4096) == key.encode()
    refused = {key for key in keys if isinstance(path_of_key(key, ""), Refusal)}
    assert refused == set(FAITHFUL_ONLY) - {"back\\slash"}


def test_put_over_the_right_version_works_though_quotes_are_refused(client: Client) -> None:
    first = client.put("k", b"1", if_none_match=True)
    client.put("k", b"2", if_match=first)
    assert client.get_bytes("k", 5) == b"2"


def test_head_of_an_absent_key_is_none(client: Client) -> None:
    assert client.head("nothing") is None
