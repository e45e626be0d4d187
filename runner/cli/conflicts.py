"""`runner conflicts`: open conflict copies of two-way pairs."""

import click

from runner.cli.answers import Row, ask_workers, finish
from runner.cli.invocation import Invocation, config_option
from runner.cli.lines import Lines, moment
from runner.model.exit_codes import ExitCode


@click.command("conflicts")
@config_option()
@click.argument("pair", required=False)
@click.pass_context
def command(ctx: click.Context, pair: str | None) -> int:
    """List open conflict copies.

    A line each: pair, path of the copy, since when, and which file it is a version of. It is settled when the copy is
    removed.
    """
    lines = Lines(16, 40, 20)

    def show(row: Row) -> None:
        lines.add(row.get("pair", ""), row.get("path", ""), moment(row.get("since")), row.get("reason", ""))

    ending = ask_workers(Invocation.of(ctx), "conflicts", [pair] if pair else [], {}, show)
    if not lines.count and ending.exit_code == ExitCode.OK and not ending.message:
        click.echo("no conflicts")
    return finish(ending)
