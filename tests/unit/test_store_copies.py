"""Copies inside the bucket: onto itself, without dropping what protects the object; in parts, whole or not at all."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import pytest

from runner.store import conversation
from runner.store.capabilities import NOTHING
from runner.store.client import Client
from runner.store.copies import Copies
from runner.store.errors import StoreError
from runner.store.pieces import Room
from runner.store.request import Answer
from tests.bench.fake_s3 import CARELESS
from tests.bench.fake_web import CREDENTIALS, WebS3
from tests.integration.test_store_seaweedfs import make_pair

PROTECTED = {
    "x-amz-storage-class": "STANDARD_IA",
    "x-amz-server-side-encryption": "aws:kms",
    "x-amz-server-side-encryption-aws-kms-key-id": "key",
    "x-amz-object-lock-legal-hold": "ON",
}
PART = 5


@dataclass(eq=False)
class CopyingS3(WebS3):
    """copied: what each CopyObject carried. meanwhile: what is put at the source after the last part was copied."""

    copied: list[Mapping[str, str]] = field(default_factory=list)
    meanwhile: bytes = b""

    def _CopyObject(self, key: str, query: Mapping[str, str], given: Mapping[str, str], body: bytes) -> Answer:  # noqa: N802
        self.copied.append(given)
        return super()._CopyObject(key, query, given, body)

    def _UploadPart(self, key: str, query: Mapping[str, str], given: Mapping[str, str], body: bytes) -> Answer:  # noqa: N802
        source = unquote(given["x-amz-copy-source"]).lstrip("/").partition("/")[2]
        first, last = (int(number) for number in given["x-amz-copy-source-range"].removeprefix("bytes=").split("-"))
        whole = self.objects[source].body
        etag = super()._UploadPart(key, query, given, whole[first : last + 1]).headers["etag"].strip('"')
        if self.meanwhile and last + 1 == len(whole):
            self.put(source, self.meanwhile)
        told = f"<CopyPartResult><ETag>&quot;{etag}&quot;</ETag></CopyPartResult>"
        return Answer(200, {}, told.encode())


@pytest.fixture
def server() -> CopyingS3:
    return CopyingS3(CARELESS)


@pytest.fixture
def client(server: CopyingS3, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setattr(conversation, "Transport", server.transport)
    client = Client("bkt", CREDENTIALS, pair=make_pair("bkt"))
    client.capabilities = NOTHING
    yield client
    client.close()


def test_other_metadata_keeps_class_encryption_and_lock(client: Client, server: CopyingS3) -> None:
    etag = server.put("k", b"content", {}, **{"content-language": "de", **PROTECTED}).etag
    client.set_metadata("k", etag=etag, changes={"mode": "0640"})
    assert server.objects["k"].metadata["mode"] == "0640"
    given = server.copied[0]  # the bucket in memory forgets these, so a second one knows nothing of them
    assert {name: given.get(name) for name in PROTECTED} == PROTECTED
    assert given["content-language"] == "de"


@pytest.mark.parametrize("meanwhile", [b"", b"other"])
def test_copy_in_parts_is_whole_or_nothing_and_leaves_no_upload(
    client: Client, server: CopyingS3, meanwhile: bytes
) -> None:
    """meanwhile: the source changes, on a server that ignores the condition on it."""
    etag = server.put("from", b"twelve bytes").etag
    server.meanwhile = meanwhile
    copies = Copies(client._bucket, Room(), copy_bytes=PART, part_bytes=PART)
    arguments: dict[str, Any] = {"source_etag": etag, "expected": None, "metadata": None, "content": None}
    if meanwhile:
        with pytest.raises(StoreError):
            copies.copy("from", "to", **arguments)
        assert "to" not in server.objects
    else:
        copies.copy("from", "to", **arguments)
        assert server.objects["to"].body == b"twelve bytes"
    assert server.uploads == {}
