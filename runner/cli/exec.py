"""`runner exec`: gate, app and flush in one; not in this version, and it says so."""

import click

from runner.cli.invocation import config_option
from runner.model.errors import UserError
from runner.model.exit_codes import ExitCode


@click.command("exec", context_settings={"ignore_unknown_options": True})
@config_option()
@click.argument("program", metavar="-- CMD ARGS...", nargs=-1, type=click.UNPROCESSED)
def command(program: tuple[str, ...]) -> int:
    """Gate, app and flush in one: not in this version yet."""
    raise UserError(
        "exec is not in this version yet",
        "start `runner run` beside the program, gate it with `runner healthcheck --ready`",
        ExitCode.USAGE,
    )
