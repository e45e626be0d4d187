"""Histories drawn from a seed: who does what when, and what goes wrong meanwhile. At rest the oracle speaks.

Few names, and most steps about the name that somebody else touched last: what never meets proves nothing.
"""

import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from runner.config.settings import EmptyFolders, Mode, Pair
from runner.engine import brakes
from runner.engine.native import downloading, uploading
from runner.model.passes import Scope
from tests.bench.fake_s3 import Clock, FakeS3, Kind
from tests.bench.faults import Moment
from tests.bench.kept import memory_kept
from tests.bench.runners import BenchRunner, FakeServer
from tests.bench.steps import Clear, Meanwhile, Memory, Pass, Restart, Step, Trouble, Wait, take, without_each
from tests.bench.world import BUCKET, Act, World
from tests.integration.native_engine import make_pair

PATHS = ("a", "b.txt", "d/a", "d/e/c", "d", "d/e", "a/x", "g/c")  # files, folders, and both by one name
VERBS = ("write", "write", "save", "save", "append", "twin", "empty", "remove", "remove", "rename", "mkdir", "chmod",
         "link", "hold", "let-go")  # fmt: skip
MODES = ((Mode.TWO_WAY,), (Mode.TWO_WAY,), (Mode.TWO_WAY, Mode.PULL), (Mode.PUSH, Mode.PULL))
FILTERS: tuple[tuple[str, ...], ...] = ((), (), ("d/*",), ("a",))
TROUBLES: Any = ("lost", "conflict", "storm", "garbled", "short", "unreadable", "kill", "kill", "stop")
MOMENTS: tuple[Moment, ...] = ("meanwhile", "meanwhile", "at-put", "at-delete", "at-rename", "at-row")
Pairs = list[tuple[Mode, dict[str, Any]]]
Make = Callable[[Path, Kind, Pairs], World]


class History(NamedTuple):
    kind: Kind
    pairs: Pairs
    steps: tuple[Step, ...]


class Drawing:
    """One history from one seed. scenes: each some acts, what happens in the middle of a pass, and the pass."""

    def __init__(self, seed: int, scenes: int) -> None:
        self.random = random.Random(seed)
        self.paths = self.random.sample(PATHS, self.random.randint(2, 5))
        self.hot = self.paths[0]
        self.pairs = self._pairs()
        self.kind = self._kind()
        self._scenes = scenes

    def history(self) -> History:
        first: list[Step] = [*self._acts(3), *self._passes()] if self._maybe(0.8) else []
        scenes = [step for _ in range(self._scenes) for step in self._scene()]
        return History(self.kind, self.pairs, (*first, *scenes))

    def _pairs(self) -> Pairs:
        one = self.random
        shared = {
            "prefix": one.choice(["", "p/"]), "remote_trash": one.choice(["auto", "all"]),
            "permissions": self._maybe(0.7), "accept_unsafe_server": True,
            "empty_folders": one.choice([EmptyFolders.INDEX_OBJECT] * 3 + [EmptyFolders.INDEX_FILE]),
        }  # fmt: skip
        modes = one.choice(MODES)
        plain = self._maybe(0.6)
        return [
            (self._mode(number, modes), shared | {
                "conflict": "keep-both" if plain else one.choice(["newest", "local", "remote"]),
                "first_pass": "union" if plain else one.choice(["bucket", "folder"]),
                "delete": self._maybe(0.5),
            }) for number in range(one.choice([1, 2, 2, 2, 3, 4]))
        ]  # fmt: skip

    def _mode(self, number: int, modes: tuple[Mode, ...]) -> Mode:
        """One push at most: two that write one bucket are no promise."""
        if Mode.PUSH in modes:
            return self.random.choice([Mode.PULL, Mode.TWO_WAY]) if number else Mode.PUSH
        return self.random.choice(modes)

    def _kind(self) -> Kind:
        one = self.random
        return Kind(
            one.choice(["bytes", "tree", "none"]),
            one.choice(["off", "off", "enabled", "suspended", "unknown"]),
            one.choice(["md5", "multipart", "opaque"]),
            conditions=self._maybe(0.8),
            fraction=self._maybe(0.5),
        )

    def _maybe(self, share: float) -> bool:
        return self.random.random() < share

    def _number(self) -> int:
        return self.random.randrange(len(self.pairs))

    def _after(self, at: Moment = "meanwhile") -> int:
        return int(self.random.expovariate(0.12 if at == "meanwhile" else 1.0))

    def _act(self) -> Act:
        if self._maybe(0.3):
            self.hot = self.random.choice(self.paths)
        verb, side = self.random.choice(VERBS), self.random.randint(BUCKET, len(self.pairs) - 1)
        return Act(verb, side, self.hot, self.random.choice(self.paths) if verb == "rename" else "")

    def _acts(self, most: int) -> list[Act]:
        return [self._act() for _ in range(self.random.randint(1, most))]

    def _pass(self) -> Pass:
        scope = self.random.choice([Scope.FULL, Scope.FULL, Scope.FULL, Scope.LOCAL, Scope.PATHS, Scope.KEYS])
        return Pass(self._number(), scope, tuple(self.paths[:2]) if self._maybe(0.5) else ())

    def _passes(self) -> list[Pass]:
        return [Pass(number) for number in range(len(self.pairs))]

    def _clash(self) -> Iterator[Step]:
        """Two who mean the same name in the same moment, or a pass that is misled about it."""
        number, path = self._number(), self.hot
        if self._maybe(0.5):
            yield Act("write", number, path)
            yield from (*self._passes(), *self._passes())
        save, gone = Act("save", number, path), Act("remove", number, path)
        save_there, gone_there = Act("save", BUCKET, path), Act("remove", BUCKET, path)
        clashes: tuple[tuple[Step, ...], ...] = (
            (gone, Meanwhile(0, (save_there,), "at-delete")), (save, Meanwhile(0, (save_there,), "at-put")),
            (save_there, Meanwhile(0, (save,), "at-rename")), (save_there, Meanwhile(1, (save,), "at-rename")),
            (gone_there, Meanwhile(0, (save,), "at-rename")), (gone_there, save),
            (save, save_there, Pass(number), save, save_there, Pass(number)),
            (gone, Trouble("kill", 0, number, "at-delete")), (save_there, Trouble("kill", 0, number, "at-row")),
            (Act("write", number, "d/a"), *self._passes(), Trouble("unreadable", self.random.randrange(3))),
            (Trouble("short", self.random.randrange(2)),),
        )  # fmt: skip
        yield from self.random.choice(clashes)
        yield Pass(number)

    def _scene(self) -> Iterator[Step]:
        if self._maybe(0.4):
            yield from self._clash()
            return
        yield from self._acts(3)
        if self._maybe(0.25):
            yield self._rare()
        if self._maybe(0.2):
            at = self.random.choice(MOMENTS)
            yield Trouble(self.random.choice(TROUBLES), self._after(at), self._number(), at)
        if self._maybe(0.6):
            meanwhile: list[Step] = list(self._acts(2))
            if self._maybe(0.3):
                meanwhile.append(self._pass())
            at = self.random.choice(MOMENTS)
            yield Meanwhile(self._after(at), tuple(meanwhile), at)
        yield from self._passes() if self._maybe(0.25) else [self._pass()]

    def _rare(self) -> Step:
        number = self._number()
        steps: tuple[Step, ...] = (
            Wait(self.random.choice([0.3, 1.1, 61.0, 3600.0])), Restart(number, self.random.choice(FILTERS)),
            Memory(number, "save"), Memory(number, "lose"), Memory(number, "restore"), Clear(number), Clear(BUCKET),
        )  # fmt: skip
        return self.random.choice(steps)


def drawn(seed: int, scenes: int = 5) -> History:
    return Drawing(seed, scenes).history()


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


def shrunk(history: History, make: Make | None = None) -> History:
    """A failing history without the steps that it does not need."""

    def fails(steps: tuple[Step, ...]) -> bool:
        return failure(history._replace(steps=steps), make) is not None

    return history._replace(steps=without_each(history.steps, fails))


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
    clock = Clock(float(int(time.time()) + 3600))
    bucket = FakeS3(clock, kind)
    runners = [
        BenchRunner(pair_of(root, number, *pair), clock, lambda around: FakeServer(around, bucket))
        for number, pair in enumerate(pairs)
    ]
    return World(bucket, clock, runners, runners[0].pair.prefix)


def pair_of(root: Path, number: int, mode: Mode, values: dict[str, Any], bucket: str = "bench") -> Pair:
    return make_pair(bucket, root / f"r{number}", mode, **{"endpoint_url": "http://fake", **values})
