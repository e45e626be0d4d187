"""`runner exec`: gate, app and flush in one. What it was given is checked before anything starts."""

import os
from typing import TYPE_CHECKING

import click

from runner.cli.answers import say_notices
from runner.cli.invocation import Invocation, config_option
from runner.cli.run import cannot_run

if TYPE_CHECKING:
    from runner.config.settings import Settings


@click.command("exec", context_settings={"allow_interspersed_args": False})
@config_option()
@click.argument("program", metavar="-- CMD ARGS...", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
def command(ctx: click.Context, program: tuple[str, ...]) -> int:
    """Run CMD on hydrated folders, flush when it ends, and leave with its exit code.

    CMD starts when all required pairs are hydrated (or never: 69 after supervisor.ready_timeout). Signals are passed to
    it; after TERM it has supervisor.app_timeout. Its end, and that of all it started, is followed by the last flush.
    """
    from runner.supervisor.main import run
    from runner.supervisor.program import Program

    invocation = Invocation.of(ctx)
    settings, notices = invocation.settings_and_notices()
    wanted = Program.typed(program, os.environ)
    if not wanted.may_arrive(pair.folder for pair in settings.pairs):
        wanted.locate()
    say_notices(notices)
    say_notices(cannot_run(settings))
    settings = _quiet_on_a_terminal(settings)
    reload_settings = lambda: _quiet_on_a_terminal(invocation.settings())  # noqa: E731
    return run(settings, reload_settings=reload_settings, one_shot=None, program=wanted)


def _quiet_on_a_terminal(settings: "Settings") -> "Settings":
    """The screen is the app's: of a log that would go there, only warnings are left."""
    logging = settings.logging
    if logging.file is not None or logging.level != "INFO" or not _is_terminal(2):
        return settings
    return settings.model_copy(update={"logging": logging.model_copy(update={"level": "WARNING"})})


def _is_terminal(fd: int) -> bool:
    try:
        return os.isatty(fd)
    except OSError:
        return False
