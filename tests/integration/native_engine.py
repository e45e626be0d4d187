"""Native engines in a test: real S3, real credential process, real folder; here is the worker's part."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.seaweedfs import Server
from runner.config.settings import EngineName, Mode, Pair, Symlinks
from runner.engine.interface import Engine, ServiceUnavailableError, Surroundings
from runner.engine.registry import create_engine
from runner.files.folder import Folder
from runner.files.lock import Holder, PairLock, try_lock
from runner.files.private import Private
from runner.model.passes import PassReport, Scope, Trigger, Work
from runner.wire.channel import Channel
from tests.witness import s3

ROOT = Path(__file__).parents[2]
_CREDENTIALS = """
import sys
from runner.store.credential_process import serve
from runner.wire.channel import Channel
from tests.witness import s3
serve(Channel.from_fd(int(sys.argv[1])))
"""


class CredentialProcess:
    """The one service that a native engine needs."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._channel, theirs = Channel.pair()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _CREDENTIALS, str(theirs.fileno())],
            env=environment,
            cwd=ROOT,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()

    def connect(self, name: str) -> Channel:
        if name != "credentials" or self._process.poll() is not None:
            raise ServiceUnavailableError(f"no {name}")
        ours, theirs = Channel.pair()
        self._channel.send({"type": "client"}, (theirs.fileno(),))
        theirs.close()
        return ours

    def close(self) -> None:
        self._channel.close()
        self._process.kill()
        self._process.wait()


def make_pair(bucket: str, folder: Path, mode: Mode, **changes: object) -> Pair:
    values: dict[str, object] = {
        "name": "test", "bucket": bucket, "folder": folder, "mode": mode, "engine": EngineName.NATIVE, "every": None,
        "watch": False, "symlinks": Symlinks.PRESERVE, "required": False, "accept_unsafe_server": False,
    }  # fmt: skip
    return Pair.model_validate(values | changes)


class Runner:
    """Holds one pair as a worker does. `restart` is what a new worker is."""

    def __init__(self, pair: Pair, connect: Callable[[str], Channel]) -> None:
        self.pair = pair
        self.token = ""
        self.stop = False
        self.only_push = False
        self.log: list[str] = []
        self._connect = connect
        self._open()

    @property
    def path(self) -> Path:
        return self.pair.folder

    def _open(self) -> None:
        self.folder = Folder.open(self.pair.folder, create=True, mountpoint=False)
        self.private = Private.open(self.folder, self.pair, None)
        lock = try_lock(self.private, Holder("test", os.getpid(), 0.0))
        assert isinstance(lock, PairLock)
        self._lock = lock
        self.engine = self._engine(lock.fd)

    def _engine(self, lock_fd: int) -> Engine:
        return create_engine(self._surroundings(), self.folder, self.private, lock_fd)

    def _surroundings(self) -> Surroundings:
        return Surroundings(
            pair=self.pair,
            state_dir=None,
            connect=self._connect,
            should_stop=lambda: self.stop,
            report_progress=lambda _progress: None,
            run_started=lambda _pid: None,
            run_ended=lambda _pid: None,
            slot_acquire=lambda: None,
            slot_release=lambda: None,
            approved_token=lambda: self.token,
            wall_clock=time.time,
            log=lambda level, message: self.log.append(f"{level} {message}"),
            only_push=lambda: self.only_push,
        )

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

    def restart(self, **changes: object) -> None:
        self.close()
        self.pair = self.pair.model_copy(update=changes)
        self._open()

    def close(self) -> None:
        self.engine.close()
        self._lock.close()
        self.private.close()
        self.folder.close()


MakeRunner = Callable[..., Runner]


@pytest.fixture(scope="module")
def credential_process(target: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CredentialProcess]:
    place = tmp_path_factory.mktemp("services")
    added = target.environment | {
        "AWS_CONFIG_FILE": str(place / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(place / "credentials"),
    }
    before = {name: os.environ.get(name) for name in added}
    os.environ.update(added)
    started = CredentialProcess(dict(os.environ))
    yield started
    started.close()
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@pytest.fixture
def runner(credential_process: CredentialProcess, target: Server, bucket: str, home: Path) -> Iterator[MakeRunner]:
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
