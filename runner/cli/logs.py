"""`runner logs`: the last lines of the running supervisor's log, from its memory."""

import click

from runner.cli.answers import Row, ask, finish
from runner.cli.invocation import Invocation, config_option
from runner.model.names import printable


@click.command("logs")
@config_option()
@click.argument("pair", required=False)
@click.option("-n", "count", metavar="N", type=click.IntRange(0, 1000), default=100, help="How many lines (100).")
@click.option("-f", "--follow", is_flag=True, help="Go on with new lines until Ctrl-C.")
@click.pass_context
def command(ctx: click.Context, pair: str | None, count: int, *, follow: bool) -> int:
    """Show the last lines of the log.

    Of the runner (up to 1000 in memory), or of one pair (up to 200).
    """
    request = {"command": "logs", "pair": pair, "n": count, "follow": follow}
    return finish(ask(Invocation.of(ctx).running(), request, _show, waits=follow))


def _show(row: Row) -> None:
    click.echo(printable(str(row.get("line", ""))))
