"""Runners of the bench: real engine, folder, leases and memory; bucket, clock and threads are lent."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import replace
from typing import Any, cast

from runner.config.settings import Pair
from runner.engine.interface import Engine, ServiceUnavailableError, Surroundings
from runner.engine.native.engine import NativeEngine
from runner.engine.native.memory import Memory
from runner.engine.native.server import Server
from runner.model.passes import Requests
from runner.store.capabilities import Capabilities
from runner.store.client import Client
from runner.store.credentials import Credentials
from runner.wire.channel import Channel
from tests.bench.fake_door import Door
from tests.bench.fake_s3 import Clock, FakeS3
from tests.bench.kept import KeptMemory
from tests.integration.native_engine import Runner

DATABASE = ("state.db", "state.db-wal", "state.db-shm")


class InLine(Executor):
    """Everything at once, in the caller's thread: one order of things, the same in every run."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:
            done.set_exception(error)
        return done


class Killed(BaseException):
    """What a runner dies of in the middle of a pass. memory: its files, as they were then."""

    def __init__(self, memory: dict[str, bytes]) -> None:
        super().__init__()
        self.memory = memory


class FakeServer(Server):
    """The bucket in memory where the engine's server was."""

    def __init__(self, surroundings: Surroundings, bucket: FakeS3, clock: Clock) -> None:
        super().__init__(surroundings)
        self._bucket = bucket
        self._door = Door(bucket, surroundings.should_stop, clock.sleep)

    @property
    def requests(self) -> Requests:
        return self._door.requests

    def client(self) -> Client:
        return cast(Client, self._door)  # all that a pass asks of it is the door's

    def endpoint_url(self) -> str | None:
        return self._door.endpoint_url

    def capabilities(self, memory: Memory, *, read_only: bool) -> Capabilities:
        return self._bucket.kind.capabilities

    def close(self) -> None: ...


class KeyedServer(Server):
    """The engine's own server and client, with keys that are known."""

    def __init__(self, surroundings: Surroundings, keys: Credentials) -> None:
        super().__init__(surroundings)
        self._keys = keys

    def _refresh(self) -> None:
        self._credentials = self._keys


def _no_service(name: str) -> Channel:
    raise ServiceUnavailableError(name)


class BenchRunner(Runner):
    """A worker's part on the bench's bucket and clock."""

    def __init__(
        self,
        pair: Pair,
        clock: Callable[[], float],
        serve: Callable[[Surroundings], Server],
        connect: Callable[[str], Channel] = _no_service,
    ) -> None:
        self._clock = clock
        self._serve = serve
        self._saved: dict[str, bytes] = {}
        self._database = pair.folder / ".runner" / DATABASE[0]
        self.in_pass = False
        super().__init__(pair, connect)

    def surroundings(self) -> Surroundings:
        return replace(super().surroundings(), wall_clock=self._clock)

    def _engine(self, lock_fd: int) -> Engine:
        around = self.surroundings()
        return NativeEngine(around, self.folder, self.private, lock_fd, self._serve(around), InLine())

    def close(self) -> None:
        super().close()
        KeptMemory.let_go(self._database)

    # ── memory ──

    def memory(self) -> Memory:
        return KeptMemory.open_read_only(self._database)

    def memory_on_disk(self) -> dict[str, bytes]:
        place = self.path / ".runner"
        return {name: (place / name).read_bytes() for name in DATABASE if (place / name).exists()}

    def save_memory(self) -> None:
        """What `restore_memory` takes when it is told nothing else."""
        self._saved = self.memory_on_disk()

    def restore_memory(self, saved: dict[str, bytes] | None = None) -> None:
        """An older one ({}: none), as after a backup or a kill before the rows were written."""
        self.close()
        for name in DATABASE:
            (self.path / ".runner" / name).unlink(missing_ok=True)
        for name, content in (self._saved if saved is None else saved).items():
            (self.path / ".runner" / name).write_bytes(content)
        self._open()
