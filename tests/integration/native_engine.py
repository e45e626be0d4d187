"""Native engines in a test: real S3, real credential process, real folder; here is the worker's part."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.seaweedfs import Server
from runner.config.settings import EngineName, Mode, Pair, Symlinks
from runner.model.passes import PassReport, Scope, Trigger, Work
from tests.integration.worker_part import CREDENTIALS, ServiceProcess, WorkerPart, lent_environment
from tests.witness import s3


def make_pair(bucket: str, folder: Path, mode: Mode, **changes: object) -> Pair:
    values: dict[str, object] = {
        "name": "test", "bucket": bucket, "folder": folder, "mode": mode, "engine": EngineName.NATIVE, "every": None,
        "watch": False, "symlinks": Symlinks.PRESERVE, "required": False, "accept_unsafe_server": False,
    }  # fmt: skip
    return Pair.model_validate(values | changes)


class Runner(WorkerPart):
    def sync(self, scope: Scope = Scope.FULL, *paths: str, keys: tuple[str, ...] = ()) -> PassReport:
        return self.engine.run_pass(Trigger.REQUEST, Work(scope, frozenset(paths), frozenset(keys)))

    def files(self) -> dict[str, bytes]:
        """Contents below the folder, without what is private."""
        found = {}
        for path in sorted(self.path.rglob("*")):
            relative = path.relative_to(self.path).as_posix()
            if not f"{relative}/".startswith(".runner/") and path.is_file() and not path.is_symlink():
                found[relative] = path.read_bytes()
        return found


MakeRunner = Callable[..., Runner]


@pytest.fixture(scope="module")
def credential_process(target: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """The one service that a native engine needs."""
    with lent_environment(target.environment, tmp_path_factory.mktemp("services")) as environment:
        started = ServiceProcess("credentials", CREDENTIALS, environment)
        yield started
        started.close()


@pytest.fixture
def runner(credential_process: ServiceProcess, target: Server, bucket: str, home: Path) -> Iterator[MakeRunner]:
    """runner("a", Mode.TWO_WAY, conflict="local") -> a Runner on the folder `home/a` and the bucket."""
    made: list[Runner] = []

    def make(name: str = "a", mode: Mode = Mode.TWO_WAY, **keys: object) -> Runner:
        values: dict[str, object] = {"endpoint_url": target.endpoint_url, **keys}
        pair = make_pair(str(values.pop("bucket", bucket)), home / name, mode, **values)
        made.append(Runner(pair, credential_process.connect))
        return made[-1]

    yield make
    for one in made:
        one.close()


class BucketWitness:
    """The bucket as boto3 sees it: contents by key; the runner's own places left out."""

    def __init__(self, server: Server, bucket: str) -> None:
        self.s3 = s3(server.endpoint_url)
        self.bucket = bucket

    def files(self, *, trash: bool = False) -> dict[str, bytes]:
        return {key: self.get(key) for key in self.keys() if key.startswith(".runner-trash/") == trash}

    def keys(self, prefix: str = "") -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [row["Key"] for page in pages for row in page.get("Contents", [])]

    def get(self, key: str) -> bytes:
        body: bytes = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return body

    def metadata(self, key: str) -> dict[str, str]:
        found: dict[str, str] = self.s3.head_object(Bucket=self.bucket, Key=key)["Metadata"]
        return found

    def put(self, key: str, body: bytes, **options: object) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, **options)

    def delete(self, key: str) -> None:
        self.s3.delete_object(Bucket=self.bucket, Key=key)


@pytest.fixture
def there(target: Server, bucket: str) -> BucketWitness:
    return BucketWitness(target, bucket)
