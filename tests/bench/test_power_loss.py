"""Power lost at any step of a pass, with all that a disk may have lost: what was synced is not lost (V1-V6).

POWER_CUTS=all tries every state that the model of `disk` knows (some thousand), else some of each history.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.files.tree import Tree
from tests.bench.brink import HISTORIES, A, B, at_the_brink
from tests.bench.disk import Disk, whole
from tests.bench.power_loss import cuts, recover
from tests.bench.world import World

_SOME = 12


@pytest.fixture
def place() -> Iterator[Path]:
    root = Path(tempfile.mkdtemp(prefix="power-", dir="/dev/shm"))
    yield root
    shutil.rmtree(root, ignore_errors=True)


@pytest.mark.parametrize("history", HISTORIES)
def test_power_lost_at_any_step_of_a_pass_recovers_and_loses_nothing(history: str, place: Path) -> None:
    wrong = list(_wrong(history, place, 100_000 if os.environ.get("POWER_CUTS") == "all" else _SOME))
    assert not any(wrong), next(filter(None, wrong))
    assert len(wrong) > 5, "there was nothing to be lost"


@pytest.mark.parametrize("history", ["changed there", "changed here"])
def test_power_lost_when_rows_are_written_before_the_disk_has_what_they_say_is_seen(
    history: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Tree, "sync", lambda _self: None)
    assert any(_wrong(history, place, 4 * _SOME))


def _wrong(history: str, place: Path, most: int) -> Iterator[str]:
    """What the oracle says of each state; "" where all is well."""
    disks: list[Disk] = []

    def follow(world: World) -> None:
        if disks:
            disks[0].look()
        else:
            disks.append(Disk(world.runners[A].path))

    world = at_the_brink(place / "world", HISTORIES[history], {}, follow)
    try:
        other = whole(world.runners[B].path)
        found = cuts(world, disks[0])
        stride = -(-len(found) // most)
        for cut in found[::-stride]:
            yield recover(world, cut, other)
    finally:
        world.close()
