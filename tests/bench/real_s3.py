"""The same histories on a real server: its clock is the machine's, and of the faults only `meanwhile` can be had."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

from botocore.exceptions import ClientError

from demo import seaweedfs
from runner.engine.interface import Surroundings
from runner.store.client import Client
from runner.store.credentials import Credentials
from tests.bench.fake_s3 import Clock, Kind
from tests.bench.faults import Faults, Moment
from tests.bench.histories import Make, Pairs, pair_of
from tests.bench.runners import BenchRunner, KeyedServer
from tests.bench.world import World
from tests.witness import make_bucket, s3


class RealClock(Clock):
    """Nobody waits for it: what passes between two acts is what they take."""

    def __init__(self) -> None:
        super().__init__(0.0)

    def __call__(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None: ...


class RealS3(Faults):
    """A bucket as a stranger uses it, by boto3."""

    remembers = False

    def __init__(self, server: seaweedfs.Server, name: str) -> None:
        super().__init__()
        self.server = server
        self.name = name
        self.kept: list[bytes] = []
        self.unseen: set[bytes] = set()
        self.alike: set[str] = set()
        self._s3 = s3(server.endpoint_url)

    def put(self, key: str, body: bytes, metadata: Mapping[str, str] | None = None) -> None:
        self._s3.put_object(Bucket=self.name, Key=key, Body=body, Metadata=dict(metadata or {}))

    def remove(self, key: str) -> None:
        self._s3.delete_object(Bucket=self.name, Key=key)

    def contents(self) -> dict[str, tuple[bytes, Mapping[str, str]]]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        keys = [row["Key"] for page in pages for row in page.get("Contents", [])]
        return {key: self._get(key) for key in keys}

    def _get(self, key: str) -> tuple[bytes, Mapping[str, str]]:
        answer = self._s3.get_object(Bucket=self.name, Key=key)
        return answer["Body"].read(), answer["Metadata"]

    def version(self, key: str, etag: str) -> bytes | None:
        """None also where it was replaced since."""
        try:
            answer = self._s3.get_object(Bucket=self.name, Key=key, IfMatch=f'"{etag}"')
        except ClientError:
            return None
        return cast(bytes, answer["Body"].read())


class RealServer(KeyedServer):
    """Each call of its client may have something happen before it."""

    def __init__(self, around: Surroundings, bucket: RealS3) -> None:
        url = bucket.server.endpoint_url
        super().__init__(around, Credentials(seaweedfs.ACCESS_KEY, seaweedfs.SECRET_KEY, endpoint_url=url))
        self._bucket = bucket

    def client(self) -> Client:
        return cast(Client, _Disturbed(super().client(), self._bucket))


_MOMENTS: dict[str, tuple[Moment, ...]] = {
    "put_small": ("at-put",), "copy": ("at-put",), "set_metadata": ("at-put",), "delete": ("at-delete",),
}  # fmt: skip


class _Disturbed:
    """A client before whose calls users act."""

    def __init__(self, client: Client, bucket: RealS3) -> None:
        object.__setattr__(self, "_client", client)
        object.__setattr__(self, "_faults", bucket)

    def __getattr__(self, name: str) -> Any:
        if name in {"head", "list", "get_small", "put_small", "copy", "set_metadata", "delete"}:
            self._faults.fault_now({"meanwhile", *_MOMENTS.get(name, ())})
        return getattr(self._client, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._client, name, value)


def world_on(server: seaweedfs.Server) -> Make:
    """Makes worlds, each on a fresh bucket of this server."""

    def make(root: Path, kind: Kind, pairs: Pairs) -> World:
        del kind  # it is what it is
        bucket = RealS3(server, make_bucket(server, f"h-{uuid4().hex[:12]}"))
        runners = [
            BenchRunner(
                pair_of(root, number, *pair, bucket=bucket.name), RealClock(), lambda around: RealServer(around, bucket)
            )
            for number, pair in enumerate(pairs)
        ]
        return World(bucket, RealClock(), runners, runners[0].pair.prefix)

    return make
