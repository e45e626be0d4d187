"""Killed before every single step of a pass, or refused it: nothing is lost, torn, different or restless (V1-V6)."""

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.bench.brink import HISTORIES, at_the_brink, dies_in_pass, refused_in_pass
from tests.bench.world import World

POLICIES: dict[str, dict[str, object]] = {
    "keep-both": {},
    "local": {"conflict": "local"},
    "remote": {"conflict": "remote", "remote_trash": "all"},
}
# Refusals: every seventh step of a pass, beginning with another one for each history; FAILPOINTS=all is every one.
STRIDE = 1 if os.environ.get("FAILPOINTS") == "all" else 7


@pytest.fixture
def place() -> Iterator[Path]:
    root = Path(tempfile.mkdtemp(prefix="fail-", dir="/dev/shm"))
    yield root
    shutil.rmtree(root, ignore_errors=True)


@pytest.mark.parametrize(
    ("history", "policy"),
    [
        (history, policy)
        for history in HISTORIES
        for policy in POLICIES
        if policy == "keep-both" or "conflict" in history
    ],
)
def test_pass_killed_before_any_step_recovers_and_loses_nothing(history: str, policy: str, place: Path) -> None:
    at_each_step(dies_in_pass, itertools.count(1), history, POLICIES[policy], place)


@pytest.mark.parametrize("history", HISTORIES)
def test_pass_refused_any_step_fails_or_goes_on_and_loses_nothing(history: str, place: Path) -> None:
    first = 1 + list(HISTORIES).index(history) % STRIDE
    at_each_step(refused_in_pass, itertools.count(first, STRIDE), history, {}, place)


def at_each_step(
    hurt: Callable[[int, World], bool], numbers: Iterator[int], history: str, keys: dict[str, object], place: Path
) -> None:
    for number in numbers:
        world = at_the_brink(place / str(number), HISTORIES[history], keys)
        try:
            fired = hurt(number, world)
            try:
                world.oracle.check()
            except AssertionError as error:
                raise AssertionError(f"at step {number}: {error}") from None
        finally:
            world.close()
            shutil.rmtree(place / str(number))
        if not fired:
            assert number > 5, "there was nothing to go wrong in"
            return
