"""`runner resume`: ends a pause."""

import click

from runner.cli.answers import ask_and_finish
from runner.cli.invocation import Invocation, config_option


@click.command("resume")
@config_option()
@click.argument("pairs", metavar="PAIR...", nargs=-1, required=True)
@click.pass_context
def command(ctx: click.Context, pairs: tuple[str, ...]) -> int:
    """End a pause."""
    return ask_and_finish(Invocation.of(ctx).running(), {"command": "resume", "pairs": list(pairs)})
