"""`runner sync`: asks for a pass now."""

import click

from runner.cli.answers import ask, finish
from runner.cli.invocation import Invocation, config_option
from runner.cli.pass_lines import PassLines


@click.command("sync")
@config_option()
@click.argument("pairs", metavar="[PAIR]...", nargs=-1)
@click.option("--wait", is_flag=True, help="Return when the passes are over; exit 1 or 3 like `once`.")
@click.pass_context
def command(ctx: click.Context, pairs: tuple[str, ...], *, wait: bool) -> int:
    """Ask for a pass of each pair now."""
    connection = Invocation.of(ctx).running()
    with PassLines() as lines:
        ending = ask(connection, {"command": "sync", "pairs": list(pairs), "wait": wait}, lines.show, waits=wait)
    return finish(ending)
