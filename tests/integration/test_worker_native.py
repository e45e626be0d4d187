"""A real worker of a native pair with a scripted engine: what the engine is asked, when, and what a stop leaves."""

import os
import signal
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from runner.config.settings import EngineName, Mode
from runner.worker.folder_watch import PROMPT_GULP_SECONDS
from tests.integration.worker_harness import Message, Rig, answer_of, pair, start
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
        fields = {"mode": Mode.TWO_WAY, "engine": EngineName.NATIVE, "watch": True, **changes}
        rigs.append(start(pair(folder, **fields), tmp_path / "journal", *script))
        return rigs[-1]

    yield launch
    for rig in rigs:
        rig.close()


def stopped(rig: Rig, timeout_seconds: float, *, flush: bool = True) -> Message:
    """The worker's last word."""
    rig.send("stop", timeout_seconds=timeout_seconds, flush=flush)
    assert rig.exit_status() == 0
    rig.messages += [received.message for received in rig.forked.channel.receive()]
    return rig.all("stopped")[0]


def has_more(rig: Rig, than: int) -> bool:
    return len(rig.work()) > than


def test_closed_file_reaches_the_engine_within_ten_milliseconds(launch: Start, folder: Path) -> None:
    rig = launch("done")
    rig.report(health="in-sync")
    latencies = []
    for number in range(30):
        name, before = f"f{number}", len(rig.work())
        (folder / name).write_bytes(b"x" * 4096)
        closed_at = time.monotonic()
        rig.until(partial(has_more, rig, before))
        time.sleep(0.03)
        first = rig.work()[before]
        assert (first["scope"], first["names"]) == ("paths", [name])
        latencies.append(first["at"] - closed_at)
    print(
        f"close to run_pass: median {statistics.median(latencies) * 1000:.1f} ms, worst {max(latencies) * 1000:.1f} ms"
    )
    assert statistics.median(latencies) < 0.01


def test_busy_folder_is_pushed_in_batches(launch: Start, folder: Path) -> None:
    rig = launch("done")
    rig.report(health="in-sync")
    first = time.monotonic()
    for number in range(2000):
        (folder / f"f{number % 50}").write_text("x")
    last = time.monotonic()
    rig.until(lambda: rig.work()[-1]["at"] > last - 0.5 and rig.report(health="in-sync"))
    assert len(rig.work()) < max(400, (last - first) / PROMPT_GULP_SECONDS)  # a busy machine writes for seconds
    assert set(rig.scopes()[1:]) == {"paths"}


def test_file_still_being_written_is_looked_at_again_and_not_in_sync_meanwhile(launch: Start, folder: Path) -> None:
    rig = launch("done", "again", "again", "done")
    rig.report(health="in-sync")
    (folder / "busy").write_text("x")
    rig.until(lambda: len(rig.work()) == 4)
    assert [one["names"] for one in rig.work()[1:]] == [["busy"]] * 3
    gaps = [rig.work()[number + 1]["at"] - rig.work()[number]["at"] for number in (1, 2)]
    assert all(gap > 0.19 for gap in gaps)
    rig.report(health="in-sync", problems_count=0)
    assert any(message["health"] == "behind" and message["problems_count"] == 1 for message in rig.all("report"))


def test_deletion_found_by_a_small_pass_orders_a_scan(launch: Start, folder: Path) -> None:
    (folder / "old").write_text("x")
    rig = launch("done", "deferred", "done")
    rig.report(health="in-sync")
    (folder / "old").unlink()
    rig.until(lambda: rig.scopes() == ["full", "paths", "local"])
    assert rig.work()[2]["at"] - rig.work()[1]["at"] > 0.9
    rig.report(health="in-sync")


def test_failed_small_pass_backs_off_and_keeps_its_paths(launch: Start, folder: Path) -> None:
    rig = launch("done", "failed", "done")
    rig.report(health="in-sync")
    (folder / "a").write_text("x")
    assert rig.report(health="failing")["error"] == "no network"
    (folder / "b").write_text("x")
    rig.until(lambda: len(rig.work()) == 3)
    assert rig.work()[2]["names"] == ["a", "b"]
    assert rig.work()[2]["at"] - rig.work()[1]["at"] > 0.8
    rig.report(health="in-sync")


def test_halted_pair_moves_nothing_by_events_until_approved(launch: Start, folder: Path) -> None:
    rig = launch("halted", "done")
    rig.report(health="halted")
    (folder / "a").write_text("x")
    time.sleep(0.5)
    assert rig.scopes() == ["full"]
    rig.send("approve", token="token")
    rig.until(lambda: rig.scopes() == ["full", "full"])
    rig.report(health="in-sync", halt=None)


def test_failed_whole_pass_is_not_forgotten_for_a_small_one(launch: Start, folder: Path) -> None:
    rig = launch("done", "permanent_no", "done")
    rig.report(health="in-sync")
    rig.send("sync", pass_id="1")
    rig.report(health="failing")
    (folder / "a").write_text("x")
    rig.until(lambda: rig.scopes() == ["full", "full", "paths"])
    rig.until(
        lambda: rig.all("report")[-1]["trigger"] is None and rig.all("report")[-1]["last_pass"]["scope"] == "paths"
    )
    assert rig.all("report")[-1]["health"] == "failing"


def test_pair_is_behind_while_a_pass_moves_what_it_found(launch: Start) -> None:
    rig = launch("done", "moves", "done")
    rig.report(health="in-sync")
    rig.forget()
    rig.send("sync", pass_id="1")
    rig.report(health="behind", activity="syncing")
    rig.until(lambda: rig.all("pass-done"))
    rig.report(health="in-sync", activity="waiting")


def test_stop_pushes_the_known_paths_then_scans(launch: Start, folder: Path) -> None:
    rig = launch("done")
    rig.report(health="in-sync")
    (folder / "last-words").write_text("x")
    said = stopped(rig, 10)
    assert rig.scopes()[-2:] == ["paths", "local"]
    assert said["complete"]


def test_stop_of_a_clean_pair_scans_once_more(launch: Start) -> None:
    rig = launch("done")
    rig.report(health="in-sync")
    assert stopped(rig, 10)["complete"]
    assert rig.scopes() == ["full", "local"]


def test_stop_lets_only_uploads_of_a_running_pass_go_on(launch: Start, folder: Path) -> None:
    rig = launch("pushes", "done")
    rig.report(activity="syncing")
    began = time.monotonic()
    assert stopped(rig, 20)["complete"]
    assert time.monotonic() - began < soon(3)
    assert rig.scopes() == ["full", "local"]


def test_stop_names_what_stays_busy(launch: Start, folder: Path) -> None:
    rig = launch("done", "again")
    rig.report(health="in-sync")
    (folder / "busy").write_text("x")
    rig.until(lambda: len(rig.work()) >= 2)
    said = stopped(rig, 4)
    assert (said["complete"], said["unpushed"]) == (False, ["busy"])


def test_stop_without_flush_is_at_once(launch: Start) -> None:
    rig = launch("done")
    rig.report(health="in-sync")
    assert stopped(rig, 10, flush=False)["complete"]
    assert rig.scopes() == ["full"]


def test_stop_cuts_a_pull_at_once(launch: Start) -> None:
    rig = launch("slow", mode=Mode.PULL, watch=False)
    rig.report(activity="syncing")
    assert stopped(rig, 20)["complete"]
    assert rig.scopes() == ["full"]


def test_lease_that_is_broken_does_not_kill_the_worker(launch: Start) -> None:
    rig = launch("done")
    rig.report(health="in-sync")
    os.kill(rig.forked.pid, signal.SIGIO)
    rig.send("sync", pass_id="1")
    rig.until(lambda: rig.all("pass-done"))


def test_conflicts_are_told_with_both_versions_and_their_time(launch: Start) -> None:
    rig = launch("conflicted")
    rig.report(health="conflicts", conflicts=1)
    answer = answer_of(rig.client(command="conflicts"))
    assert answer[0]["row"]["code"] == "conflict"
    assert answer[0]["row"]["path"] == "a.conflict-20260101T000000Z-host.txt"
