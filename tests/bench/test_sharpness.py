"""The bench is sharp: with one safeguard taken away, some of the first histories break a promise.

Each sabotage is one that a reader could make by mistake; what it takes away is told by its name.
"""

import shutil
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import pytest

from runner.engine.native import engine, rules, second_look
from runner.engine.native.decide import Action
from runner.engine.native.observation import Observation
from runner.engine.native.reconciliation import Reconciliation
from runner.engine.native.result import Result
from runner.engine.native.steps import Step
from runner.engine.native.workshop import Workshop
from runner.engine.remote_trash import Keeper
from runner.files.replacement import Replacement, ReplaceResult
from runner.files.tree import Tree
from runner.model.passes import Scope
from runner.store.door import ObjectInfo
from runner.store.errors import UnprovenListingError
from tests.bench.drawing import drawn
from tests.bench.fake_door import Door
from tests.bench.histories import failure

SEEDS = 150  # histories, at most
Patch = pytest.MonkeyPatch


def conditions_of_writes(patch: Patch) -> None:
    patch.setattr(Door, "_expect", lambda *_: None)


def condition_of_a_replacement(patch: Patch) -> None:
    real = Door._expect

    def but_replacements(door: Door, kept: str, key: str, expected: str | None) -> None:
        if expected is None or kept == "delete":
            real(door, kept, key, expected)

    patch.setattr(Door, "_expect", but_replacements)


def condition_of_a_deletion(patch: Patch) -> None:
    real = Door._expect

    def but_deletions(door: Door, kept: str, key: str, expected: str | None) -> None:
        if kept != "delete":
            real(door, kept, key, expected)

    patch.setattr(Door, "_expect", but_deletions)


def first_pass_deletes_nothing(patch: Patch) -> None:
    real = rules.Rules
    patch.setattr(engine, "Rules", lambda **named: real(**{**named, "first": False}))


def unknown_is_not_absent(patch: Patch) -> None:
    patch.setattr(Observation, "add_unknown_local", lambda *_: None)
    _without(patch, Action.DELETE_REMOTE, Tree, "look")


def act_before_memory(patch: Patch) -> None:
    real = Reconciliation._act

    def remembers_first(one: Reconciliation) -> None:
        one.memory.forget(path.decode() for path in one.steps.paths(Action.DELETE_REMOTE, Action.DELETE_LOCAL))
        real(one)

    patch.setattr(Reconciliation, "_act", remembers_first)


def _without(patch: Patch, action: Action, owner: Any, look: str) -> None:
    """The last look of a deletion, which is the second safeguard behind this one."""
    real = second_look._ACTS[action]

    def unseen(shop: Workshop, step: Step) -> Result:
        with mock.patch.object(owner, look, return_value=None):
            return real(shop, step)

    patch.setitem(second_look._ACTS, action, unseen)


def look_after_an_exchange(patch: Patch) -> None:
    patch.setattr(Replacement, "_look", lambda *_: ReplaceResult.DONE)


def edit_beats_delete(patch: Patch) -> None:
    patch.setitem(rules.TWO_WAY, (rules.Change.CHANGED, rules.Change.GONE), rules.DELETE_LOCAL)


def trash_of_the_folder(patch: Patch) -> None:
    real = Tree.sync

    def empties(tree: Tree) -> None:
        real(tree)
        shutil.rmtree(tree.trash._private.path / "trash", ignore_errors=True)

    patch.setattr(Tree, "sync", empties)


def trash_of_the_bucket(patch: Patch) -> None:
    patch.setattr(Keeper, "keep", lambda *_: None)


def proof_of_a_listing(patch: Patch) -> None:
    real = Door.list

    def believed(door: Door, prefix: str = "") -> Iterator[ObjectInfo]:
        try:
            yield from real(door, prefix)
        except UnprovenListingError:
            return

    patch.setattr(Door, "list", believed)
    _without(patch, Action.DELETE_LOCAL, Door, "head")


def deletions_wait_for_a_scan(patch: Patch) -> None:
    """An event's pass takes what it may have missed for gone."""
    patch.setattr(Reconciliation, "_look_at_some", lambda one, _work: one._look_at_all(Scope.FULL))


def new_files_come(patch: Patch) -> None:
    patch.setitem(rules.TWO_WAY, (rules.Change.NONE, rules.Change.NEW), rules.NOTHING)


SABOTAGES: tuple[tuple[Callable[[Patch], None], str], ...] = (
    (conditions_of_writes, "V1"),
    (condition_of_a_replacement, "V1"),
    (condition_of_a_deletion, "V1"),
    (first_pass_deletes_nothing, "V7"),
    (unknown_is_not_absent, "V7"),
    (act_before_memory, "V5"),
    (look_after_an_exchange, "V1"),
    (edit_beats_delete, "V1"),
    (trash_of_the_folder, "V1"),
    (trash_of_the_bucket, "V1"),
    (proof_of_a_listing, "V7"),
    (deletions_wait_for_a_scan, "V7"),
    (new_files_come, "V3"),
)


@pytest.mark.parametrize(("sabotage", "promise"), SABOTAGES, ids=lambda value: getattr(value, "__name__", value))
def test_histories_without_a_safeguard_break_its_promise(
    sabotage: Callable[[Patch], None], promise: str, monkeypatch: Patch
) -> None:
    sabotage(monkeypatch)
    found = (str(failure(drawn(seed))) for seed in range(SEEDS))
    assert any(text.startswith(promise) for text in found), f"{SEEDS} histories saw nothing"
