"""`runner problems`: what is not in sync and why."""

import click

from runner.cli.answers import Row, ask_workers, finish
from runner.cli.invocation import Invocation, config_option
from runner.cli.lines import Lines, moment
from runner.model.exit_codes import ExitCode


@click.command("problems")
@config_option()
@click.argument("pair", required=False)
@click.pass_context
def command(ctx: click.Context, pair: str | None) -> int:
    """List what is not in sync, and why.

    A line each: pair, path, side, code, since when, reason.
    """
    lines = Lines(16, 30, 6, 20, 20)

    def show(row: Row) -> None:
        cells = [row.get("pair", ""), row.get("path", ""), row.get("side", ""), row.get("code", "")]
        lines.add(*cells, moment(row.get("since")), row.get("reason", ""))

    ending = ask_workers(Invocation.of(ctx), "problems", [pair] if pair else [], {}, show)
    if not lines.count and ending.exit_code == ExitCode.OK and not ending.message:
        click.echo("no problems")
    return finish(ending)
