"""What users do to files on two sides, as tables (after rclone bisync, Unison, Syncthing, mutagen, mobius3)."""

import pytest

from tests.integration.native_engine import BucketWitness, MakeRunner, credential_process, runner, there
from tests.integration.native_scenarios import Case, World, bucket, does, home, run_table, scenario_place, target

__all__ = ["bucket", "credential_process", "home", "runner", "scenario_place", "target", "there"]

BASE = {"f": b"base"}


swap = does("rename x tmp", "rename y x", "rename tmp y")
chain = does("rename c d", "rename b c", "rename a b")
file_to_folder = does("delete f", "write f/inner inner", "write f/deep/er deeper")
into_itself = does("rename f tmp", "rename tmp f/f")
out_of_itself = does("rename f/f tmp", "rename tmp f")
into_each_other = does("rename x tmp", "rename y x/y", "rename tmp y/x")
folder_to_file = does("delete d", "write d now a file")

ONE_SIDED = {
    "create": Case({}, {"f": b"new"}, does("write f new")),
    "create-empty": Case({}, {"f": b""}, does("write f ")),
    "create-deep": Case({}, {"a/b/c/d/e": b"x"}, does("write a/b/c/d/e x")),
    "edit": Case(BASE, {"f": b"longer than before"}, does("write f longer than before")),
    "edit-same-size": Case(BASE, {"f": b"esab"}, does("write f esab")),
    "truncate": Case(BASE, {"f": b""}, does("write f ")),
    "fill": Case({"f": b""}, {"f": b"full"}, does("write f full")),
    "delete": Case(BASE | {"keep": b"k"}, {"keep": b"k"}, does("delete f")),
    "delete-folder": Case({"d/x": b"1", "d/y/z": b"2", "k": b"k"}, {"k": b"k"}, does("delete d")),
    "rename": Case(BASE, {"g": b"base"}, does("rename f g")),
    "rename-case": Case(BASE, {"F": b"base"}, does("rename f F")),
    "rename-into": Case(BASE, {"d/e/f": b"base"}, does("rename f d/e/f")),
    "rename-folder": Case({"d/x": b"1", "d/y/z": b"2"}, {"e/x": b"1", "e/y/z": b"2"}, does("rename d e")),
    "rename-folder-up": Case({"d/e/x": b"1", "d/k": b"2"}, {"e/x": b"1", "d/k": b"2"}, does("rename d/e e")),
    "rename-edit": Case(BASE, {"g": b"edit"}, does("rename f g", "write g edit")),
    "rename-over": Case({"f": b"1", "g": b"22"}, {"g": b"1"}, does("rename f g")),
    "rename-reuse": Case(BASE, {"g": b"base", "f": b"next"}, does("rename f g", "write f next")),
    "swap": Case({"x": b"one", "y": b"two"}, {"x": b"two", "y": b"one"}, swap),
    "swap-sizes": Case({"x": b"one", "y": b"three"}, {"x": b"three", "y": b"one"}, swap),
    "swap-folders": Case({"x/f": b"one", "y/f": b"two"}, {"x/f": b"two", "y/f": b"one"}, swap),
    "chain": Case({"a": b"1", "b": b"2", "c": b"3"}, {"b": b"1", "c": b"2", "d": b"3"}, chain),
    "file-to-folder": Case(BASE, {"f/inner": b"inner", "f/deep/er": b"deeper"}, file_to_folder),
    "folder-to-file": Case({"d/x": b"1", "d/y/z": b"2"}, {"d": b"now a file"}, folder_to_file),
    "file-into-folder-of-its-name": Case(BASE, {"f/f": b"base"}, into_itself),
    "file-out-of-folder-of-its-name": Case({"f/f": b"base"}, {"f": b"base"}, out_of_itself),
    "files-into-folders-of-each-other": Case({"x": b"1", "y": b"2"}, {"x/y": b"2", "y/x": b"1"}, into_each_other),
    "delete-recreate": Case(BASE, {"f": b"base"}, does("delete f", "write f base")),
}  # fmt: skip

TWO_SIDED = {
    "same-edit": Case(BASE, {"f": b"same"}, does("write f same"), does("write f same")),
    "same-creation": Case({}, {"f": b"same"}, does("write f same"), does("write f same")),
    "both-delete": Case(BASE | {"k": b"k"}, {"k": b"k"}, does("delete f"), does("delete f")),
    "edit-delete": Case(BASE, {"f": b"edit"}, does("write f edit"), does("delete f")),
    "delete-edit": Case(BASE, {"f": b"edit"}, does("delete f"), does("write f edit")),
    "edit-rename": Case(BASE, {"f": b"edit", "g": b"base"}, does("write f edit"), does("rename f g")),
    "rename-edit": Case(BASE, {"f": b"edit", "g": b"base"}, does("rename f g"), does("write f edit")),
    "rename-delete": Case(BASE, {"g": b"base"}, does("rename f g"), does("delete f")),
    "rename-same": Case(BASE, {"g": b"base"}, does("rename f g"), does("rename f g")),
    "rename-twice": Case(BASE, {"g": b"base", "h": b"base"}, does("rename f g"), does("rename f h")),
    "delete-folder-add": Case({"d/x": b"1"}, {"d/new": b"new"}, does("delete d"), does("write d/new new")),
    "add-delete-folder": Case({"d/x": b"1"}, {"d/new": b"new"}, does("write d/new new"), does("delete d")),
    "rename-folder-add": Case(
        {"d/x": b"1"}, {"e/x": b"1", "d/new": b"n"}, does("rename d e"), does("write d/new n")
    ),
    "rename-folder-edit": Case(
        {"d/x": b"1"}, {"e/x": b"1", "d/x": b"n2"}, does("rename d e"), does("write d/x n2")
    ),
    "disjoint": Case({}, {"1": b"1", "2": b"2"}, does("write 1 1"), does("write 2 2")),
    "both-edit": Case(BASE, {"f": (b"one", b"other")}, does("write f one"), does("write f other")),
    "both-create": Case({}, {"f": (b"one", b"two")}, does("write f one"), does("write f two")),
}  # fmt: skip
CONFLICTS = {"both-edit", "both-create"}


def with_copies(one_wins: bool) -> dict[str, Case]:
    """Who came second has the conflict copy; the same size and another one."""
    found = dict(TWO_SIDED)
    for name in CONFLICTS:
        case = TWO_SIDED[name]
        first, second = case.end["f"]
        won, lost = (first, second) if one_wins else (second, first)
        assert isinstance(won, bytes)
        assert isinstance(lost, bytes)
        found[name] = Case(case.start, {"f": won}, case.one, case.other, frozenset({lost}))
    return found


@pytest.mark.each_server
@pytest.mark.parametrize("side", ["a", "b", "bucket"])
def test_changes_of_one_side_reach_the_others(side: str, runner: MakeRunner, there: BucketWitness) -> None:
    run_table(World(runner, there), ONE_SIDED, side, "a")


@pytest.mark.parametrize(
    ("one", "other", "one_wins"),
    [("a", "b", True), ("b", "a", False), ("a", "bucket", False), ("bucket", "b", True)],
)
def test_changes_of_two_sides_are_all_kept(
    one: str, other: str, one_wins: bool, runner: MakeRunner, there: BucketWitness
) -> None:
    run_table(World(runner, there), with_copies(one_wins), one, other)
