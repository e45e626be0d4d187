"""The status table and its published schema."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from runner.cli.status import plain_lines, table
from runner.cli.status_cells import HEADINGS, cells, notes, state

NOW = 1_795_412_435.0
ROOT = Path(__file__).parents[2]


def pair_row(**keys: Any) -> dict[str, Any]:
    """A complete row, as docs/status.schema.json has it."""
    row: dict[str, Any] = {
        "name": "site", "mode": "push", "engine": "aws-cli", "bucket": "assets", "prefix": "site/", "folder": "/srv",
        "wanted": "up", "state": "running", "activity": "waiting", "health": "in-sync", "paused": False,
        "compared_by": "size-time", "hydrated": True, "required": False, "pid": 42, "restarts": 1, "restart_at": None,
        "last_exit": None, "memory_bytes": 4_200_000, "started_at": NOW - 60, "uptime_seconds": 60.0,
        "heartbeat_age_seconds": 0.4, "trigger": None, "pass_started_at": None, "progress": None,
        "last_pass": {
            "started_at": NOW - 13, "ended_at": NOW - 12, "outcome": "done", "trigger": "schedule", "message": "",
            "way": "warm 1.46.3", "uploaded": 3, "downloaded": 0, "deleted_local": 0, "deleted_remote": 0,
            "bytes_up": 100, "bytes_down": 0, "scope": "full",
        },
        "last_success_at": NOW - 12, "next_pass_at": NOW + 48, "consecutive_failures": 0, "halt": None, "holder": None,
        "watching": "events", "watch_note": "", "way": "warm 1.46.3", "files": 1234, "files_bytes": 5_600_000_000,
        "conflicts": 0, "problems_count": 0, "problems": [],
        "totals": {
            "passes": 9, "failed_passes": 0, "uploaded": 12, "downloaded": 0, "deleted": 1, "bytes_up": 3_400_000,
            "bytes_down": 0, "requests": {"lists": 9, "puts": 12, "gets": 0, "deletes": 1},
            "requests_per_day": {"lists": 1440, "puts": 10, "gets": 0, "deletes": 0}, "price_per_day_usd": 0.0072,
        },
        "error": "",
    }  # fmt: skip
    return {**row, **keys}


def status_of(*pairs: dict[str, Any], **keys: Any) -> dict[str, Any]:
    """A complete status."""
    service = {"pid": 7, "state": "running", "restarts": 0}
    return {
        "version": "0.1.0", "pid": 1, "started_at": NOW - 60, "config": "/etc/runner/sync.yaml", "last_reload": None,
        "services": {"launcher": {**service, "way": "warm", "version": "1.46.3"}, "credentials": service},
        "log_dropped": 0, "pairs": list(pairs), **keys,
    }  # fmt: skip


def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((ROOT / "docs" / "status.schema.json").read_text())
    return schema


def test_schema_is_a_schema_and_accepts_a_complete_status() -> None:
    jsonschema.Draft202012Validator.check_schema(_schema())
    halt = {"brake": "max-delete", "reason": "r", "token": "t", "count": 12, "sample": ["a"]}
    pairs = [pair_row(), pair_row(halt=halt), pair_row(state="failed", activity=None, pid=None, totals=None)]
    jsonschema.validate(status_of(*pairs), _schema())


@pytest.mark.parametrize("key", ["name", "health", "halt", "last_pass", "problems_count"])
def test_schema_refuses_a_row_that_lacks_a_field(key: str) -> None:
    row = pair_row()
    del row[key]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(status_of(row), _schema())


def test_schema_refuses_a_word_that_is_not_in_the_contract() -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(status_of(pair_row(health="fine")), _schema())


def test_cells_are_one_word_each() -> None:
    found = dict(zip(HEADINGS, cells(pair_row(), NOW), strict=True))
    assert found == {
        "NAME": "site", "MODE": "push", "STATE": "waiting", "HEALTH": "in-sync", "LAST": "done:12s", "NEXT": "48s",
        "FILES": "1234", "SIZE": "5.6GB", "UP": "12(3.4MB)", "DOWN": "0", "DELETED": "1", "PROBLEMS": "0",
        "RESTARTS": "1", "MEMORY": "4.2MB", "REQUESTS/DAY": "1450", "PRICE/DAY": "<$0.01",
    }  # fmt: skip
    empty = cells({"name": "new", "mode": "pull", "state": "starting", "health": "unknown"}, NOW)
    assert all(text and " " not in text for text in empty)


def test_state_is_the_activity_only_while_the_worker_runs() -> None:
    assert state(pair_row(activity="syncing")) == "syncing"
    assert state(pair_row(activity="syncing", state="backoff")) == "backoff"
    assert state(pair_row(activity=None)) == "running"


def test_plain_lines_are_columns_then_notes() -> None:
    halt = {
        "brake": "max-delete",
        "reason": "12 of 12 files would be deleted",
        "token": "abc",
        "count": 12,
        "sample": [],
    }
    progress = {"stage": "transferring", "files_done": 1, "files_total": 2, "bytes_done": 0, "bytes_total": None}
    lines = plain_lines(
        status_of(
            pair_row(),
            pair_row(name="docs", activity="halted", health="halted", halt=halt),
            pair_row(name="busy", activity="syncing", pass_started_at=NOW - 1, progress=progress),
            pair_row(name="gone", state="backoff", restart_at=NOW + 4, last_exit={"reason": "killed by SIGKILL"}),
            last_reload={"at": NOW, "ok": False, "message": "sync.yaml:3: folder: missing"},
            log_dropped=3,
        ),
        NOW,
    )
    assert lines[0].split() == list(HEADINGS)
    assert [line.split()[:4] for line in lines[1:5]] == [
        ["site", "push", "waiting", "in-sync"],
        ["docs", "push", "halted", "halted"],
        ["busy", "push", "syncing", "in-sync"],
        ["gone", "push", "backoff", "in-sync"],
    ]
    assert lines[5:] == [
        "! docs: halted: 12 of 12 files would be deleted; runner approve docs abc",
        "! busy: transferring 1 of 2 files",
        "! gone: backoff: killed by SIGKILL; next start in 4s",
        "! the last reload changed nothing: sync.yaml:3: folder: missing",
        "! 3 log lines could not be written",
    ]


def test_notes_say_nothing_of_a_service_that_no_pair_asks_for() -> None:
    services = {"launcher": {"pid": None, "state": "stopped", "restarts": 0}}
    assert notes(status_of(pair_row(), services=services), NOW) == []


def test_notes_are_harmless_and_name_stopped_services() -> None:
    services = {"launcher": {"pid": None, "state": "backoff", "restarts": 3}}
    assert notes(status_of(pair_row(error="a\x1b[2Jb"), services=services), NOW) == [
        r"site: a\x1b[2Jb",
        "launcher: backoff",
    ]


def test_table_for_terminals_leaves_out_columns_that_say_nothing() -> None:
    from rich.console import Console

    console = Console(width=200, record=True, color_system=None)
    with console.capture() as capture:
        console.print(table(status_of(pair_row(files=None, files_bytes=None)), NOW))
    text = capture.get()
    assert "site" in text
    assert "FILES" not in text
    assert "in-sync" in text


def _shown(width: int, *pairs: dict[str, Any], height: int | None = None, **keys: Any) -> list[str]:
    from rich.console import Console

    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(table(status_of(*pairs, **keys), NOW, width, height))
    return [line.rstrip() for line in capture.get().splitlines()]


@pytest.mark.parametrize("width", [40, 60, 79, 80, 100, 140, 200])
def test_table_never_cuts_a_cell_or_wraps_a_row(width: int) -> None:
    lines = _shown(width, pair_row(), pair_row(name="a-longer-name", health="failing", problems_count=3))
    assert lines[0].split()[0] == "NAME"
    assert [line.split()[0] for line in lines[1:3]] == ["site", "a-longer-name"]
    assert all(len(line) <= width for line in lines)
    assert "…" not in "".join(lines[:3])
    assert "failing" in lines[2]
    assert ("no room for: " in " ".join(lines)) == (width < 140)


def test_table_of_a_narrow_terminal_keeps_what_says_something() -> None:
    lines = _shown(80, pair_row(restarts=7, files=0, files_bytes=0), pair_row(name="b", restarts=0))
    assert "RESTARTS" in lines[0]
    assert "DOWN" not in lines[0]


def test_live_table_fits_the_height_and_shows_the_pairs_that_need_an_eye() -> None:
    pairs = [pair_row(name=f"p{number}") for number in range(200)]
    pairs[150] = pair_row(name="bad", health="failing", error="the bucket does not exist")
    pairs[199] = pair_row(name="busy", activity="syncing")
    lines = _shown(80, *pairs, height=24)
    assert len(lines) <= 24
    text = "\n".join(lines)
    assert "bad" in text
    assert "busy" in text
    assert "bad: the bucket does not exist" in text
    assert "quieter pairs" in text


def test_live_table_of_many_notes_says_how_many_have_no_room() -> None:
    pairs = [pair_row(name=f"p{number}", health="failing", error="x" * 100) for number in range(50)]
    lines = _shown(80, *pairs, height=24)
    assert len(lines) <= 24
    assert "notes" in lines[-1]
