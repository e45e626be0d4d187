"""`runner trash`: what passes replaced or deleted, on both sides, and the way back."""

import click

from runner.cli import amounts
from runner.cli.answers import Row, ask_workers, finish
from runner.cli.invocation import Invocation, config_option
from runner.cli.lines import Lines, moment
from runner.model.exit_codes import ExitCode


@click.group("trash")
@config_option()
def command() -> None:
    """List or restore what passes replaced or deleted."""


@command.command("list")
@config_option()
@click.argument("pair")
@click.argument("path", required=False)
@click.pass_context
def list_items(ctx: click.Context, pair: str, path: str | None) -> int:
    """List a pair's trash, newest first.

    When, side, size, path. PATH: only this one, or what is below it.
    """
    lines = Lines(20, 6, 8)

    def show(row: Row) -> None:
        name = str(row.get("path", ""))
        if path is None or name == path or name.startswith(f"{path.rstrip('/')}/"):
            lines.add(moment(row.get("trashed_at")), row.get("side", ""), amounts.size(row.get("size_bytes")), name)

    ending = ask_workers(Invocation.of(ctx), "trash-list", [pair], {}, show)
    if not lines.count and ending.exit_code == ExitCode.OK and not ending.message:
        click.echo("nothing in the trash" if path is None else "not in the trash")
    return finish(ending)


@command.command("restore")
@config_option()
@click.argument("pair")
@click.argument("path", required=False)
@click.pass_context
def restore(ctx: click.Context, pair: str, path: str | None) -> int:
    """Put back one path, or everything.

    The newest version of PATH; nothing is ever overwritten.
    """
    restored = Lines()

    def show(row: Row) -> None:
        restored.add(row.get("path", ""))

    ending = ask_workers(Invocation.of(ctx), "trash-restore", [pair], {"path": path}, show)
    if not restored.count and ending.exit_code == ExitCode.OK and not ending.message:
        click.echo("nothing was restored: not in the trash, or something is in its place")
    return finish(ending)
