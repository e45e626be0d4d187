"""Histories, each drawn from a seed of its own; hypothesis makes a failing one smaller.

Few names, and most steps about the name that somebody else touched last: what never meets proves nothing.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any, Protocol, TypeVar

from hypothesis import HealthCheck, Phase, find, settings
from hypothesis import strategies as st
from hypothesis.database import InMemoryExampleDatabase, choices_to_bytes
from hypothesis.errors import HypothesisException

from runner.config.settings import EmptyFolders, Mode
from runner.model.passes import Scope
from tests.bench.fake_s3 import EVERYTHING, Kind
from tests.bench.faults import Moment
from tests.bench.histories import History, Make, Pairs, client_world, failure, fake_world
from tests.bench.steps import Clear, Meanwhile, Memory, Pass, Restart, Step, Trouble, Wait
from tests.bench.world import BUCKET, Act

PATHS = ("a", "b.txt", "d/a", "d/e/c", "g/c")
KINDS = ("d", "d/e", "a/x")  # of files where the others have folders, and the other way round
VERBS = ("write", "write", "save", "save", "append", "twin", "empty", "remove", "remove", "rename", "mkdir", "chmod",
         "link", "hold", "let-go")  # fmt: skip
MODES = ((Mode.TWO_WAY,), (Mode.TWO_WAY,), (Mode.TWO_WAY, Mode.PULL), (Mode.PUSH, Mode.PULL))
KEEPS = (EVERYTHING,) * 8 + (EVERYTHING - {"delete", "complete", "copy"}, frozenset[str]())
FILTERS: tuple[tuple[str, ...], ...] = ((), (), ("d/*",), ("a",))
TROUBLES: Any = ("lost", "conflict", "storm", "garbled", "short", "unreadable", "kill", "kill", "stop")
MOMENTS: tuple[Moment, ...] = ("meanwhile", "meanwhile", "at-put", "at-delete", "at-rename", "at-row")
_SOON = (0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30)
_AT_ONCE = (0, 0, 0, 1, 2)
T = TypeVar("T")


class Part(Protocol):
    """Draws what belongs together."""

    def __call__(self, part: Callable[[], T]) -> T: ...


def _as_it_is(part: Callable[[], T]) -> T:
    return part()


class Drawing:
    """One history. The first of all options is the simplest."""

    def __init__(self, chance: random.Random, scenes: int, part: Part = _as_it_is) -> None:
        """scenes: at most; each some acts, what happens in the middle of a pass, and the pass. part: draws a part."""
        self._chance = chance
        self._part = part
        self._scenes = scenes
        self.paths = [path for path in PATHS if self._maybe(5)] or [PATHS[0]]
        self.paths += [path for path in KINDS if self._maybe(2)]
        self.hot = self._one_of(self.paths)
        self.pairs = self._pairs()
        self.kind = self._kind()

    def history(self) -> History:
        first: list[Step] = [*self._acts(), *self._passes()] if self._maybe(8) else []
        return History(
            self.kind, self.pairs, (*first, *chain.from_iterable(self._several(self._scene, self._scenes, 9)))
        )

    # ── chances ──

    def _number_below(self, end: int) -> int:
        return self._chance.randrange(end)

    def _one_of(self, options: Sequence[T]) -> T:
        return options[self._number_below(len(options))]

    def _maybe(self, tenths: int) -> bool:
        return self._number_below(10) >= 10 - tenths

    def _several(self, one: Callable[[], T], most: int, tenths: int) -> list[T]:
        """tenths: how likely is one more."""
        found: list[T] = []
        is_more = True
        while is_more and len(found) < most:
            part, is_more = self._part(lambda: (one(), self._maybe(tenths)))
            found.append(part)
        return found

    # ── what there is ──

    def _pairs(self) -> Pairs:
        shared = {
            "prefix": self._one_of(["", "p/"]), "remote_trash": self._one_of(["auto", "all"]),
            "permissions": not self._maybe(3), "accept_unsafe_server": True,
            "empty_folders": self._one_of([EmptyFolders.INDEX_OBJECT] * 3 + [EmptyFolders.INDEX_FILE]),
        }  # fmt: skip
        modes = self._one_of(MODES)
        is_plain = not self._maybe(4)
        return [
            (self._mode(number, modes), shared | {
                "conflict": "keep-both" if is_plain else self._one_of(["newest", "local", "remote"]),
                "first_pass": "union" if is_plain else self._one_of(["bucket", "folder"]),
                "delete": self._maybe(5),
            }) for number in range(self._one_of([1, 2, 2, 2, 3, 4]))
        ]  # fmt: skip

    def _mode(self, number: int, modes: tuple[Mode, ...]) -> Mode:
        """One push at most: two that write one bucket are no promise."""
        if Mode.PUSH in modes:
            return self._one_of([Mode.PULL, Mode.TWO_WAY]) if number else Mode.PUSH
        return self._one_of(modes)

    def _kind(self) -> Kind:
        return Kind(
            self._one_of(["bytes", "tree", "none"]),
            self._one_of(["off", "off", "enabled", "suspended", "unknown"]),
            self._one_of(["md5", "multipart", "opaque"]),
            self._one_of(KEEPS),
            fraction=self._maybe(5),
        )

    # ── what happens ──

    def _runner(self) -> int:
        return self._number_below(len(self.pairs))

    def _writer(self) -> int:
        """A runner whose uploads and deletions others may come between."""
        writers = [number for number, (mode, _values) in enumerate(self.pairs) if mode is not Mode.PULL]
        return self._one_of(writers) if writers and not self._maybe(1) else self._runner()

    def _after(self, at: Moment = "meanwhile") -> int:
        """How many things of that kind go well before."""
        return self._one_of(_SOON if at == "meanwhile" else _AT_ONCE)

    def _act(self) -> Act:
        if self._maybe(3):
            self.hot = self._one_of(self.paths)
        verb, side = self._one_of(VERBS), self._number_below(len(self.pairs) + 1) + BUCKET
        return Act(verb, side, self.hot, self._one_of(self.paths) if verb == "rename" else "")

    def _acts(self) -> list[Act]:
        return self._several(self._act, 3, 6)

    def _pass(self) -> Pass:
        scope = self._one_of([Scope.FULL, Scope.FULL, Scope.FULL, Scope.LOCAL, Scope.PATHS, Scope.KEYS])
        return Pass(self._runner(), scope, tuple(self.paths[:2]) if self._maybe(5) else ())

    def _passes(self) -> list[Pass]:
        return [Pass(number) for number in range(len(self.pairs))]

    def _scene(self) -> list[Step]:
        return list(self._clash() if self._maybe(5) else self._coming_and_going())

    def _clash(self) -> Iterator[Step]:
        """Two who mean the same name in the same moment, or a pass that is misled about it."""
        number, path = self._writer(), self.hot
        if self._maybe(7):
            yield Act("write", number, path)
            yield from (Pass(number), *self._passes())
        save, gone = Act("save", number, path), Act("remove", number, path)
        save_there, gone_there = Act("save", BUCKET, path), Act("remove", BUCKET, path)
        clashes: tuple[tuple[Step, ...], ...] = (
            (gone_there, save), (save, save_there, Pass(number), save, save_there),
            (gone, Meanwhile(0, (save_there,), "at-delete")), (save, Meanwhile(0, (save_there,), "at-put")),
            (save_there, Meanwhile(0, (save,), "at-rename")), (save_there, Meanwhile(1, (save,), "at-rename")),
            (gone_there, Meanwhile(0, (save,), "at-rename")),
            (gone, Trouble("kill", 0, number, "at-delete")), (gone_there, Trouble("kill", 0, number, "at-rename")),
            (save_there, Trouble("kill", 0, number, "at-row")),
            (Act("write", number, "d/a"), *self._passes(), Trouble("unreadable", self._one_of((1, 2, 0)))),
            (Trouble("short", self._number_below(2)),),
        )  # fmt: skip
        yield from self._one_of(clashes)
        yield Pass(number)

    def _coming_and_going(self) -> Iterator[Step]:
        yield from self._acts()
        if self._maybe(3):
            yield self._rare()
        if self._maybe(2):
            at = self._one_of(MOMENTS)
            yield Trouble(self._one_of(TROUBLES), self._after(at), self._runner(), at)
        if self._maybe(6):
            meanwhile: list[Step] = list(self._acts())
            if self._maybe(3):
                meanwhile.append(self._pass())
            at = self._one_of(MOMENTS)
            yield Meanwhile(self._after(at), tuple(meanwhile), at)
        yield from self._passes() if self._maybe(3) else [self._pass()]

    def _rare(self) -> Step:
        number = self._runner()
        steps: tuple[Step, ...] = (
            Wait(self._one_of((0.3, 1.1, 61.0, 3600.0))), Restart(number, self._one_of(FILTERS)),
            Memory(number, "save"), Memory(number, "lose"), Memory(number, "restore"), Clear(number), Clear(BUCKET),
        )  # fmt: skip
        return self._one_of(steps)


class Noted(random.Random):
    """Knows the numbers that it gave."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.given: list[int] = []

    def randrange(self, end: int) -> int:  # type: ignore[override]  # all that a drawing asks
        self.given.append(super().randrange(end))
        return self.given[-1]


def drawn(seed: int, scenes: int = 5) -> History:
    return Drawing(random.Random(seed), scenes).history()


def wrong(
    seed: int, scenes: int = 5, make: Make | None = None, tell: Callable[[str], None] = lambda _failing: None
) -> str:
    """What a promise's breach is, of the smallest history that shows it, and how to see it again; "" when all hold.

    make: None is the fast door for every other seed, the whole client for the rest. tell: of a failure at once.
    """
    make = make or (client_world if seed % 2 else fake_world)
    found = failure(drawn(seed, scenes), make)
    if found is None:
        return ""
    again = f"python -m tests.bench --seed {seed} --scenes {scenes}"
    tell(f"seed {seed}: {found!r}")
    try:
        least = _smallest(seed, scenes, lambda history: failure(history, make) is not None)
    except HypothesisException as error:
        return f"{found!r}\n{drawn(seed, scenes)}\n{again} (not the second time: {error!r})"
    return f"{failure(least, make) or found!r}\n{least}\n{again}"


def _smallest(seed: int, scenes: int, fails: Callable[[History], bool]) -> History:
    """What hypothesis makes of the seed's failing history, choice by choice: an earlier one, or none at all.

    Raises HypothesisException: it does not fail again.
    """

    @st.composite
    def histories(draw: st.DrawFn) -> History:
        chance = draw(st.randoms(use_true_random=False))
        return Drawing(chance, scenes, lambda part: draw(st.builds(part))).history()

    chance = Noted(seed)
    Drawing(chance, scenes).history()
    known = InMemoryExampleDatabase()
    known.save(b"seed.secondary", choices_to_bytes(chance.given))  # of what may yet be made smaller
    how = settings(
        database=known, phases=(Phase.reuse, Phase.shrink), deadline=None, suppress_health_check=list(HealthCheck)
    )
    return find(histories(), fails, settings=how, database_key=b"seed")
