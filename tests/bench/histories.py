"""Histories: who does what when, and what goes wrong meanwhile, on a world of their own. At rest the oracle speaks."""

import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from runner.config.settings import Mode, Pair
from runner.engine import brakes
from runner.engine.interface import Surroundings
from runner.engine.native import downloading, uploading
from runner.engine.native.server import Server
from runner.store import conversation
from runner.store.conversation import Conversation
from tests.bench.fake_s3 import EVERYTHING, Clock, FakeS3, Kind
from tests.bench.fake_web import CREDENTIALS, WebS3
from tests.bench.kept import memory_kept
from tests.bench.runners import BenchRunner, FakeServer, KeyedServer
from tests.bench.steps import Step, take
from tests.bench.world import World
from tests.integration.native_engine import make_pair

Pairs = list[tuple[Mode, dict[str, Any]]]
Make = Callable[[Path, Kind, Pairs], World]


class History(NamedTuple):
    kind: Kind
    pairs: Pairs
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        """As Python is written, so that it can be kept in test_regressions.py."""
        return re.sub(r"<(\w+\.\w+): [^>]*>", r"\1", repr(self))


def run(history: History, make: Make | None = None, place: str = "/dev/shm") -> None:
    """Raises AssertionError where a promise is broken, and whatever an engine raises."""
    root = Path(tempfile.mkdtemp(prefix="bench-", dir=place))
    try:
        with _small():
            world = (make or fake_world)(root, history.kind, history.pairs)
            try:
                take(world, history.steps)
                world.oracle.check()
            finally:
                world.close()
    finally:
        shutil.rmtree(root)


def failure(history: History, make: Make | None = None) -> Exception | None:
    try:
        run(history, make)
    except Exception as error:
        return error
    return None


@contextmanager
def _small() -> Iterator[None]:
    """Brakes and large objects for folders of five files of eight bytes."""
    with (
        mock.patch.object(brakes, "COUNTS_FROM", 3),
        mock.patch.object(uploading, "GULP_BYTES", 12),
        mock.patch.object(downloading, "GULP_BYTES", 12),
        memory_kept(),
    ):
        yield


def fake_world(root: Path, kind: Kind, pairs: Pairs) -> World:
    """By the fast door."""
    clock = _clock()
    bucket = FakeS3(kind, clock, page=3)
    return _world(root, bucket, clock, pairs, lambda around: FakeServer(around, bucket, clock))


def client_world(root: Path, kind: Kind, pairs: Pairs) -> World:
    """By the engine's own server and client, so conditions, retries and lost answers are theirs; all but the wire."""
    clock = _clock()
    bucket = WebS3(kind._replace(keeps=EVERYTHING), clock, "bench", page=3)
    world = _world(root, bucket, clock, pairs, lambda around: KeyedServer(around, CREDENTIALS))
    world.closing.enter_context(mock.patch.object(conversation, "Transport", bucket.transport))
    wait = mock.patch.object(Conversation, "_sleep", lambda _one, seconds, _stop: clock.sleep(seconds))
    world.closing.enter_context(wait)
    return world


def _clock() -> Clock:
    return Clock(float(int(time.time()) + 3600))


def _world(root: Path, bucket: FakeS3, clock: Clock, pairs: Pairs, serve: Callable[[Surroundings], Server]) -> World:
    runners = [BenchRunner(pair_of(root, number, *pair), clock, serve) for number, pair in enumerate(pairs)]
    return World(bucket, clock, runners, runners[0].pair.prefix)


def pair_of(root: Path, number: int, mode: Mode, values: dict[str, Any], bucket: str = "bench") -> Pair:
    return make_pair(bucket, root / f"r{number}", mode, **{"endpoint_url": "http://fake", **values})
