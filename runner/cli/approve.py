"""`runner approve`: lets one halted plan through."""

import click

from runner.cli.answers import ask_and_finish
from runner.cli.invocation import Invocation, config_option


@click.command("approve")
@config_option()
@click.argument("pair")
@click.argument("token")
@click.pass_context
def command(ctx: click.Context, pair: str, token: str) -> int:
    """Let one halted plan through.

    The halt message (`runner status`) shows the line to type.
    Without a running runner: `approve:` in the config or RUNNER_APPROVE do the same.
    """
    return ask_and_finish(Invocation.of(ctx).running(), {"command": "approve", "pair": pair, "token": token})
