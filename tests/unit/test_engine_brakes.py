"""When a plan's deletions stop, as tables."""

import pytest

from runner.config.settings import Share
from runner.engine.brakes import Brake, Deletions, Plan, judge, judge_both, token

HALF = Share(share=0.5)
ALL = Share(share=1.0)
NONE = Deletions(0, 20, 20)


def name(brake: Brake | None) -> str:
    return brake.name if brake else ""


@pytest.mark.parametrize(
    ("count", "remembered", "left", "max_delete", "expected"),
    [
        (0, 100, 0, HALF, ""),
        (9, 9, 0, HALF, ""),
        (9, 10, 0, HALF, "emptied-folder"),
        (10, 10, 0, HALF, "emptied-folder"),
        (10, 10, 0, ALL, ""),
        (10, 20, 10, HALF, ""),
        (11, 20, 9, HALF, "max-delete"),
        (9, 10, 1, HALF, ""),
        (10, 0, 5, HALF, "max-delete"),
        (10, 100, 90, 10, ""),
        (11, 100, 89, 10, "max-delete"),
        (9, 100, 91, 0, ""),
        (12, 12, 0, 100, "emptied-folder"),
        (10_000, 10_000, 1, ALL, ""),
    ],
)
def test_judge_of_deletions_brakes_as_configured(
    count: int, remembered: int, left: int, max_delete: Share | int, expected: str
) -> None:
    assert name(judge(Deletions(count, remembered, left), max_delete)) == expected


def test_judge_of_an_emptied_listing_names_that_brake() -> None:
    brake = judge(Deletions(10, 10, 0, "emptied-listing"), HALF)
    assert brake is not None
    assert brake.name == "emptied-listing"
    assert "listing" in brake.reason


def test_token_hangs_on_brake_and_paths_and_their_borders() -> None:
    tokens = {token("a", [b"x", b"y"]), token("b", [b"x", b"y"]), token("a", [b"xy"]), token("a", [b"x"])}
    assert len(tokens) == 4
    assert all(len(text) == 16 for text in tokens)
    assert token("a", iter([b"x", b"y"])) in tokens


@pytest.mark.parametrize("max_delete", [HALF, ALL, 100])
def test_judge_of_an_emptied_folder_without_a_marker_brakes_whatever_is_allowed(max_delete: Share | int) -> None:
    assert name(judge(Deletions(1, 1, 0, unmarked=True), max_delete)) == "emptied-folder"
    assert name(judge(Deletions(1, 2, 1, unmarked=True), max_delete)) == ""
    assert judge(Deletions(0, 1, 0, unmarked=True), max_delete) is None


def plan(here: int = 0, there: int = 0, changes: int = 0, remembered: int = 100) -> Plan:
    """Deletions in the folder and in the bucket, with both sides still holding something."""
    return Plan(
        here=Deletions(here, remembered, 5, "emptied-listing"),
        there=Deletions(there, remembered, 5),
        changes=changes,
        remembered=remembered,
    )


@pytest.mark.parametrize(
    ("given", "max_delete", "max_change", "expected"),
    [
        (plan(), HALF, HALF, ""),
        (plan(here=50), HALF, None, ""),
        (plan(here=51), HALF, None, "max-delete"),
        (plan(there=51), HALF, None, "max-delete"),
        (plan(here=30, there=30), HALF, None, "max-delete"),  # together
        (plan(here=25, there=25), HALF, None, ""),
        (plan(here=4, there=5), 0, None, ""),
        (plan(here=5, there=5), 0, None, "max-delete"),
        (plan(here=51), ALL, None, ""),
        (plan(changes=100), HALF, None, ""),  # off
        (plan(changes=51), HALF, HALF, "max-change"),
        (plan(changes=50), HALF, HALF, ""),
        (plan(changes=51), HALF, ALL, ""),
        (plan(changes=9), HALF, 0, ""),
        (plan(changes=10), HALF, 9, "max-change"),
        (plan(changes=10), HALF, 10, ""),
        (plan(changes=9, remembered=9), HALF, Share(share=0.1), ""),
        (plan(here=60, changes=60), HALF, HALF, "max-delete"),
    ],
)
def test_judge_both_of_a_plan_brakes_as_configured(
    given: Plan, max_delete: Share | int, max_change: Share | int | None, expected: str
) -> None:
    assert name(judge_both(given, max_delete, max_change)) == expected


@pytest.mark.parametrize(
    ("here", "there", "max_delete", "expected"),
    [
        ((0, 0), (10, 0), HALF, "emptied-folder"),
        ((10, 0), (0, 0), HALF, "emptied-listing"),
        ((10, 0), (10, 0), HALF, "emptied-folder"),
        ((3, 0), (0, 9), HALF, "emptied-listing"),
        ((10, 0), (0, 9), ALL, ""),
        ((10, 0), (0, 9), 1000, "emptied-listing"),
    ],
)
def test_judge_both_of_an_emptied_side_names_it(
    here: tuple[int, int], there: tuple[int, int], max_delete: Share | int, expected: str
) -> None:
    in_folder = Deletions(here[0], 10, here[1], "emptied-listing")
    in_bucket = Deletions(there[0], 10, there[1])
    assert name(judge_both(Plan(in_folder, in_bucket, 0, 10), max_delete, None)) == expected


def test_judge_without_limits_never_brakes() -> None:
    assert judge(Deletions(30, 10, 5), ALL) is None
    for emptied in (Plan(NONE, Deletions(20, 20, 0), 0, 20), Plan(Deletions(20, 20, 0), NONE, 0, 20)):
        assert judge_both(emptied, ALL, ALL) is None


def test_judge_of_an_emptied_folder_without_a_marker_says_why() -> None:
    brake = judge(Deletions(1, 1, 0, unmarked=True), 10)
    assert brake is not None
    assert brake.reason == "the folder is empty, and read-only: no marker in it can prove that it is the same"


def test_judge_both_of_a_small_memory_never_takes_an_emptied_side_for_a_fault() -> None:
    assert judge_both(Plan(Deletions(9, 9, 0, "emptied-listing"), Deletions(0, 9, 9), 0, 9), HALF, None) is None


def test_judge_both_says_how_many_changes_and_how_many_are_allowed() -> None:
    brake = judge_both(plan(changes=60), HALF, Share(share=0.25))
    assert brake is not None
    assert brake.reason == (
        "60 files would change their content in one pass; max_change allows 25% of 100 remembered files"
    )


def test_brakes_say_what_was_seen_and_what_is_allowed() -> None:
    folder = Deletions(count=12, remembered=40, left=0)
    listing = Deletions(count=12, remembered=40, left=0, emptied="emptied-listing")
    many = Deletions(count=30, remembered=40, left=10)
    said = [judge(plan, Share(share=0.5)) for plan in (folder, listing, many)]
    assert [brake.reason for brake in said if brake] == [
        "the folder is empty, but 40 files were there at the last good pass",
        "the bucket's listing is empty, but 40 files were there at the last good pass",
        "30 deletions in one pass; max_delete allows 50% of 40 remembered files",
    ]
