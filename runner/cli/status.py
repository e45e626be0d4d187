"""`runner status`: a table of the pairs, JSON for scripts (docs/status.schema.json), or a live view."""

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from runner.cli import amounts, status_fit
from runner.cli.answers import ask
from runner.cli.connection import Connection
from runner.cli.invocation import Invocation, config_option
from runner.cli.status_cells import HEADINGS, cells, colour, notes
from runner.model.errors import UserError
from runner.model.exit_codes import ExitCode

if TYPE_CHECKING:
    from rich.console import Group

Status = dict[str, Any]
WATCH_SECONDS = 1.0


@click.command("status")
@config_option()
@click.option("--json", "as_json", is_flag=True, help="JSON as docs/status.schema.json has it.")
@click.option("--watch", is_flag=True, help="Again every second until Ctrl-C, with the progress of running passes.")
@click.pass_context
def command(ctx: click.Context, *, as_json: bool, watch: bool) -> int:
    """Show a line for each pair.

    State, health, last and next pass, files, what moved, problems, restarts, memory, requests and price a day.
    """
    invocation = Invocation.of(ctx)
    if watch:
        _watch(invocation, as_json=as_json)
        return ExitCode.OK
    status = fetch(invocation.running())
    if as_json:
        click.echo(json.dumps(status, indent=2))
    elif sys.stdout.isatty():
        from rich.console import Console

        console = Console()
        console.print(table(status, time.time(), console.width))
    else:
        click.echo("\n".join(plain_lines(status, time.time())))
    return ExitCode.OK


def fetch(connection: Connection) -> Status:
    """The whole status as one object; pairs may come as rows of their own."""
    status: Status = {}
    pairs: list[Status] = []

    def collect(row: Status) -> None:
        if "name" in row:
            pairs.append(row)
        else:
            status.update(row)

    ending = ask(connection, {"command": "status"}, collect)
    if ending.exit_code != ExitCode.OK:
        raise UserError(ending.message or "the runner gave no status")
    return {**status, "pairs": [*status.get("pairs", []), *pairs]}


def plain_lines(status: Status, now: float) -> list[str]:
    """For pipes: a heading, a line for each pair with the same cells, then the notes, each starting with `! `."""
    rows = [list(HEADINGS), *(cells(row, now) for row in status["pairs"])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [*lines, *(f"! {note}" for note in notes(status, now))]


def table(status: Status, now: float, width: int | None = None, height: int | None = None) -> "Group":
    """For terminals of this size: columns that say nothing, or have no room, are left out. height: None can scroll."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    rows, remarks = [cells(row, now) for row in status["pairs"]], notes(status, now)
    shown = status_fit.columns(rows, width)
    page = status_fit.Page(list(range(len(rows))), list(range(len(remarks))))
    if width is not None and height is not None:
        page = status_fit.page(rows, remarks, width, height)
    grid = Table(box=None, pad_edge=False, header_style="bold", padding=(0, status_fit.GAP, 0, 0))
    for column in shown:
        grid.add_column(HEADINGS[column], no_wrap=True, justify="left" if column < 6 else "right")
    for index in page.rows:
        grid.add_row(*(Text(rows[index][column], style=colour(rows[index][column])) for column in shown))
    below = [Text(remarks[index], style="yellow") for index in page.notes]
    return Group(
        grid,
        *below,
        *(
            Text(line, style="dim", no_wrap=True, overflow="ellipsis")
            for line in _not_shown(page, status_fit.left_out(rows, shown))
        ),
    )


def _not_shown(page: status_fit.Page, headings: list[str]) -> list[str]:
    hidden = [
        amounts.things(page.rows_hidden, "quieter pair") if page.rows_hidden else "",
        amounts.things(page.notes_hidden, "note") if page.notes_hidden else "",
        ", ".join(headings),
    ]
    return [f"no room for: {'; '.join(words)}"] if (words := [word for word in hidden if word]) else []


def _watch(invocation: Invocation, *, as_json: bool) -> None:
    """Ends with Ctrl-C, or with a line when the runner is gone."""
    if as_json or not sys.stdout.isatty():
        while True:
            status = fetch(invocation.running())
            click.echo(json.dumps(status) if as_json else "\n".join([*plain_lines(status, time.time()), ""]))
            time.sleep(WATCH_SECONDS)
    from rich.live import Live

    with Live(auto_refresh=False, screen=False) as live:
        while True:
            size = live.console.size
            live.update(table(fetch(invocation.running()), time.time(), size.width, size.height), refresh=True)
            time.sleep(WATCH_SECONDS)
