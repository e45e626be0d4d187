"""`runner run`: the supervisor in the foreground."""

from typing import TYPE_CHECKING

import click

from runner.cli.answers import say_notices
from runner.cli.invocation import Invocation, config_option

if TYPE_CHECKING:
    from runner.config.settings import Settings


@click.command("run")
@config_option()
@click.pass_context
def command(ctx: click.Context) -> int:
    """Run the supervisor in the foreground, until SIGTERM.

    The default command. One worker process for each pair; what crashes is restarted. HUP reloads, USR1 reopens logs,
    USR2 logs the status.
    """
    return run_supervisor(Invocation.of(ctx))


def run_supervisor(invocation: Invocation) -> int:
    """Returns the exit code when the supervisor has ended."""
    settings, notices = invocation.settings_and_notices()
    say_notices(notices)
    say_notices(cannot_run(settings))
    from runner.supervisor.main import run

    return run(settings, reload_settings=invocation.settings, one_shot=None)


def cannot_run(settings: "Settings") -> list[str]:
    """What the config asks for and this version does not do yet, one sentence each."""
    from runner.config.settings import Mode

    sentences = []
    for pair in settings.pairs:
        if pair.events is not None and pair.mode is Mode.PUSH:
            sentences.append(f"pair {pair.name}: events are of no use to a push, which takes nothing from the bucket")
    if settings.web.listen is not None:
        sentences.append("web is not in this version yet; use `runner status` and `runner healthcheck`")
    return sentences
