"""`runner pause`: pauses pairs: their workers live on, but make no passes."""

import click

from runner.cli.answers import ask_and_finish
from runner.cli.invocation import Invocation, config_option


@click.command("pause")
@config_option()
@click.argument("pairs", metavar="PAIR...", nargs=-1, required=True)
@click.pass_context
def command(ctx: click.Context, pairs: tuple[str, ...]) -> int:
    """Make no passes until resume; outlives a reload."""
    return ask_and_finish(Invocation.of(ctx).running(), {"command": "pause", "pairs": list(pairs)})
