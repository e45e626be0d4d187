"""The native engine's memory: rows come back as they were, and what is damaged or another's is never believed."""

import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.engine.aws_cli.memory import Memory as AwsCliMemory
from runner.engine.memory_file import Identity, MemoryCorruptError, OtherFormatError
from runner.engine.native.facts import Base, Kind
from runner.engine.native.memory import Memory
from runner.engine.native.observation import Observation
from runner.store.capabilities import Capabilities

ME = Identity("0" * 32, 1, "bucket", "p/", "")
DAY = 86400.0


def base(path: str = "a", **changes: object) -> Base:
    row = Base(Kind.FILE, 3, 4, 5, 6, 0o644, "ab" * 32, f"p/{path}", "e" * 32, 3, 7.5)
    return row._replace(**changes)  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def memory(path: Path) -> Iterator[Memory]:
    opened = Memory.open(path)
    opened.adopt(ME)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    "row",
    [
        base(),
        base(sha256="", racy=True),
        base(kind=Kind.LINK, mode=0),
        base(kind=Kind.FOLDER, key="p/a/.s3_index", size=0),
        base(key="p/a/", kind=Kind.FOLDER),
        base(inode=(1 << 64) - 1, mtime_ns=-1, etag="", modified=0.0),
    ],
)
def test_row_comes_back_as_it_was_recorded(memory: Memory, path: Path, row: Base) -> None:
    memory.record([("a", row)])
    assert memory.get("a") == row
    memory.close()
    again = Memory.open(path)
    assert again.get("a") == row
    again.close()


def test_row_of_an_odd_name_comes_back(memory: Memory) -> None:
    for name in ("ü/🦊", "a\nb", "%"):
        memory.record([(name, base(name))])
        assert memory.get(name) == base(name)


def test_recording_again_replaces_and_forgetting_removes_all_of_a_path(memory: Memory) -> None:
    memory.record([("a", base()), ("b", base("b"))])
    memory.record([("a", base(size=9))])
    memory.set_refused("a", "e", "delete")
    memory.busy_since("a", 1.0)
    memory.forget(iter(["a", "absent"]))
    assert (memory.get("a"), memory.get("b")) == (None, base("b"))
    assert not memory.refused("a", "e", "delete")
    assert memory.busy_since("a", 2.0) == 2.0


def test_count_is_of_files_and_links_without_folders(memory: Memory) -> None:
    memory.record([("a", base()), ("l", base("l", kind=Kind.LINK)), ("d", base("d", kind=Kind.FOLDER, key="p/d/"))])
    assert memory.count() == 2


def test_below_is_the_path_and_what_lies_in_it_and_no_lookalike(memory: Memory) -> None:
    names = ["d", "d-", "d.txt", "d/a", "d/b/c", "d0", "e"]
    memory.record((name, base(name)) for name in names)
    assert [name for name, _row in memory.below("d")] == ["d", "d/a", "d/b/c"]
    assert [name for name, _row in memory.below("")] == names
    assert list(memory.below("x")) == []


def test_below_gives_more_than_a_page_while_it_is_written_to(memory: Memory) -> None:
    memory.record((f"d/{number:04d}", base(f"d/{number:04d}")) for number in range(1201))
    seen = []
    for name, _row in memory.below("d"):
        memory.forget([name])
        seen.append(name)
    assert len(seen) == len(set(seen)) == 1201
    assert memory.count() == 0


def test_conflicts_are_the_names_of_conflict_copies_only(memory: Memory) -> None:
    copy = "d/report.conflict-20260102T030405Z-host.txt"
    names = [copy, "d/report.conflict-soon.txt", "plain", "x.conflict-20260102T030405Z-host/inside"]
    memory.record((name, base(name)) for name in names)
    assert [name for name, _row in memory.conflicts()] == [copy]


def test_busy_since_is_the_first_time_until_it_is_quiet(memory: Memory) -> None:
    assert [memory.busy_since("a", now) for now in (5.0, 9.0)] == [5.0, 5.0]
    assert memory.busy_since("a", 2.0) == 2.0, "the clock was set back"
    memory.not_busy(["a"])
    assert memory.busy_since("a", 9.0) == 9.0


def test_refusal_holds_for_that_version_and_that_wish_only(memory: Memory) -> None:
    memory.set_refused("a", "one", "delete")
    assert memory.refused("a", "one", "delete")
    assert not memory.refused("a", "two", "delete")
    assert not memory.refused("a", "one", "mode")
    memory.clear_refused("mode")
    assert memory.refused("a", "one", "delete")
    memory.clear_refused()
    assert not memory.refused("a", "one", "delete")


@pytest.mark.parametrize(
    ("probed_at", "now", "note", "known"),
    [
        (DAY, 8 * DAY, "", True), (DAY, 8 * DAY + 1, "", False), (DAY, DAY - 1, "", False), (0.0, 100 * DAY, "", True),
        (DAY, 2 * DAY, "a right is missing", True), (DAY, 2 * DAY + 1, "a right is missing", False),
    ],
)  # fmt: skip
def test_capabilities_are_believed_for_seven_days_and_what_a_right_hid_for_one(
    memory: Memory, probed_at: float, now: float, note: str, known: bool
) -> None:
    found = Capabilities(True, True, False, False, False, True, "off", None, probed_at, note)
    assert memory.capabilities(now) is None
    memory.set_capabilities(found)
    assert memory.capabilities(now) == (found if known else None)


def test_capabilities_that_cannot_be_read_are_unknown(memory: Memory) -> None:
    memory.set_meta("capabilities", '{"create": 1}')
    assert memory.capabilities(0.0) is None


# ── whose, and whether it can be believed ──


def test_memory_of_the_other_engine_is_another_format_either_way(path: Path) -> None:
    AwsCliMemory.open(path).close()
    with pytest.raises(OtherFormatError):
        Memory.open(path)
    path.unlink()
    Memory.open(path).close()
    with pytest.raises(OtherFormatError):
        AwsCliMemory.open(path)


@pytest.mark.parametrize(
    ("engine", "form", "digest"),
    [(Memory, 2, "be39ab17733816d9"), (AwsCliMemory, 3, "9a11b7f88b908d08")],
    ids=["native", "aws-cli"],
)
def test_tables_of_a_format_never_change(
    path: Path, engine: type[Memory] | type[AwsCliMemory], form: int, digest: str
) -> None:
    """Whoever changes a table gives its format another number, so that older and newer versions refuse it whole."""
    opened = engine.open(path)
    rows = opened.connection.execute(
        "SELECT sql FROM main.sqlite_master WHERE sql IS NOT NULL ORDER BY name"
    ).fetchall()
    (version,) = opened.connection.execute("PRAGMA user_version").fetchone()
    opened.close()
    layout = "\n".join(" ".join(str(row[0]).split()) for row in rows)
    assert (version, hashlib.sha256(layout.encode()).hexdigest()[:16]) == (form, digest)


def test_read_only_look_writes_nothing_and_reads_what_was_recorded(memory: Memory, path: Path) -> None:
    memory.record([("a", base())])
    looked = Memory.open_read_only(path)
    assert looked.get("a") == base()
    with pytest.raises(sqlite3.OperationalError):
        looked.record([("b", base("b"))])
    looked.close()


def test_local_memory_keeps_a_log_and_a_remote_one_does_not(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def mode_of(memory: Memory) -> tuple[str, int]:
        found = memory.connection.execute("PRAGMA journal_mode").fetchone()[0]
        level = memory.connection.execute("PRAGMA synchronous").fetchone()[0]
        memory.close()
        return found, level

    first = Memory.open(path)
    first.record([("a", base())])
    assert mode_of(first) == ("wal", 1)
    monkeypatch.setattr("runner.engine.database.remote_file_system", lambda _fd: "NFS")
    again = Memory.open(path)
    assert again.get("a") is not None
    assert mode_of(again) == ("delete", 2)
    assert not list(path.parent.glob("*-wal"))


def _use(path: Path) -> None:
    """Everything a pass does with memory."""
    memory = Memory.open(path)
    try:
        memory.identity()
        memory.count()
        rows = list(memory.below(""))
        seen = Observation(memory, None)
        try:
            list(seen.candidates())
        finally:
            seen.close()
        memory.record(rows[:3])
        memory.record([("new", base("new"))])
        memory.forget(["new"])
        list(memory.conflicts())
        memory.busy_since("a", 1.0)
        memory.refused("a", "e", "delete")
        memory.dated([])
        memory.capabilities(0.0)
    finally:
        memory.close()


def _filled(path: Path) -> bytes:
    memory = Memory.open(path)
    memory.adopt(ME)
    memory.record((f"d/{number:03d}", base(f"d/{number:03d}", etag=f"{number:032x}")) for number in range(150))
    memory.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    memory.close()
    return path.read_bytes()


def _survives(path: Path, content: bytes) -> bool:
    """Used without an error, or recognised as corrupt; nothing else may come out. True when recognised."""
    for other in path.parent.iterdir():
        other.unlink()
    path.write_bytes(content)
    try:
        _use(path)
    except MemoryCorruptError:
        return True
    return False


def test_memory_with_a_page_of_rubbish_or_cut_short_anywhere_is_corrupt_and_never_a_crash(path: Path) -> None:
    whole = _filled(path)
    pages = range(len(whole) // 4096)
    assert len(pages) >= 10
    recognised = 0
    for page in pages:
        start = page * 4096
        recognised += _survives(path, whole[:start] + b"\xff" * 4096 + whole[start + 4096 :])
        if page:
            assert _survives(path, whole[: start + 100])
    assert recognised >= len(pages) - 4  # empty tables that nobody reads


def test_memory_with_a_flipped_bit_is_used_or_corrupt_and_never_a_crash(path: Path) -> None:
    whole = _filled(path)
    places = [*range(16, 100), *range(100, len(whole), 611)]
    for place in places:
        flipped = bytearray(whole)
        flipped[place] ^= 1 << (place % 8)
        _survives(path, bytes(flipped))
