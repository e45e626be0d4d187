"""`runner stop`: stops the running supervisor and waits until it is gone."""

import click

from runner.cli.answers import ask_and_finish
from runner.cli.invocation import Invocation, config_option
from runner.model.exit_codes import ExitCode


@click.command("stop")
@config_option()
@click.option("--now", is_flag=True, help="Without the last flush.")
@click.pass_context
def command(ctx: click.Context, *, now: bool) -> int:
    """Stop the runner; returns when it is gone.

    It makes a last flush within stop_timeout, unless --now is given.
    """
    connection = Invocation.of(ctx).running()
    ended = connection.end_of_process()
    code = ask_and_finish(connection, {"command": "stop", "now": now})
    if code == ExitCode.OK:
        ended()
    return code
