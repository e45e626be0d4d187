"""The decision about modes, once the contents are equal, as tables."""

from typing import Any

import pytest

from runner.config.settings import Mode
from runner.engine.native.decide import Decision, Rules, decide
from tests.unit.native_samples import (
    BASE,
    EDITED,
    LOCAL,
    MOVED,
    REMOTE,
    REWRITTEN,
    SECOND,
    A,
    looked,
)

PUSH, PULL, TWO_WAY = Mode.PUSH, Mode.PULL, Mode.TWO_WAY


def rules(mode: Mode = TWO_WAY, *, delete: bool | None = None, **more: Any) -> Rules:
    return Rules(mode, delete=mode is TWO_WAY if delete is None else delete, **more)


def shown(decision: Decision) -> str:
    loser = f" loser={decision.loser}" if decision.loser else ""
    return f"{decision.action}{loser}{' ' + decision.code if decision.code else ''}"


@pytest.mark.parametrize(
    ("mode", "base", "local", "remote", "expected"),
    [
        (TWO_WAY, 0o644, 0o755, None, "set-remote-mode"),  # nobody looked: LastModified did not move
        (TWO_WAY, 0o644, 0o755, 0o644, "set-remote-mode"),
        (TWO_WAY, 0o644, 0o644, 0o100755, "set-local-mode"),
        (TWO_WAY, 0o644, 0o600, 0o755, "set-local-mode"),
        (TWO_WAY, 0o644, 0o755, 0o755, "record"),
        (TWO_WAY, 0o644, 0o4644, 0o644, "record"),  # setuid is never carried
        (PUSH, 0o644, 0o600, 0o755, "set-remote-mode"),
        (PUSH, 0o644, 0o644, 0o755, "set-remote-mode"),
        (PULL, 0o644, 0o644, 0o755, "set-local-mode"),
        (PULL, 0o644, 0o600, 0o755, "set-local-mode"),
        (PULL, 0o644, 0o600, None, "look-remote"),
    ],
)
def test_decide_of_equal_contents_carries_the_mode_that_moved(
    mode: Mode, base: int, local: int, remote: int | None, expected: str
) -> None:
    here = LOCAL._replace(mode=0o100000 | local, ctime_ns=300 * SECOND, sha256=A)
    there = REMOTE if remote is None else looked(MOVED, mode=remote)
    row = BASE._replace(mode=base)
    assert shown(decide(row, here, there, rules(mode))) == expected
    assert shown(decide(row, here, there, rules(mode, permissions=False))) == "record"


@pytest.mark.parametrize(
    ("remote_mode", "expected"), [(None, "record"), (0o100644, "record"), (0o100755, "set-local-mode")]
)
def test_decide_of_a_first_meeting_with_equal_contents_takes_the_buckets_mode(
    remote_mode: int | None, expected: str
) -> None:
    there = looked(REMOTE, mode=remote_mode)
    assert shown(decide(None, LOCAL, there, rules(), equal=True)) == expected


def test_decide_of_an_object_without_a_mode_takes_a_mode_that_was_changed_here() -> None:
    here = LOCAL._replace(mode=0o100755, ctime_ns=300 * SECOND, sha256=A)
    assert shown(decide(BASE, here, looked(MOVED), rules())) == "set-remote-mode"
    assert shown(decide(BASE, here, looked(MOVED), rules(PULL))) == "record"


def test_decide_of_equal_changes_on_both_sides_keeps_the_mode_that_was_changed_here() -> None:
    here = EDITED._replace(mode=0o100755)
    assert shown(decide(BASE, here, looked(REWRITTEN, mode=0o644), rules(), equal=True)) == "set-remote-mode"
    assert shown(decide(None, here, looked(REWRITTEN, mode=0o644), rules(), equal=True)) == "set-local-mode"


def test_decide_of_a_mode_that_nobody_carries_is_recorded_once_or_never() -> None:
    here = LOCAL._replace(mode=0o100600)  # with the stamps that memory knows
    assert shown(decide(BASE, here, looked(REMOTE), rules(PULL))) == "record"
    assert shown(decide(BASE, here, REMOTE, rules(permissions=False))) == "nothing"
