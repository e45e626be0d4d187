"""A pair's status row as the cells of a table, and the notes below it. Pure: `now` comes in, text goes out."""

from typing import Any

from runner.cli import amounts
from runner.cli.pass_lines import progress_line
from runner.model.names import printable

Row = dict[str, Any]
HEADINGS = (
    *("NAME", "MODE", "STATE", "HEALTH", "LAST", "NEXT", "FILES", "SIZE", "UP", "DOWN", "DELETED", "PROBLEMS"),
    *("RESTARTS", "MEMORY", "REQUESTS/DAY", "PRICE/DAY"),
)
_COLOURS = {
    "in-sync": "green",
    "behind": "yellow",
    "conflicts": "yellow",
    "halted": "magenta",
    "failing": "red",
    "failed": "red",
    "backoff": "red",
    "syncing": "cyan",
    "retrying": "yellow",
    "paused": "yellow",
}


def cells(row: Row, now: float) -> list[str]:
    """One text for each of HEADINGS; none is empty and none holds a space."""
    totals = row.get("totals") or {}
    asked = totals.get("requests_per_day")
    texts = (
        row.get("name"),
        row.get("mode"),
        state(row),
        row.get("health"),
        _last(row.get("last_pass"), now),
        "running" if row.get("pass_started_at") else amounts.until(row.get("next_pass_at"), now),
        amounts.number(row.get("files")),
        amounts.size(row.get("files_bytes")),
        _moved(totals.get("uploaded"), totals.get("bytes_up")),
        _moved(totals.get("downloaded"), totals.get("bytes_down")),
        amounts.number(totals.get("deleted")),
        amounts.number(row.get("problems_count")),
        amounts.number(row.get("restarts")),
        amounts.size(row.get("memory_bytes")),
        amounts.NOTHING if not asked else str(sum(asked.values())),
        amounts.price(totals.get("price_per_day_usd")),
    )
    return [printable(str(text or amounts.NOTHING)) for text in texts]


def colour(text: str) -> str:
    """The colour of a state or a health; empty for an ordinary one."""
    return _COLOURS.get(text, "")


def state(row: Row) -> str:
    """The worker's state, or what it does while it runs."""
    if row.get("state") == "running":
        return str(row.get("activity") or "running")
    return str(row.get("state") or amounts.NOTHING)


def notes(status: Row, now: float) -> list[str]:
    """What a table has no room for: halts with the line to type, errors, progress, a failed reload, lost log lines."""
    lines = []
    for row in status.get("pairs", []):
        lines += [printable(f"{row.get('name')}: {note}") for note in _pair_notes(row, now)]
        if row.get("pass_started_at") and isinstance(row.get("progress"), dict):
            lines.append(progress_line(str(row.get("name")), row["progress"]))
    reload = status.get("last_reload")
    if reload and not reload.get("ok"):
        lines.append(printable(f"the last reload changed nothing: {reload.get('message')}"))
    for name, service in (status.get("services") or {}).items():
        if service.get("state") not in (None, "running", "stopped"):  # stopped: no pair asks for it
            lines.append(printable(f"{name}: {service['state']}"))
    if status.get("log_dropped"):
        lines.append(f"{amounts.things(status['log_dropped'], 'log line')} could not be written")
    return lines


def _pair_notes(row: Row, now: float) -> list[str]:
    found = []
    halt = row.get("halt")
    if halt:
        approve = f"runner approve {row.get('name')} {halt.get('token')}" if halt.get("token") else ""
        reason = str(halt.get("reason", ""))
        found.append(f"halted: {reason}" + (f"; {approve}" if approve and approve not in reason else ""))
    elif row.get("error"):
        found.append(str(row["error"]))
    if row.get("state") in ("backoff", "failed"):
        exited = row.get("last_exit") or {}
        when = f"; next start in {amounts.until(row['restart_at'], now)}" if row.get("restart_at") else ""
        found.append(f"{row['state']}: {exited.get('reason', 'not started')}{when}")
    if row.get("activity") == "standby" and row.get("holder"):
        found.append(f"standby: {row['holder']} holds it")
    if row.get("watch_note"):
        found.append(str(row["watch_note"]))
    return found


def _last(last_pass: Row | None, now: float) -> str:
    if not last_pass:
        return amounts.NOTHING
    return f"{last_pass.get('outcome')}:{amounts.ago(last_pass.get('ended_at'), now)}"


def _moved(count: int | None, size_bytes: int | None) -> str:
    if not count:
        return amounts.number(count)
    return f"{count}({amounts.size(size_bytes)})" if size_bytes else str(count)
