"""`runner status`: a table of the pairs, JSON for scripts (docs/status.schema.json), or a live view."""

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import click

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

        Console().print(table(status, time.time()))
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


def table(status: Status, now: float) -> "Group":
    """For terminals: columns that say nothing for any pair are left out."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    rows = [cells(row, now) for row in status["pairs"]]
    shown = [column for column in range(len(HEADINGS)) if column < 6 or any(row[column] != "-" for row in rows)]
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for column in shown:
        grid.add_column(HEADINGS[column], no_wrap=column == 0, justify="left" if column < 6 else "right")
    for row in rows:
        grid.add_row(*(Text(row[column], style=colour(row[column])) for column in shown))
    return Group(grid, *(Text(note, style="yellow") for note in notes(status, now)))


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
            live.update(table(fetch(invocation.running()), time.time()), refresh=True)
            time.sleep(WATCH_SECONDS)
