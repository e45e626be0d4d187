"""`runner reload`: the running supervisor reads its config again."""

import click

from runner.cli.answers import Row, ask, finish
from runner.cli.invocation import Invocation, config_option
from runner.model.names import printable


@click.command("reload")
@config_option()
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
@click.pass_context
def command(ctx: click.Context, *, dry_run: bool) -> int:
    """Read the config again.

    Only pairs that changed are touched; a bad file changes nothing (exit 78).
    """
    connection = Invocation.of(ctx).running()
    return finish(ask(connection, {"command": "reload", "dry_run": dry_run}, _show))


def _show(row: Row) -> None:
    """A row is one word with the pairs it concerns, such as {"restarted": ["a", "b"]}."""
    for word, pairs in row.items():
        if isinstance(pairs, list):
            if pairs:
                click.echo(f"{word}: {', '.join(printable(str(pair)) for pair in pairs)}")
        elif pairs not in (None, False, ""):
            click.echo(word.replace("_", " ") if pairs is True else f"{word}: {printable(str(pairs))}")
