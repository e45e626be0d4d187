"""`runner conflicts`: open conflict copies. Only two-way pairs can have any, and this version runs none."""

import click

from runner.cli.answers import refuse_unknown
from runner.cli.invocation import Invocation, config_option
from runner.config.settings import Mode


@click.command("conflicts")
@config_option()
@click.argument("pair", required=False)
@click.pass_context
def command(ctx: click.Context, pair: str | None) -> int:
    """List open conflict copies of two-way pairs."""
    pairs = Invocation.of(ctx).settings().pairs
    refuse_unknown([known.name for known in pairs], [pair] if pair else [])
    names = [known.name for known in pairs if known.mode is Mode.TWO_WAY and pair in (None, known.name)]
    if names:
        click.echo(f"none: two-way is not in this version yet ({', '.join(names)})")
    else:
        click.echo("no two-way pairs: none")
    return 0
