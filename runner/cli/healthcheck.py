"""`runner healthcheck`: for Docker, ECS and Kubernetes probes. Called every few seconds: imports next to nothing."""

import click

from runner.cli.invocation import Invocation, config_option
from runner.model.errors import UserError

TIMEOUT_SECONDS = 5.0


@click.command("healthcheck")
@config_option()
@click.option("--ready", is_flag=True, help="Red until all required pairs are hydrated.")
@click.pass_context
def command(ctx: click.Context, *, ready: bool) -> int:
    """Exit 0 or 1, for Docker, ECS and Kubernetes.

    Red only where a restart can help: the supervisor is stuck, or a worker is stuck or failed.
    """
    from runner.cli.answers import ask_and_finish

    invocation = Invocation.of(ctx)
    try:
        connection = invocation.connection(timeout_seconds=TIMEOUT_SECONDS)
        if connection is None:
            raise invocation.nobody()
        return ask_and_finish(connection, {"command": "healthcheck", "ready": ready})
    except UserError as error:
        raise UserError(error.message, error.hint) from None  # a probe knows 0 and 1
