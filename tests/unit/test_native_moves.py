"""Which deletions and creations are one move, as tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.engine.native.facts import Kind
from runner.engine.native.moves import Row, local_content, moves, remote_content


def rows(*texts: str) -> list[Row]:
    """`content:path`, sorted by content."""
    return sorted(Row(text.partition(":")[0], text.partition(":")[2], Kind.FILE, 3) for text in texts)


def paired(vanished: list[Row], appeared: list[Row]) -> set[tuple[str, str]]:
    return {(move.old.path, move.new.path) for move in moves(vanished, appeared)}


@pytest.mark.parametrize(
    ("vanished", "appeared", "expected"),
    [
        ([], [], set()),
        (["x:a"], [], set()),
        (["x:a"], ["y:b"], set()),
        (["x:a"], ["x:b"], {("a", "b")}),
        (["x:a", "y:b"], ["x:c", "y:d"], {("a", "c"), ("b", "d")}),
        (["x:a"], ["x:b", "x:c"], {("a", "b")}),
        (["x:a", "x:b"], ["x:c"], {("a", "c")}),
        (["x:d/one", "x:d/two"], ["x:e/two", "x:e/one"], {("d/one", "e/one"), ("d/two", "e/two")}),
        (["x:a/one", "x:b/two"], ["x:b/three", "x:a/four"], {("a/one", "a/four"), ("b/two", "b/three")}),
        (["x:a/one", "x:b/two"], ["x:c/two", "x:d/new"], {("b/two", "c/two"), ("a/one", "d/new")}),
        (["x:a/q/one"], ["x:a/p/two", "x:a/q/three"], {("a/q/one", "a/q/three")}),
        (["x:a/b/one", "x:a/b/two"], ["x:c/d/two"], {("a/b/two", "c/d/two")}),
        (["0f:a", "Zf:b"], ["0f:c", "Zf:d"], {("a", "c"), ("b", "d")}),
        (["a:1", "c:3", "e:5"], ["b:2", "c:4", "f:6"], {("3", "4")}),
    ],
)
def test_moves_of_equal_contents_are_paired_by_name_then_folder_then_order(
    vanished: list[str], appeared: list[str], expected: set[tuple[str, str]]
) -> None:
    assert paired(rows(*vanished), rows(*appeared)) == expected


@pytest.mark.parametrize(("kind", "size"), [(Kind.FILE, 0), (Kind.LINK, 3), (Kind.FOLDER, 0)])
def test_moves_of_what_has_no_bytes_of_its_own_are_none(kind: Kind, size: int) -> None:
    assert paired([Row("x", "a", kind, size)], [Row("x", "b", kind, size)]) == set()
    assert paired([Row("x", "a", kind, size)], [Row("x", "b", Kind.FILE, 3)]) == set()


def test_moves_hand_back_the_callers_numbers() -> None:
    (move,) = moves([Row("x", "a", Kind.FILE, 3, 7)], [Row("x", "b", Kind.FILE, 3, 8)])
    assert (move.old.number, move.new.number) == (7, 8)


def test_moves_of_rows_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^rows are not sorted by content$"):
        list(moves(rows("x:a")[::-1] + rows("a:b"), rows("x:c", "y:d")))


def test_moves_contents_tell_sizes_apart() -> None:
    assert local_content("ab", 1) != local_content("ab", 2)
    assert remote_content("ab", 1) != remote_content("ab", 2)


PATHS = st.lists(st.tuples(st.sampled_from("xyz"), st.text("ab/", min_size=1, max_size=4)), max_size=12)


@given(PATHS, PATHS)
def test_moves_are_one_to_one_and_hang_on_nothing_but_the_rows(
    vanished: list[tuple[str, str]], appeared: list[tuple[str, str]]
) -> None:
    gone = {path: content for content, path in vanished}
    new = {path: content for content, path in appeared if path not in gone}
    old_rows = sorted((Row(content, path, Kind.FILE, 1) for path, content in gone.items()), key=lambda row: row.content)
    new_rows = sorted((Row(content, path, Kind.FILE, 1) for path, content in new.items()), key=lambda row: row.content)
    found = paired(old_rows, new_rows)
    assert len({old for old, _ in found}) == len(found) == len({name for _, name in found})
    assert all(gone[old] == new[name] for old, name in found)
    for content in "xyz":
        count = min(list(gone.values()).count(content), list(new.values()).count(content))
        assert sum(gone[old] == content for old, _ in found) == count
    for each in (old_rows, new_rows):
        each.reverse()
        each.sort(key=lambda row: row.content)
    assert paired(old_rows, new_rows) == found
