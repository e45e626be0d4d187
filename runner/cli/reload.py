"""`runner reload`: the running supervisor reads its config again."""

import click

from runner.cli.answers import ask_and_finish
from runner.cli.invocation import Invocation, config_option


@click.command("reload")
@config_option()
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
@click.pass_context
def command(ctx: click.Context, *, dry_run: bool) -> int:
    """Read the config again.

    Only pairs that changed are touched; a bad file changes nothing (exit 78).
    """
    return ask_and_finish(Invocation.of(ctx).running(), {"command": "reload", "dry_run": dry_run})
