"""Histories as hypothesis draws them: who does what when, and what goes wrong meanwhile. At rest the oracle speaks."""

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from runner.config.settings import Mode, Pair
from runner.model.passes import Scope, Work
from tests.bench.fake_s3 import Clock, FakeS3, Fault, Kind
from tests.bench.runners import BenchRunner, FakeServer
from tests.bench.world import BUCKET, Act, World
from tests.integration.native_engine import make_pair

FILES = ("a", "b.txt", "d/a", "d/e/c", "g/c")
PATHS = (*FILES, "d", "d/e", "g", "a/x")  # folders, and a name that is a file elsewhere
RUNNERS = 4
VERBS = ("write", "write", "append", "twin", "empty", "remove", "rename", "mkdir", "chmod", "link", "hold", "let-go")
FAULTS = ("lost", "conflict", "storm", "garbled", "short")

numbers = st.integers(0, RUNNERS - 1)
acts = st.builds(
    Act, st.sampled_from(VERBS), st.integers(BUCKET, RUNNERS - 1), st.sampled_from(PATHS), st.sampled_from(PATHS)
)
afters = st.integers(0, 12)
kinds = st.builds(
    Kind,
    st.sampled_from(["bytes", "tree", "none"]),
    st.sampled_from(["off", "enabled", "suspended", "unknown"]),
    st.sampled_from(["md5", "multipart", "opaque"]),
    st.booleans(),
    st.booleans(),
)
settings_of_all = st.fixed_dictionaries(
    {
        "prefix": st.sampled_from(["", "p/"]),
        "remote_trash": st.sampled_from(["auto", "all"]),
        "permissions": st.booleans(),
        "accept_unsafe_server": st.just(True),
    }
)
settings_of_one = st.fixed_dictionaries(
    {
        "conflict": st.sampled_from(["keep-both", "keep-both", "newest", "local", "remote"]),
        "first_pass": st.sampled_from(["union", "union", "bucket", "folder"]),
        "delete": st.booleans(),
    }
)
modes = st.one_of(
    st.lists(st.just(Mode.TWO_WAY), min_size=1, max_size=RUNNERS),
    st.lists(st.sampled_from([Mode.TWO_WAY, Mode.PULL]), min_size=1, max_size=RUNNERS),
    st.lists(st.sampled_from([Mode.TWO_WAY, Mode.PULL]), max_size=2).map(lambda rest: [Mode.PUSH, *rest]),
)


Pairs = list[tuple[Mode, dict[str, Any]]]


class Histories(RuleBasedStateMachine):
    """On the bucket in memory. A subclass may put another one in its place."""

    place: ClassVar[str] = "/dev/shm"

    def __init__(self) -> None:
        super().__init__()
        self.world: World | None = None
        self.root = Path(tempfile.mkdtemp(prefix="bench-", dir=self.place))

    @initialize(
        kind=kinds,
        modes=modes,
        shared=settings_of_all,
        own=st.lists(settings_of_one, min_size=RUNNERS, max_size=RUNNERS),
    )
    def begin(self, kind: Kind, modes: list[Mode], shared: dict[str, Any], own: list[dict[str, Any]]) -> None:
        self.world = self.make(kind, [(mode, shared | values) for mode, values in zip(modes, own, strict=False)])

    def make(self, kind: Kind, pairs: Pairs) -> World:
        return fake_world(self.root, kind, pairs)

    def teardown(self) -> None:
        try:
            if self.world is not None:
                try:
                    self.world.oracle.check()
                finally:
                    self.world.close()
        finally:
            shutil.rmtree(self.root)

    # ── users ──

    @rule(act=acts)
    def user(self, act: Act) -> None:
        self._world.act(self._fitting(act))

    @rule(acts=st.lists(acts, min_size=2, max_size=5))
    def users(self, acts: list[Act]) -> None:
        for act in acts:
            self.user(act)

    @rule(seconds=st.sampled_from([0.3, 1.1, 61.0, 3600.0]))
    def wait(self, seconds: float) -> None:
        self._world.clock.sleep(seconds)

    # ── runners ──

    @rule(number=numbers)
    def full(self, number: int) -> None:
        self._world.sync(self._one(number))

    @rule()
    def all_full(self) -> None:
        for number in range(len(self._world.runners)):
            self._world.sync(number)

    @rule(number=numbers)
    def local(self, number: int) -> None:
        self._world.sync(self._one(number), Work(Scope.LOCAL))

    @rule(number=numbers, wrong=st.frozensets(st.sampled_from(PATHS), max_size=3), all_of_them=st.booleans())
    def paths(self, number: int, wrong: frozenset[str], all_of_them: bool) -> None:
        touched = self._world.touched[self._one(number)]
        named = frozenset(touched) if all_of_them else frozenset(sorted(touched)[::2]) | wrong
        touched.clear()
        self._world.sync(self._one(number), Work(Scope.PATHS, named))

    @rule(number=numbers, wrong=st.frozensets(st.sampled_from(PATHS), max_size=2))
    def by_keys(self, number: int, wrong: frozenset[str]) -> None:
        keys = self._world.keys | {self._world.prefix + path for path in wrong}
        self._world.sync(self._one(number), Work(Scope.KEYS, frozenset(), frozenset(keys)))

    @rule(number=numbers)
    def restart(self, number: int) -> None:
        self._world.runners[self._one(number)].restart()

    @rule(number=numbers, then=st.sampled_from(["save", "lose", "restore"]))
    def memory(self, number: int, then: str) -> None:
        runner = self._world.runners[self._one(number)]
        if then == "save":
            runner.save_memory()
            return
        self._world.oracle.forgetful()
        runner.restore_memory({} if then == "lose" else None)

    # ── what goes wrong, and what happens in the middle of a pass ──

    @rule(name=st.sampled_from(FAULTS), after=afters)
    def fault(self, name: Any, after: int) -> None:
        self._world.bucket.arm(Fault(name, after))

    @rule(after=afters, acts=st.lists(acts, min_size=1, max_size=3))
    def user_meanwhile(self, after: int, acts: list[Act]) -> None:
        self._meanwhile(after, lambda: self.users(acts))

    @rule(after=afters, number=numbers)
    def runner_meanwhile(self, after: int, number: int) -> None:
        self._meanwhile(after, lambda: self.full(number))

    @rule(after=afters, number=numbers)
    def kill(self, after: int, number: int) -> None:
        self._world.kill(self._one(number), after)

    @rule(after=afters, number=numbers)
    def stop(self, after: int, number: int) -> None:
        runner = self._world.runners[self._one(number)]
        self._meanwhile(after, lambda: setattr(runner, "stop", runner.in_pass))

    # ── how ──

    @property
    def _world(self) -> World:
        assert self.world is not None
        return self.world

    def _one(self, number: int) -> int:
        return number % len(self._world.runners)

    def _fitting(self, act: Act) -> Act:
        return act if act.side == BUCKET else act._replace(side=self._one(act.side))

    def _meanwhile(self, after: int, action: Callable[[], None]) -> None:
        self._world.bucket.arm(Fault("meanwhile", after, action))


def fake_world(root: Path, kind: Kind, pairs: Pairs) -> World:
    clock = Clock(float(int(time.time()) + 3600))
    bucket = FakeS3(clock, kind)
    runners = [
        BenchRunner(pair_of(root, number, *pair), clock, lambda around: FakeServer(around, bucket))
        for number, pair in enumerate(pairs)
    ]
    return World(bucket, clock, runners, runners[0].pair.prefix)


def pair_of(root: Path, number: int, mode: Mode, values: dict[str, Any], bucket: str = "bench") -> Pair:
    return make_pair(bucket, root / f"r{number}", mode, **values)
