"""`runner once`: one pass of each pair, then the end."""

import click

from runner.cli.answers import ask, finish, one_shot
from runner.cli.invocation import Invocation, config_option
from runner.cli.pass_lines import PassLines


@click.command("once")
@config_option()
@click.argument("pairs", metavar="[PAIR]...", nargs=-1)
@click.option("--wait", is_flag=True, help="Queue behind another runner that holds a pair; without it that fails.")
@click.pass_context
def command(ctx: click.Context, pairs: tuple[str, ...], *, wait: bool) -> int:
    """Make one pass of each pair, then end.

    Side by side, a line for each; exit 1 when one failed, 3 when one is halted by a brake.
    """
    invocation = Invocation.of(ctx)
    connection = invocation.connection()
    with PassLines() as lines:
        if connection is None:
            ending = one_shot(invocation, "once", pairs, {"wait": wait}, lines.show)
        else:
            request = {"command": "once", "pairs": list(pairs), "wait": wait}
            ending = ask(connection, request, lines.show, waits=True)
    return finish(ending)
