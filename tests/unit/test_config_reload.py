"""The pure diff of two configs."""

from pathlib import Path
from typing import Any

import pytest

from runner.config.reload import ReloadPlan, diff
from runner.config.settings import (
    EngineName,
    Interval,
    LoggingSettings,
    Mode,
    Pair,
    Settings,
    SupervisorSettings,
    Symlinks,
)


def pair(name: str, **changes: Any) -> Pair:
    made = Pair(
        name=name,
        bucket="my-bucket",
        folder=Path("/data") / name,
        mode=Mode.PUSH,
        engine=EngineName.AWS_CLI,
        every=Interval(min_seconds=60, max_seconds=60),
        watch=True,
        symlinks=Symlinks.FOLLOW,
        required=False,
    )
    return made.model_copy(update=changes)


def test_diff_of_equal_settings_changes_nothing() -> None:
    settings = Settings(pairs=(pair("a"), pair("b")))
    plan = diff(settings, Settings(pairs=(pair("a"), pair("b"))))
    assert plan == ReloadPlan(unchanged=("a", "b"))
    assert plan.changes_nothing


def test_diff_order_of_pairs_changes_nothing() -> None:
    assert diff(Settings(pairs=(pair("a"), pair("b"))), Settings(pairs=(pair("b"), pair("a")))).changes_nothing


def test_diff_sorts_pairs_by_what_becomes_of_them() -> None:
    old = Settings(pairs=(pair("same"), pair("gone"), pair("moved"), pair("later")))
    new = Settings(pairs=(pair("new"), pair("same"), pair("moved", prefix="x/"), pair("later", timeout_seconds=5.0)))
    plan = diff(old, new)
    assert plan == ReloadPlan(("new",), ("gone",), ("moved",), ("later",), ("same",))
    assert str(plan) == "added new; removed gone; restarted moved; live later; unchanged 1"


@pytest.mark.parametrize(
    "changes",
    [
        {"every": None, "cron": "* * * * *"},
        {"at": ("02:30",), "timezone": "Europe/Berlin"},
        {"jitter": 0.2},
        {"timeout_seconds": 5.0, "stall_timeout_seconds": None},
        {"max_memory_bytes": 10**9},
    ],
)
def test_diff_schedule_timeouts_and_memory_are_live(changes: dict[str, Any]) -> None:
    assert diff(Settings(pairs=(pair("a"),)), Settings(pairs=(pair("a", **changes),))).live == ("a",)


@pytest.mark.parametrize(
    "changes",
    [
        {"mode": Mode.TWO_WAY, "engine": EngineName.NATIVE},
        {"prefix": "x/"},
        {"enabled": False},
        {"delete": True, "jitter": 0.2},
        {"approve": "token"},
    ],
)
def test_diff_anything_else_restarts(changes: dict[str, Any]) -> None:
    assert diff(Settings(pairs=(pair("a"),)), Settings(pairs=(pair("a", **changes),))).restarted == ("a",)


def test_diff_sections_are_named() -> None:
    old = Settings(pairs=(pair("a"),))
    assert diff(old, old.model_copy(update={"logging": LoggingSettings(level="DEBUG")})).logging_changed
    plan = diff(old, old.model_copy(update={"supervisor": SupervisorSettings(on_failed="exit")}))
    assert plan.supervisor_changed
    assert plan.unchanged == ("a",)
    assert not plan.changes_nothing


def test_diff_moved_state_folder_restarts_all() -> None:
    old = Settings(pairs=(pair("a"),))
    new = old.model_copy(update={"supervisor": SupervisorSettings(state_dir=Path("/state"))})
    assert diff(old, new).restarted == ("a",)
