"""Sessions of killed runs: remembered as long as they may matter, and as long as the machine is up."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.engine.native import sessions
from runner.engine.native.memory import Memory


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    opened = Memory.open(tmp_path / "state.db")
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def boot(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Its only item is the boot id."""
    now = ["boot-1"]
    monkeypatch.setattr(sessions, "boot_id", lambda: now[0])
    return now


def test_session_is_lost_for_the_ones_after_it_until_all_was_looked_at(memory: Memory) -> None:
    sessions.begin(memory, "one")
    assert sessions.lost(memory, "one") == frozenset()
    sessions.begin(memory, "two")
    assert sessions.lost(memory, "two") == {"one"}
    sessions.end_others(memory, "two")
    assert sessions.lost(memory, "three") == {"two"}
    sessions.end_others(memory, "three")
    assert sessions.lost(memory, "four") == frozenset()


def test_of_many_sessions_the_last_ones_are_known(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "_MOST", 8)
    for number in (*range(10), 9):
        sessions.begin(memory, f"s{number}")
    assert sessions.lost(memory, "") == {f"s{number}" for number in range(2, 10)}


@pytest.mark.parametrize("after", ["boot-2", ""])
def test_session_of_another_boot_is_nobodys(memory: Memory, boot: list[str], after: str) -> None:
    sessions.begin(memory, "one")
    boot[0] = after
    assert sessions.lost(memory, "two") == frozenset()
    sessions.begin(memory, "two")
    assert sessions.lost(memory, "three") == ({"two"} if after else frozenset())


def test_boot_id_is_the_same_twice_and_empty_where_it_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.undo()
    assert sessions.boot_id() == sessions.boot_id() != ""
    monkeypatch.setattr(sessions, "_BOOT_ID", tmp_path / "none")
    assert sessions.boot_id() == ""
