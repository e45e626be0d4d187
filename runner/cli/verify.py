"""`runner verify`: compares both sides now."""

import click

from runner.cli.answers import Ending, Row, ask_workers, finish
from runner.cli.invocation import Invocation, config_option
from runner.cli.lines import Lines
from runner.model.exit_codes import ExitCode


@click.command("verify")
@config_option()
@click.argument("pair", required=False)
@click.option("--content", is_flag=True, help="Compare contents, not only size and time.")
@click.pass_context
def command(ctx: click.Context, pair: str | None, *, content: bool) -> int:
    """Compare both sides now.

    A line for each difference; exit 1 when there is one.
    """
    lines = Lines(16, 12)

    def show(row: Row) -> None:
        lines.add(row.get("pair", ""), row.get("reason", ""), row.get("path", ""))

    ending = ask_workers(Invocation.of(ctx), "verify", [pair] if pair else [], {"content": content}, show)
    if lines.count and ending.exit_code == ExitCode.OK:
        ending = Ending(ExitCode.FAILED, ending.message)
    if not lines.count and ending.exit_code == ExitCode.OK and not ending.message:
        click.echo("no difference")
    return finish(ending)
