"""What counts as a half-written download: only all five signs together."""

from dataclasses import replace

import pytest

from runner.engine.aws_cli.memory import KilledRun
from runner.engine.aws_cli.temporaries import Suspect, is_temporary, looks_like_one, possible_names

RUN = KilledRun(started_at=100.0, ended_at=200.0)
TRUE_ONE = Suspect(was_on_the_list=True, has_a_key=False, was_there_before=False, ctime=150.0)


def test_a_file_with_all_signs_is_a_temporary() -> None:
    assert is_temporary(TRUE_ONE, RUN, now=300.0)


@pytest.mark.parametrize(
    "change",
    [
        {"was_on_the_list": False},
        {"has_a_key": True},
        {"was_there_before": True},
        {"ctime": 90.0},
        {"ctime": 210.0},
    ],
)
def test_a_file_that_lacks_one_sign_is_a_users_file(change: dict[str, object]) -> None:
    assert not is_temporary(replace(TRUE_ONE, **change), RUN, now=300.0)  # type: ignore[arg-type]


def test_a_run_that_died_with_us_lasts_until_now() -> None:
    run = KilledRun(started_at=100.0, ended_at=None)
    assert is_temporary(replace(TRUE_ONE, ctime=290.0), run, now=300.0)
    assert not is_temporary(replace(TRUE_ONE, ctime=310.0), run, now=300.0)


@pytest.mark.parametrize(
    ("path", "expected"),
    [("d/a.0aF9bC3e", True), ("a.20261123", True), ("a.2026112", False), ("a.txt", False), ("a.0aF9bC3g", False)],
)
def test_looks_are_eight_hex_digits(path: str, expected: bool) -> None:
    assert looks_like_one(path) is expected


def test_possible_name_is_what_stands_before_the_digits() -> None:
    assert possible_names("d/a.bin.0aF9bC3e") == "d/a.bin"
