"""A real worker is told to stop: in time, with what is pending pushed, and truthful about what is not."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.config.settings import Mode
from tests.integration.worker_harness import Message, Rig, pair, start
from tests.witness import soon

Start = Callable[..., Rig]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "folder"
    path.mkdir()
    return path


@pytest.fixture
def launch(tmp_path: Path, folder: Path) -> Iterator[Start]:
    rigs: list[Rig] = []

    def launch(*script: str, **changes: Any) -> Rig:
        rigs.append(start(pair(folder, **changes), tmp_path / "journal", *script))
        return rigs[-1]

    yield launch
    for rig in rigs:
        rig.close()


def stopped(rig: Rig, timeout_seconds: float, *, flush: bool = True) -> tuple[Message, float]:
    """The worker's last word, and how long it took to its end."""
    began = time.monotonic()
    rig.send("stop", timeout_seconds=timeout_seconds, flush=flush)
    assert rig.exit_status() == 0
    took = time.monotonic() - began
    rig.messages += [received.message for received in rig.forked.channel.receive()]
    return rig.all("stopped")[0], took


def test_stop_of_an_unwatched_push_flushes_once_and_is_complete(launch: Start) -> None:
    rig = launch("done")
    rig.report(health="in-sync")
    said, _took = stopped(rig, 10)
    assert rig.triggers() == ["start", "flush"]
    assert said == {"type": "stopped", "complete": True, "unpushed": [], "unpushed_count": 0}


def test_stop_of_a_watched_clean_push_needs_no_flush(launch: Start) -> None:
    rig = launch("done", watch=True)
    rig.report(health="in-sync")
    said, took = stopped(rig, 10)
    assert rig.triggers() == ["start"]
    assert said["complete"]
    assert took < soon(2)


def test_stop_with_a_change_just_made_flushes_it(launch: Start, folder: Path) -> None:
    rig = launch("done", watch=True)
    rig.report(health="in-sync")
    (folder / "last-words").write_text("x")
    said, took = stopped(rig, 10)
    assert rig.triggers() == ["start", "flush"]
    assert said["complete"]
    assert took < soon(3)


def test_stop_right_after_the_start_still_flushes(launch: Start) -> None:
    rig = launch("done")
    said, _took = stopped(rig, 10)
    assert rig.triggers() in (["flush"], ["start", "flush"])
    assert said["complete"]


def test_stop_lets_a_push_finish_then_flushes(launch: Start) -> None:
    rig = launch("moderate", "done")
    rig.report(activity="syncing")
    said, _took = stopped(rig, 10)
    assert rig.triggers() == ["start", "flush"]
    assert said["complete"]


def test_stop_cuts_a_long_push_within_the_time(launch: Start, folder: Path) -> None:
    rig = launch("done", "slow", watch=True)
    rig.report(health="in-sync")
    (folder / "huge").write_text("x")
    rig.until(lambda: len(rig.triggers()) == 2)
    said, took = stopped(rig, 5)
    assert took < soon(5)
    assert (said["complete"], said["unpushed"], said["unpushed_count"]) == (False, ["huge"], 1)


def test_stop_cuts_a_pull_at_once(launch: Start) -> None:
    rig = launch("slow", mode=Mode.PULL)
    rig.report(activity="syncing")
    said, took = stopped(rig, 20)
    assert took < soon(2)
    assert said["complete"]
    assert rig.triggers() == ["start"]


def test_stop_without_flush_is_at_once_and_names_what_is_left(launch: Start, folder: Path) -> None:
    rig = launch("done", "slow", watch=True)
    rig.report(health="in-sync")
    (folder / "new").write_text("x")
    rig.report(health="behind")
    said, took = stopped(rig, 20, flush=False)
    assert took < soon(2)
    assert (said["complete"], said["unpushed"]) == (False, ["new"])


def test_stop_of_a_hung_pass_answers_in_time(launch: Start) -> None:
    rig = launch("hangs")
    rig.report(activity="syncing")
    said, took = stopped(rig, 3)
    assert took < soon(3.2)
    assert not said["complete"]


def test_second_stop_now_cuts_the_flush(launch: Start) -> None:
    rig = launch("done", "slow")
    rig.report(health="in-sync")
    rig.send("stop", timeout_seconds=30, flush=True)
    rig.until(lambda: rig.triggers() == ["start", "flush"])
    _said, took = stopped(rig, 2, flush=False)
    assert took < soon(2)


def test_stop_frees_a_pass_that_waits_for_a_slot(launch: Start) -> None:
    rig = launch("slot", "done")
    rig.until(lambda: rig.all("slot?"))
    said, took = stopped(rig, 10)
    assert took < soon(2)
    assert said["complete"]


def test_paused_pair_moves_nothing_when_it_stops(launch: Start) -> None:
    rig = launch("done", "done")
    rig.report(health="in-sync")
    rig.send("pause")
    rig.report(activity="paused")
    stopped(rig, 5.0)
    assert rig.triggers() == ["start"]
