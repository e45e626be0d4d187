"""When a plan's deletions stop, as tables."""

import pytest

from runner.config.settings import Share
from runner.engine.brakes import Brake, Deletions, judge, token

HALF = Share(share=0.5)
ALL = Share(share=1.0)


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
