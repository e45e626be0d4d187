"""The decision about one path, for every combination of what memory, folder and bucket can say and every rule."""

from collections.abc import Iterator
from itertools import product

import pytest

from runner.config.settings import Mode
from runner.engine.native.decide import Action, Decision, Rules, decide, is_archived
from runner.engine.native.equality import link_sha256
from runner.engine.native.facts import UNKNOWN, Base, Kind, Local, LocalSide, Remote, RemoteSide
from runner.model.problem import Side
from tests.unit.native_samples import (
    BASE,
    FOLDER_BASE,
    FOLDER_HERE,
    FOLDER_THERE,
    GROWN,
    LOCAL,
    LONGER,
    MOVED,
    REMOTE,
    REWRITTEN,
    SECOND,
    TOUCHED,
    A,
    B,
    C,
    looked,
)

PUSH, PULL, TWO_WAY = Mode.PUSH, Mode.PULL, Mode.TWO_WAY

BASES: list[Base | None] = [
    None,
    BASE,
    BASE._replace(racy=True),
    BASE._replace(modified=0.0),
    BASE._replace(kind=Kind.LINK, sha256=link_sha256("t.txt"), mode=0),
    FOLDER_BASE,
]
LOCALS: list[LocalSide] = [
    UNKNOWN,
    None,
    LOCAL,
    TOUCHED,
    LOCAL._replace(ctime_ns=300 * SECOND, mode=0o100755),
    GROWN,
    LOCAL._replace(kind=Kind.LINK, target="t.txt", mode=0o120777),
    LOCAL._replace(kind=Kind.LINK, target="other", mode=0o120777),
    FOLDER_HERE,
]
REMOTES: list[RemoteSide] = [
    UNKNOWN,
    None,
    REMOTE,
    MOVED,
    REWRITTEN,
    LONGER,
    LONGER._replace(storage_class="GLACIER"),
    REWRITTEN._replace(storage_class="DEEP_ARCHIVE"),
    FOLDER_THERE,
]
RULES: list[Rules] = [
    Rules(mode, delete, conflict, first_pass, first, permissions)  # type: ignore[arg-type]
    for mode, delete, conflict, first_pass, first, permissions in product(
        Mode,
        [False, True],
        ["keep-both", "newest", "local", "remote"],
        ["union", "bucket", "folder"],
        [False, True],
        [False, True],
    )
    if (mode is TWO_WAY and delete) or (mode is not TWO_WAY and (conflict, first_pass) == ("keep-both", "union"))
]
LOOKS = {Action.LOOK_LOCAL, Action.LOOK_REMOTE, Action.COMPARE}
MODES = {Action.SET_LOCAL_MODE, Action.SET_REMOTE_MODE}
DELETES = {Action.DELETE_LOCAL, Action.DELETE_REMOTE}
WRITES_HERE = {Action.DOWNLOAD, Action.DELETE_LOCAL, Action.KEEP_BOTH, Action.SET_LOCAL_MODE}
WRITES_THERE = {Action.UPLOAD, Action.DELETE_REMOTE, Action.KEEP_BOTH, Action.SET_REMOTE_MODE}


class World:
    """One path with hidden truth: what LOOK_LOCAL, LOOK_REMOTE and COMPARE find."""

    def __init__(
        self, base: Base | None, local: LocalSide, remote: RemoteSide, here: str, there: Remote | None
    ) -> None:
        self.base, self.local, self.remote = base, local, remote
        self._here, self._there = here, there

    def settle(self, pair_rules: Rules) -> tuple[Decision, bool | None]:
        """The decision after at most one look of each kind, and what the comparison said."""
        looks: set[Action] = set()
        equal: bool | None = None
        while True:
            decision = decide(self.base, self.local, self.remote, pair_rules, equal)
            if decision.action not in LOOKS:
                return decision, equal
            assert decision.action not in looks, f"asked twice: {decision}"
            looks.add(decision.action)
            if decision.action is Action.LOOK_LOCAL:
                assert isinstance(self.local, Local)
                self.local = self.local._replace(sha256=self._here)
            elif decision.action is Action.LOOK_REMOTE:
                assert isinstance(self.remote, Remote)
                assert self._there is not None
                self.remote = self.remote._replace(
                    looked=True, kind=self._there.kind, mode=self._there.mode, mtime_ns=self._there.mtime_ns
                )
            else:
                assert isinstance(self.remote, Remote)
                equal = self._here == self._there.sha256 if self._there is not None else False


def worlds() -> Iterator[World]:
    for base, local, remote in product(BASES, LOCALS, REMOTES):
        hashes = [A, B] if isinstance(local, Local) and local.kind is Kind.FILE else [A]
        seen: list[Remote | None] = [None]
        if isinstance(remote, Remote):
            seen = [
                looked(remote, kind=kind, mode=mode, mtime_ns=mtime_ns, sha256=content)
                for kind in ([remote.kind] if remote.kind is Kind.FOLDER else [Kind.FILE, Kind.LINK])
                for mode, mtime_ns in ((None, None), (0o100600, 500 * SECOND))
                for content in ([B, C] if remote.etag != "etag-a" else [A])
            ]
        for here, there in product(hashes, seen):
            yield World(base, local, remote, here, there)


def changed_here(world: World) -> bool:
    """The side's content is not what memory knows (a folder has no content)."""
    local, base = world.local, world.base
    if not isinstance(local, Local) or local.kind is Kind.FOLDER:
        return False
    if base is None or local.kind is not base.kind or local.size != base.size:
        return True
    if local.kind is Kind.LINK:
        return link_sha256(local.target) != base.sha256
    return local.sha256 not in ("", base.sha256)


def changed_there(world: World) -> bool:
    remote, base = world.remote, world.base
    if not isinstance(remote, Remote) or remote.kind is Kind.FOLDER:
        return False
    return base is None or base.kind is Kind.FOLDER or remote.etag != base.etag or remote.size != base.remote_size


def check_sides(decision: Decision, world: World, pair_rules: Rules) -> None:
    """Nothing where a mode forbids it, nothing that is not there, no deletion without leave."""
    action = decision.action
    if action in DELETES:
        assert pair_rules.delete
        assert not pair_rules.first
        assert world.base is not None or pair_rules.mode is not TWO_WAY
    assert pair_rules.mode is not PUSH or action not in WRITES_HERE
    assert pair_rules.mode is not PULL or action not in WRITES_THERE
    assert pair_rules.permissions or action not in MODES
    assert world.local is not None or action not in {Action.UPLOAD, Action.DELETE_LOCAL, *MODES}
    assert world.remote is not None or action not in {Action.DOWNLOAD, Action.DELETE_REMOTE, Action.KEEP_BOTH, *MODES}


def check_losses(decision: Decision, world: World, pair_rules: Rules) -> None:
    """A change that is replaced or removed is named as the loser; in two-way it is never removed at all."""
    if decision.action in {Action.DOWNLOAD, Action.DELETE_LOCAL} and changed_here(world):
        assert decision.loser is Side.LOCAL
        assert decision.action is Action.DOWNLOAD or pair_rules.mode is PULL
    if decision.action in {Action.UPLOAD, Action.DELETE_REMOTE} and changed_there(world):
        assert decision.loser is Side.REMOTE
        assert decision.action is Action.UPLOAD or pair_rules.mode is PUSH


@pytest.mark.parametrize("pair_rules", RULES, ids=str)
def test_decide_of_every_combination_keeps_every_promise(pair_rules: Rules) -> None:
    for world in worlds():
        decision, equal = world.settle(pair_rules)
        if world.local is UNKNOWN or world.remote is UNKNOWN:
            assert decision.action is Action.WAIT
            continue
        assert decision.action is not Action.WAIT
        archived = isinstance(world.remote, Remote) and is_archived(world.remote)
        assert decision.action is not Action.PROBLEM or (archived and decision.code == "archived")
        if equal:
            assert decision.action in {Action.RECORD, Action.NOTHING, Action.PROBLEM, *MODES}
        check_sides(decision, world, pair_rules)
        check_losses(decision, world, pair_rules)


def test_decide_of_every_combination_is_many() -> None:
    assert len(list(worlds())) * len(RULES) > 10_000


def mirrored(decision: Decision) -> tuple[Action, Side | None]:
    swap = {
        Action.UPLOAD: Action.DOWNLOAD,
        Action.DOWNLOAD: Action.UPLOAD,
        Action.DELETE_LOCAL: Action.DELETE_REMOTE,
        Action.DELETE_REMOTE: Action.DELETE_LOCAL,
    }
    loser = {Side.LOCAL: Side.REMOTE, Side.REMOTE: Side.LOCAL}
    return swap.get(decision.action, decision.action), loser[decision.loser] if decision.loser else None


@pytest.mark.parametrize("base", [None, BASE])
@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("delete", [False, True])
@pytest.mark.parametrize(("mode", "opposite"), [(TWO_WAY, TWO_WAY), (PUSH, PULL)])
def test_decide_of_mirrored_worlds_is_mirrored(
    mode: Mode, opposite: Mode, delete: bool, first: bool, base: Base | None
) -> None:
    """A push sees a world as a pull sees the mirrored one, and two-way favours no side but by policy."""
    sides: list[tuple[Local | None, Remote | None]] = [(None, None), (LOCAL, REMOTE), (GROWN, LONGER)]
    for (here, here_there), (there_here, there) in product(sides, sides):
        if base is None and here is LOCAL and there is REMOTE:
            continue  # must be compared first, in both directions
        one = decide(base, here, there, Rules(mode, delete, "local", first=first))
        other = decide(base, there_here, here_there, Rules(opposite, delete, "remote", first=first))
        assert (one.action, one.loser) == mirrored(other), (here, there)
