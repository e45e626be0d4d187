"""Which rows of a side are as memory says, in whatever order they come, and what of memory did not come at all."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.engine.memory_file import Identity, MemoryCorruptError
from runner.engine.native import matching
from runner.engine.native.facts import Base, Kind, Local
from runner.engine.native.memory import Memory
from runner.engine.native.observation import Observation
from runner.files.scan_result import Entry
from runner.store.listing import ObjectInfo

NAMES = ("a!", "a/b", "a/c", "a0", "b", "c/d", "é")  # a server of tree order lists a/b and a/c before a!


def base_of(name: str) -> Base:
    return Base(Kind.FILE, 3, 4, 5, 6, 0o644, "", f"p/{name}", "e", 3, 7.0)


def entry_of(name: str, size: int = 3) -> Entry:
    return Entry(name, "file", size, 4, 5, 6, 0o100644)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    opened = Memory.open(tmp_path / "state.db")
    opened.adopt(Identity("0" * 32, 1, "bucket", "p/", ""))
    yield opened
    opened.close()


def rows_of(seen: Observation, table: str) -> int:
    return int(seen.connection.execute(f"SELECT count(*) FROM scratch.{table}").fetchone()[0])


def test_pass_at_rest_leaves_no_row(memory: Memory) -> None:
    memory.record([(name, base_of(name)) for name in NAMES])
    seen = Observation(memory, None)
    for name in sorted(NAMES, key=str.encode):
        seen.add_local(entry_of(name))
    for name in sorted(NAMES, key=lambda key: key.replace("/", "\0")):
        assert seen.knows_remote(name, ObjectInfo(f"p/{name}", 3, "e", 7.0))
    assert list(seen.candidates()) == []
    assert [rows_of(seen, table) for table in ("here", "there", "gone", "odd")] == [0, 0, 0, 0]
    assert (seen.local_files, seen.remote_files) == (len(NAMES), len(NAMES))
    seen.close()


Side = st.dictionaries(st.sampled_from(NAMES), st.sampled_from([3, 4]))


@given(
    remembered=st.sets(st.sampled_from(NAMES)),
    here=Side,
    there=Side,
    order=st.permutations(NAMES),
    page=st.integers(1, 3),
)
def test_any_order_of_any_two_sides_gives_the_same_candidates(
    remembered: set[str], here: dict[str, int], there: dict[str, int], order: list[str], page: int
) -> None:
    """The answer is worked out from the three sets alone."""
    before, matching._PAGE = matching._PAGE, page  # type: ignore[misc]
    memory = Memory.open_read_only(None)
    memory.adopt(Identity("0" * 32, 1, "bucket", "p/", ""))
    memory.record([(name, base_of(name)) for name in remembered])
    seen = Observation(memory, None)
    try:
        for name in sorted(here, key=str.encode):
            seen.add_local(entry_of(name, here[name]))
        for name in order:
            info = ObjectInfo(f"p/{name}", there.get(name, 0), "e", 7.0)
            if name in there and not seen.knows_remote(name, info):
                seen.add_remote(name, Kind.FILE, info)
        found = {row.path: row for row in seen.candidates()}
        assert seen.local_files == len(here)
        assert seen.remote_files == len(there)
        assert [seen.has_below_remote(name) for name in ("a", "c", "b")] == [
            any(name.startswith(f"{top}/") for name in there) for top in ("a", "c", "b")
        ]
    finally:
        matching._PAGE = before  # type: ignore[misc]
        seen.close()
        memory.close()
    sizes = dict.fromkeys(remembered, 3)
    assert list(found) == sorted(
        (name for name in NAMES if not sizes.get(name) == here.get(name) == there.get(name)), key=str.encode
    )
    for name, row in found.items():
        local, remote = row.local, row.remote
        assert (local.size if isinstance(local, Local) else local) == here.get(name)
        assert (remote.size if remote is not None else None) == there.get(name)  # type: ignore[union-attr]


def test_memory_out_of_order_is_corrupt_and_not_read_for_ever(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "_PAGE", 1)
    memory.record([("a", base_of("a"))])
    seen = Observation(memory, None)
    monkeypatch.setattr(seen._same_here, "_sql", "SELECT x'41', {which} = ?, 0 WHERE 1 OR b.path NOT IN scratch.odd")
    with pytest.raises(MemoryCorruptError):
        seen.add_local(entry_of("b"))
    seen.close()
