"""`runner restart`: replaces the worker process of pairs."""

import click

from runner.cli.answers import ask_and_finish
from runner.cli.invocation import Invocation, config_option


@click.command("restart")
@config_option()
@click.argument("pairs", metavar="PAIR...", nargs=-1, required=True)
@click.pass_context
def command(ctx: click.Context, pairs: tuple[str, ...]) -> int:
    """Replace the worker process of pairs.

    A running pass is cut, and made again by the new worker.
    """
    return ask_and_finish(Invocation.of(ctx).running(), {"command": "restart", "pairs": list(pairs)})
