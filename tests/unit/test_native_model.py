"""Deciding as a whole: a folder and a bucket in memory, edited at random, decided and applied in any order until quiet.

In the manner of CanopyCheck (Dropbox Nucleus): it ends, both sides are equal, no value is lost that nobody replaced.
"""

from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.config.settings import Mode
from runner.engine.native.decide import Action, Decision, Rules, decide
from runner.engine.native.equality import link_sha256
from runner.engine.native.facts import UNKNOWN, Base, Kind, Local, LocalSide, Remote, RemoteSide
from runner.model.problem import Side

ROUNDS = 12
PATHS = ("a", "b", "c")
WRITES = {
    Side.LOCAL: {Action.DOWNLOAD, Action.SET_LOCAL_MODE, Action.DELETE_LOCAL, Action.KEEP_BOTH},
    Side.REMOTE: {Action.UPLOAD, Action.SET_REMOTE_MODE, Action.DELETE_REMOTE, Action.KEEP_BOTH},
}


class File(NamedTuple):
    """On either side. version: local, what the stamps show; remote, LastModified. salt: an ETag that is no hash."""

    kind: Kind
    content: str
    version: int
    mode: int = 0o644
    salt: str = ""

    @property
    def value(self) -> tuple[Kind, str]:
        return self.kind, self.content


class Edit(NamedTuple):
    side: Side
    path: str
    verb: str  # write | delete | link | folder | touch | mode | memory


@dataclass
class Model:
    rules: Rules
    local: dict[str, File] = field(default_factory=dict)
    remote: dict[str, File] = field(default_factory=dict)
    memory: dict[str, Base] = field(default_factory=dict)
    kept: set[tuple[Kind, str]] = field(default_factory=set)  # trashes
    written: set[tuple[Kind, str]] = field(default_factory=set)
    replaced: set[tuple[Kind, str]] = field(default_factory=set)  # by somebody who had it before him
    clock: int = 1000
    copies: int = 0
    engine_wrote: set[Side] = field(default_factory=set)
    first: bool = True

    def tick(self) -> int:
        self.clock += 1
        return self.clock

    # what a person does

    def edit(self, edit: Edit) -> None:
        if edit.verb == "memory":
            self.memory.clear()
            self.first = True
            return
        side = self.local if edit.side is Side.LOCAL else self.remote
        old = side.get(edit.path)
        time = self.tick()
        if edit.verb == "touch":
            if old is not None:
                side[edit.path] = old._replace(version=time, salt=str(time % 2) if edit.side is Side.REMOTE else "")
        elif edit.verb == "mode":
            if old is not None and old.kind is Kind.FILE:
                side[edit.path] = old._replace(version=time, mode=0o600 + time % 64)
        else:
            self._replace(side, edit, old, time)

    def _replace(self, side: dict[str, File], edit: Edit, old: File | None, time: int) -> None:
        if old is not None:
            self.replaced.add(old.value)
        if edit.verb == "delete":
            side.pop(edit.path, None)
            return
        kinds = {"write": Kind.FILE, "link": Kind.LINK, "folder": Kind.FOLDER}
        content = "" if edit.verb == "folder" else f"{time:06d}"  # one size: nothing is told by it
        side[edit.path] = new = File(kinds[edit.verb], content, time)
        if new.kind is not Kind.FOLDER:
            self.written.add(new.value)

    # what the engine sees

    def see_local(self, path: str) -> Local | None:
        file = self.local.get(path)
        if file is None:
            return None
        target = file.content if file.kind is Kind.LINK else ""
        return Local(file.kind, len(file.content), file.version, file.version, 1, file.mode, target)

    def see_remote(self, path: str) -> Remote | None:
        file = self.remote.get(path)
        if file is None:
            return None
        kind = Kind.FOLDER if file.kind is Kind.FOLDER else Kind.FILE
        return Remote(kind, path, len(file.content), file.content + file.salt, file.version)

    def decide(self, path: str) -> Decision:
        """Looks as often as it is asked to, at most once each."""
        local: LocalSide = self.see_local(path)
        remote: RemoteSide = self.see_remote(path)
        equal: bool | None = None
        rules = Rules(self.rules.mode, self.rules.delete, self.rules.conflict, self.rules.first_pass, self.first)
        for _ in range(4):
            decision = decide(self.memory.get(path), local, remote, rules, equal)
            if decision.action is Action.LOOK_LOCAL:
                assert isinstance(local, Local)
                local = local._replace(sha256=link_sha256(self.local[path].content))
            elif decision.action is Action.LOOK_REMOTE:
                assert isinstance(remote, Remote)
                seen = self.remote[path]
                remote = remote._replace(looked=True, kind=seen.kind, mode=seen.mode, mtime_ns=seen.version)
            elif decision.action is Action.COMPARE:
                equal = self.local[path].value == self.remote[path].value
            else:
                return decision
        raise AssertionError("it goes on asking")

    # what the engine does

    def apply(self, path: str, decision: Decision) -> None:
        action = decision.action
        if decision.loser is not None and action is not Action.KEEP_BOTH:
            side = self.local if decision.loser is Side.LOCAL else self.remote
            if path in side:
                self.kept.add(side[path].value)
        if action is Action.KEEP_BOTH:
            self._keep_both(path, decision.loser)
        elif action in {Action.UPLOAD, Action.SET_REMOTE_MODE}:
            self.remote[path] = self.local[path]._replace(version=self.tick(), salt="")
        elif action in {Action.DOWNLOAD, Action.SET_LOCAL_MODE}:
            self.local[path] = self.remote[path]._replace(version=self.tick(), salt="")
        elif action is Action.DELETE_LOCAL:
            del self.local[path]
        elif action is Action.DELETE_REMOTE:
            del self.remote[path]
        self.engine_wrote |= {side for side in Side if action in WRITES[side]}
        if action not in {Action.NOTHING, Action.WAIT}:
            self._remember(path)

    def _keep_both(self, path: str, loser: Side | None) -> None:
        self.copies += 1
        copy = f"{path}.conflict-{self.copies}"
        if loser is Side.LOCAL:
            self.local[copy] = self.local[path]
            self.local[path] = self.remote[path]._replace(version=self.tick(), salt="")
        else:
            self.remote[copy] = self.remote[path]
            self.remote[path] = self.local[path]._replace(version=self.tick(), salt="")

    def _remember(self, path: str) -> None:
        here, there = self.local.get(path), self.remote.get(path)
        if here is None or there is None:
            self.memory.pop(path, None)
            return
        mode = here.mode if here.kind is Kind.FILE else 0
        sha256 = "" if here.kind is Kind.FOLDER else link_sha256(here.content)
        local = (here.kind, len(here.content), here.version, here.version, 1, mode, sha256)
        self.memory[path] = Base(*local, path, there.content + there.salt, len(there.content), there.version)

    def run_round(self, random: Random) -> bool:
        """Decides about every path, then applies in any order. False: there was nothing to do."""
        paths = sorted({*self.local, *self.remote, *self.memory})
        batch = [(path, self.decide(path)) for path in paths]
        random.shuffle(batch)
        for path, decision in batch:
            self.apply(path, decision)
        self.first = False
        return any(decision.action is not Action.NOTHING for _, decision in batch)

    def run(self, random: Random) -> None:
        for _ in range(ROUNDS):
            if not self.run_round(random):
                return
        raise AssertionError(f"not quiet after {ROUNDS} rounds")

    def lost(self) -> set[tuple[Kind, str]]:
        current = {file.value for file in (*self.local.values(), *self.remote.values())}
        return self.written - current - self.kept - self.replaced


def values(side: dict[str, File]) -> dict[str, tuple[Kind, str]]:
    return {path: file.value for path, file in side.items()}


def modes(side: dict[str, File]) -> dict[str, int]:
    return {path: file.mode & 0o777 for path, file in side.items() if file.kind is Kind.FILE}


EDITS = st.builds(
    Edit,
    st.sampled_from(Side),
    st.sampled_from(PATHS),
    st.sampled_from(["write", "write", "write", "delete", "delete", "link", "folder", "touch", "mode", "memory"]),
)
SESSIONS = st.lists(st.lists(EDITS, max_size=6), min_size=1, max_size=4)  # a sync after each


@given(
    SESSIONS,
    st.sampled_from(["keep-both", "newest", "local", "remote"]),
    st.sampled_from(["union", "bucket", "folder"]),
    st.integers(0, 99),
)
@settings(max_examples=300, deadline=None)
def test_model_two_way_ends_equal_and_loses_nothing(
    sessions: list[list[Edit]], conflict: str, first_pass: str, seed: int
) -> None:
    model = Model(Rules(Mode.TWO_WAY, True, conflict, first_pass))  # type: ignore[arg-type]
    for edits in sessions:
        for edit in edits:
            model.edit(edit)
        model.run(Random(seed))
        assert values(model.local) == values(model.remote)
        assert modes(model.local) == modes(model.remote)
        assert set(model.memory) == set(model.local)
        assert not model.lost()


@given(SESSIONS, st.sampled_from([(Mode.PUSH, True), (Mode.PUSH, False), (Mode.PULL, True), (Mode.PULL, False)]))
@settings(max_examples=300, deadline=None)
def test_model_of_a_mirror_follows_its_truth_and_never_touches_it(
    sessions: list[list[Edit]], how: tuple[Mode, bool]
) -> None:
    mode, delete = how
    model = Model(Rules(mode, delete))
    truth, mirror = (model.local, model.remote) if mode is Mode.PUSH else (model.remote, model.local)
    for edits in sessions:
        for edit in edits:
            model.edit(edit)
        before = dict(truth)
        model.run(Random(1))
        assert truth == before
        model.run(Random(2))  # a first pass deletes nothing, the next one may
        assert truth == before
        wanted, found = values(truth), values(mirror)
        for path, value in wanted.items():
            assert found.get(path) == value or (value[0] is Kind.FOLDER and not delete)
        assert not delete or wanted == found
        assert not model.lost()
        assert model.engine_wrote <= {Side.REMOTE if mode is Mode.PUSH else Side.LOCAL}


@pytest.mark.parametrize("side", list(Side))
def test_model_without_a_change_on_one_side_leaves_the_other_as_it_was(side: Side) -> None:
    model = Model(Rules(Mode.TWO_WAY, True))
    for path in PATHS:
        model.edit(Edit(side, path, "write"))
    model.run(Random(1))
    model.engine_wrote.clear()
    model.edit(Edit(side, "a", "write"))
    model.edit(Edit(side, "b", "delete"))
    model.edit(Edit(side, "c", "mode"))
    model.run(Random(1))
    assert model.engine_wrote == {Side.REMOTE if side is Side.LOCAL else Side.LOCAL}


@pytest.mark.parametrize("unknown", ["local", "remote"])
def test_model_of_a_side_that_cannot_be_seen_waits(unknown: str) -> None:
    model = Model(Rules(Mode.TWO_WAY, True))
    model.edit(Edit(Side.LOCAL, "a", "write"))
    model.run(Random(1))
    base = model.memory["a"]
    local: LocalSide = UNKNOWN if unknown == "local" else None
    remote: RemoteSide = UNKNOWN if unknown == "remote" else None
    assert decide(base, local, remote, model.rules).action is Action.WAIT
