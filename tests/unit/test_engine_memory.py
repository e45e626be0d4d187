"""Memory: whose it is, what was shown, and what happens when it cannot be trusted."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.engine.aws_cli.memory import Identity, Memory, MemoryCorruptError, path_bytes, path_text, set_aside

ME = Identity("0" * 32, 1, "bucket", "p/", "")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def memory(path: Path) -> Iterator[Memory]:
    opened = Memory.open(path)
    yield opened
    opened.close()


def test_new_memory_is_nobodys_and_private(memory: Memory, path: Path) -> None:
    assert memory.identity() is None
    assert memory.first_pass_done is False
    assert path.stat().st_mode & 0o777 == 0o600


def test_memory_keeps_identity_and_first_pass_over_a_restart(memory: Memory, path: Path) -> None:
    memory.adopt(ME)
    memory.set_first_pass_done()
    again = Memory.open(path)
    assert (again.identity(), again.first_pass_done) == (ME, True)
    again.close()


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_memory_that_is_no_database_is_corrupt(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(MemoryCorruptError):
        Memory.open(path)


def test_read_only_look_at_a_missing_or_corrupt_memory_is_an_empty_one(path: Path) -> None:
    for content in (None, b"no database" * 100):
        if content:
            path.write_bytes(content)
        looked = Memory.open_read_only(path)
        assert looked.count_files() == 0
        looked.close()
    assert path.read_bytes() == b"no database" * 100


def test_set_aside_renames_and_never_overwrites(path: Path) -> None:
    for text in ("one", "two"):
        path.write_text(text)
        set_aside(path, 7.0)
    assert sorted(other.read_text() for other in path.parent.glob("state.db.aside-*")) == ["one", "two"]
    assert not path.exists()
    assert set_aside(path, 7.0) is None


def test_plan_covers_a_subset_of_what_was_shown_and_nothing_more(memory: Memory) -> None:
    memory.show_plan("t", "max-delete", [b"a", b"b"])
    assert memory.plan_covers("t", [b"a", b"b"])
    assert memory.plan_covers("t", [b"b"])
    assert not memory.plan_covers("t", [b"b", b"c"])
    assert not memory.plan_covers("other", [b"a"])


def test_only_the_last_plans_may_be_approved(memory: Memory) -> None:
    for number in range(5):
        memory.show_plan(f"t{number}", "max-delete", [b"a"])
    assert [memory.plan_covers(f"t{number}", [b"a"]) for number in range(5)] == [False, False, True, True, True]


def test_run_is_remembered_until_its_orderly_end(memory: Memory) -> None:
    memory.record_run(5.0, "SELECT CAST('a' AS BLOB), 1, 'e', 2.0", [b"a.12345678"])
    memory.end_run(9.0, orderly=False)
    killed = memory.killed_run()
    assert killed is not None
    assert (killed.started_at, killed.ended_at) == (5.0, 9.0)
    assert memory.holds("run_objects", b"a")
    memory.record_run(10.0, "SELECT CAST('b' AS BLOB), 1, 'e', 2.0", [])
    memory.end_run(11.0, orderly=True)
    assert memory.killed_run() is None
    assert memory.holds("run_objects", b"b"), "until what came of it has its row"


def test_paths_with_odd_bytes_come_back_as_they_were() -> None:
    for text in ("plain", "🦊", "bad-\udcff"):
        assert path_text(path_bytes(text)) == text
