"""Which paths a pass has to think about: a table of what memory, folder and listing say, and what comes out."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.engine.memory_file import Identity
from runner.engine.native.candidate import Candidate
from runner.engine.native.differences import Differences
from runner.engine.native.facts import UNKNOWN, Base, Kind, Local, Remote
from runner.engine.native.memory import Memory
from runner.engine.native.observation import Observation, remove_stale
from runner.files.scan_result import Entry
from runner.store.listing import ObjectInfo

BASE = Base(Kind.FILE, 3, 4, 5, 6, 0o644, "ab" * 32, "p/a", "e1", 3, 7.0)
ENTRY = Entry("a", "file", 3, 4, 5, 6, 0o100644)
INFO = ObjectInfo("p/a", 3, "e1", 7.0)
LOCAL = Local(Kind.FILE, 3, 4, 5, 6, 0o100644)
REMOTE = Remote(Kind.FILE, "p/a", 3, "e1", 7.0)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    opened = Memory.open(tmp_path / "state.db")
    opened.adopt(Identity("0" * 32, 1, "bucket", "p/", ""))
    yield opened
    opened.close()


@pytest.fixture
def seen(memory: Memory, tmp_path: Path) -> Iterator[Observation]:
    opened = Observation(memory, tmp_path / "tmp")
    yield opened
    opened.close()


def add_remote(seen: Observation, path: str, info: ObjectInfo) -> None:
    if not seen.knows_remote(path, info):
        seen.add_remote(path, Kind.FILE, info)


def fill(memory: Memory, seen: Observation, base: Base | None, entry: Entry | None, info: ObjectInfo | None) -> None:
    if base:
        memory.record([("a", base)])
    if entry:
        seen.add_local(entry)
    if info:
        add_remote(seen, "a", info)


@pytest.mark.parametrize(
    ("base", "entry", "info"),
    [
        (BASE, ENTRY, INFO),
        (BASE, ENTRY._replace(mode=0o104644), INFO),
        (BASE, ENTRY, INFO._replace(last_modified=7.9)),
        (BASE, ENTRY, INFO._replace(storage_class="GLACIER")),
        (BASE._replace(kind=Kind.LINK, mode=0), ENTRY._replace(kind="symlink", mode=0o120777, target="x"), INFO),
        (BASE._replace(inode=(1 << 64) - 2), ENTRY._replace(inode=(1 << 64) - 2), INFO),
        (None, None, None),
    ],
)
def test_path_that_all_say_the_same_of_is_no_candidate(
    memory: Memory, seen: Observation, base: Base | None, entry: Entry | None, info: ObjectInfo | None
) -> None:
    fill(memory, seen, base, entry, info)
    assert list(seen.candidates()) == []


@pytest.mark.parametrize(
    ("base", "entry", "info", "local", "remote"),
    [
        (BASE, ENTRY._replace(size=4), INFO, LOCAL._replace(size=4), REMOTE),
        (BASE, ENTRY._replace(mtime_ns=0), INFO, LOCAL._replace(mtime_ns=0), REMOTE),
        (BASE, ENTRY._replace(ctime_ns=0), INFO, LOCAL._replace(ctime_ns=0), REMOTE),
        (BASE, ENTRY._replace(inode=9), INFO, LOCAL._replace(inode=9), REMOTE),
        (BASE, ENTRY._replace(mode=0o100600), INFO, LOCAL._replace(mode=0o100600), REMOTE),
        (BASE, ENTRY, INFO._replace(etag="e2"), LOCAL, REMOTE._replace(etag="e2")),
        (BASE, ENTRY, INFO._replace(size=4), LOCAL, REMOTE._replace(size=4)),
        (BASE, ENTRY, INFO._replace(last_modified=8.0), LOCAL, REMOTE._replace(modified=8.0)),
        (BASE, None, INFO, None, REMOTE),
        (BASE, ENTRY, None, LOCAL, None),
        (BASE, None, None, None, None),
        (None, ENTRY, INFO, LOCAL, REMOTE),
        (None, ENTRY, None, LOCAL, None),
        (None, None, INFO, None, REMOTE),
        (BASE._replace(racy=True), ENTRY, INFO, LOCAL, REMOTE),
        (
            BASE,
            ENTRY._replace(kind="symlink", target="bad-\udcff"),
            INFO,
            LOCAL._replace(kind=Kind.LINK, target="bad-\udcff"),
            REMOTE,
        ),
        (None, ENTRY._replace(inode=(1 << 64) - 1), INFO, LOCAL._replace(inode=(1 << 64) - 1), REMOTE),
    ],
)
def test_path_of_which_something_differs_is_a_candidate_with_all_three_facts(
    memory: Memory,
    seen: Observation,
    base: Base | None,
    entry: Entry | None,
    info: ObjectInfo | None,
    local: Local | None,
    remote: Remote | None,
) -> None:
    fill(memory, seen, base, entry, info)
    assert list(seen.candidates()) == [Candidate("a", base, local, remote)]


def test_size_that_no_number_holds_is_no_crash(memory: Memory, seen: Observation) -> None:
    fill(memory, seen, None, ENTRY, INFO._replace(size=10**30))
    assert [row.remote for row in seen.candidates()] == [REMOTE._replace(size=(1 << 63) - 1)]


def test_candidates_come_in_byte_order_from_all_sides_and_more_than_a_page(memory: Memory, seen: Observation) -> None:
    names = [f"{number:05d}" for number in range(1300)] + ["a/b", "a.b", "é"]
    memory.record([(name, BASE._replace(key=f"p/{name}")) for name in names[::3]])
    for number, name in enumerate(names):
        if number % 3 == 0:
            continue
        if number % 3 == 1:
            seen.add_local(ENTRY._replace(path=name))
        else:
            add_remote(seen, name, INFO._replace(key=f"p/{name}"))
    found = []
    for row in seen.candidates():
        found.append(row.path)
        memory.record([(row.path, BASE._replace(key=f"p/{row.path}", racy=True))])  # written to meanwhile
    assert found == sorted(names, key=str.encode)


def test_question_reads_sorted_tables_and_never_sorts(seen: Observation) -> None:
    for assumed in (False, True):
        asked = Differences(seen.connection, assumed=assumed)
        plan = seen.connection.execute(f"EXPLAIN QUERY PLAN {asked.sql}", {"after": b"", "page": 1}).fetchall()
        text = " ".join(str(row[3]) for row in plan)
        assert "TEMP B-TREE" not in text
        assert re.findall("SCAN (.)", text) == ["p"], "each table is searched by its primary key; p is their merge"


# ── what nobody could look at ──


@pytest.mark.parametrize("where", ["d/a", "d", ""])
def test_absence_below_an_unknown_place_is_unknown(memory: Memory, seen: Observation, where: str) -> None:
    for name in ("d/a", "d0"):
        memory.record([(name, BASE._replace(key=f"p/{name}"))])
        add_remote(seen, name, INFO._replace(key=f"p/{name}"))
    seen.add_unknown_local(where)
    found = {row.path: row.local for row in seen.candidates()}
    assert found["d/a"] is UNKNOWN
    assert found["d0"] is (UNKNOWN if where == "" else None)


def test_unknown_of_one_side_says_nothing_of_the_other(memory: Memory, seen: Observation) -> None:
    memory.record([("a", BASE)])
    seen.add_unknown_remote("a")
    assert list(seen.candidates()) == [Candidate("a", BASE, None, UNKNOWN)]


def test_what_was_seen_beside_something_unknown_is_what_it_is(memory: Memory, seen: Observation) -> None:
    fill(memory, seen, None, ENTRY, INFO)
    seen.add_unknown_local("")
    assert list(seen.candidates()) == [Candidate("a", None, LOCAL, REMOTE)]


# ── without a listing ──


def test_assumed_remote_is_what_memory_says(memory: Memory, seen: Observation) -> None:
    memory.record([("a", BASE), ("same", BASE._replace(key="p/same")), ("gone", BASE._replace(key="p/gone"))])
    seen.add_local(ENTRY._replace(size=9))
    seen.add_local(ENTRY._replace(path="same"))
    seen.add_local(ENTRY._replace(path="new"))
    seen.assume_remote()
    assert list(seen.candidates()) == [
        Candidate("a", BASE, LOCAL._replace(size=9), REMOTE),
        Candidate("gone", BASE._replace(key="p/gone"), None, REMOTE._replace(key="p/gone")),
        Candidate("new", None, LOCAL, None),
    ]
    assert seen.remote_files == 3
    assert seen.has_below_remote("")


# ── folders and their placeholders ──

FOLDER = Base(Kind.FOLDER, 0, 0, 0, 0, 0, "", "p/d/", "m", 0, 7.0)
HERE = Local(Kind.FOLDER, 0, 0, 0, 0, 0)
MARK = ObjectInfo("p/d/", 0, "m", 7.0)
INDEX = ObjectInfo("p/d/.s3_index", 0, "m", 7.0)
Fill = Callable[[Observation], object]


def _child(seen: Observation) -> None:
    seen.add_local(ENTRY._replace(path="d/x"))


def _dir(seen: Observation) -> None:
    seen.add_local(ENTRY._replace(path="d", kind="dir"))


def _mark(seen: Observation) -> None:
    seen.add_remote("d", Kind.FOLDER, MARK)


@pytest.mark.parametrize(
    ("base", "fills", "expected"),
    [
        (FOLDER, [lambda s: s.add_folder("d"), _mark], None),
        (None, [lambda s: s.add_folder("d")], (None, HERE, None)),
        (
            None,
            [lambda s: s.add_remote("d", Kind.FOLDER, INDEX)],
            (None, None, Remote(Kind.FOLDER, "p/d/.s3_index", 0, "m", 7.0)),
        ),
        (FOLDER, [_mark], (FOLDER, None, Remote(Kind.FOLDER, "p/d/", 0, "m", 7.0))),
        (FOLDER, [_child, _mark], None),
        (FOLDER, [_dir, _mark], None),
        (FOLDER, [_child], (FOLDER, HERE, None)),
        (None, [_dir], None),
    ],
)
def test_folder_is_seen_where_somebody_speaks_of_it(
    memory: Memory, seen: Observation, base: Base | None, fills: list[Fill], expected: tuple[Any, ...] | None
) -> None:
    if base:
        memory.record([("d", base)])
    for step in fills:
        step(seen)
    found = [tuple(row[1:]) for row in seen.candidates() if row.path == "d"]
    assert found == ([expected] if expected else [])


@pytest.mark.parametrize("known", [MARK, INDEX])
def test_folder_with_two_placeholders_shows_the_one_that_memory_knows(
    memory: Memory, seen: Observation, known: ObjectInfo
) -> None:
    memory.record([("d", FOLDER._replace(key=known.key))])
    seen.add_folder("d")
    for info in (INDEX, MARK):
        seen.add_remote("d", Kind.FOLDER, info)
    assert list(seen.candidates()) == []
    assert [place.key for place in seen.placeholders("d")] == ["p/d/", "p/d/.s3_index"]


def test_file_and_placeholder_of_one_path_show_the_file(seen: Observation) -> None:
    seen.add_remote("d", Kind.FOLDER, MARK)
    seen.add_remote("d", Kind.FILE, INFO._replace(key="p/d"))
    assert [row.remote for row in seen.candidates()] == [REMOTE._replace(key="p/d")]
    assert [place.key for place in seen.placeholders("d")] == ["p/d/"]


def test_placeholder_takes_no_place_of_a_file_that_is_as_memory_says(memory: Memory, seen: Observation) -> None:
    memory.record([("a", BASE)])
    add_remote(seen, "a", INFO)
    seen.add_remote("a", Kind.FOLDER, ObjectInfo("p/a/.s3_index", 0, "e0", 7.0))
    assert list(seen.candidates()) == [Candidate("a", BASE, None, REMOTE)]


def test_what_lies_below_in_the_bucket_is_told(seen: Observation) -> None:
    seen.add_local(ENTRY._replace(path="d/x"))
    seen.add_remote("r/x", Kind.FILE, INFO._replace(key="p/r/x"))
    seen.add_remote("m/n", Kind.FOLDER, MARK._replace(key="p/m/n/"))
    seen.add_remote("only", Kind.FOLDER, MARK._replace(key="p/only/"))
    assert [seen.has_below_remote(path) for path in ("r", "m", "only", "d")] == [True, True, False, False]


def test_numbers_are_of_files_and_links(memory: Memory, seen: Observation) -> None:
    memory.record([("a", BASE), ("d", FOLDER)])
    seen.add_local(ENTRY)
    seen.add_local(ENTRY._replace(path="l", kind="symlink", size=1, target="x"))
    seen.add_folder("d")
    add_remote(seen, "a", INFO)
    seen.add_remote("d", Kind.FOLDER, MARK)
    assert (seen.local_files, seen.remote_files, seen.remembered) == (2, 1, 1)
    list(seen.candidates())
    assert (seen.local_files, seen.remote_files) == (2, 1)


# ── the scratch file ──


def test_scratch_file_goes_with_the_pass_and_a_killed_one_with_the_next(memory: Memory, tmp_path: Path) -> None:
    tmp = tmp_path / "tmp"
    first = Observation(memory, tmp)
    first.add_local(ENTRY)
    assert len(list(tmp.iterdir())) == 1
    first.close()
    assert list(tmp.iterdir()) == []
    (tmp / "seen-0123.db").write_bytes(b"left by a kill")
    (tmp / "new-0123").write_bytes(b"somebody else's")
    remove_stale(tmp)
    assert [file.name for file in tmp.iterdir()] == ["new-0123"]
    again = Observation(memory, None)
    fill(memory, again, None, ENTRY, None)
    assert len(list(again.candidates())) == 1
    again.close()


def test_memory_can_be_written_to_while_rows_wait(memory: Memory, seen: Observation) -> None:
    seen.add_local(ENTRY)
    memory.record([("z", BASE)])
    with pytest.raises(RuntimeError), memory.writing():
        raise RuntimeError
    assert [row.path for row in seen.candidates()] == ["a", "z"]


def test_plan_observes_beside_a_memory_that_is_only_read(memory: Memory, tmp_path: Path) -> None:
    memory.record([("a", BASE)])
    looked = Memory.open_read_only(tmp_path / "state.db")
    seen = Observation(looked, None)
    seen.add_local(ENTRY._replace(size=9))
    assert [row.path for row in seen.candidates()] == ["a"]
    seen.close()
    looked.close()


def test_comparison_knows_folders_from_the_sides_alone(memory: Memory, tmp_path: Path) -> None:
    folder = Base(Kind.FOLDER, 0, 0, 0, 0, 0, "", "p/d/", "e1", 0, 7.0)
    memory.record([("d", folder), ("e", folder._replace(key="p/e/"))])
    seen = Observation(memory, tmp_path / "tmp", whole=True)
    for name in ("d", "e"):
        seen.add_local(Entry(name, "dir", 0, 4, 5, 6, 0o040755))
        seen.add_local(ENTRY._replace(path=f"{name}/f"))
        add_remote(seen, f"{name}/f", INFO._replace(key=f"p/{name}/f"))
    seen.add_remote("e", Kind.FOLDER, ObjectInfo("p/e/", 0, "e1", 7.0))
    assert [found.path for found in seen.both_sides()] == ["d/f", "e", "e/f"]
    seen.close()
