"""The command `runner`: finds the command a person typed, imports only that, and turns every end into an exit code.

A mistake of the user is one line on standard error; a mistake of ours is a traceback and 70.
"""

import contextlib
import difflib
import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

import click

from runner import __version__
from runner.cli.invocation import Invocation, SeedFlags, config_option
from runner.model.errors import UserError
from runner.model.exit_codes import ExitCode

COMMANDS = (
    *("run", "once", "plan", "check", "exec", "status", "problems", "conflicts", "verify", "trash", "logs", "sync"),
    *("pause", "resume", "restart", "approve", "reload", "stop", "healthcheck", "schema"),
)


class Commands(click.Group):
    """Commands are modules of this package, each with a `command`; a module is imported when its command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"runner.cli.{cmd_name}")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            near = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"the commands are: {', '.join(COMMANDS)}"
            raise click.UsageError(f"no command '{name}'; {hint}", ctx)
        return super().resolve_command(ctx, args)


@click.command(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Without a command: run. Without --config: ./sync.yaml, ./config/sync.yaml, /etc/runner/sync.yaml.",
)
@config_option(environment=True)
@click.option("--s3_bucket", metavar="BUCKET", help="Without a config file: the bucket of a single pair.")
@click.option("--working_directory", metavar="FOLDER", help="Without a config file: the folder of that pair.")
@click.option("--logging_file", metavar="FILE", help="Without a config file: where the log goes.")
@click.option(
    "--logging_level",
    type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"], case_sensitive=False),
    help="Without a config file: how much is logged.",
)
@click.version_option(__version__, prog_name="runner", message="%(prog)s %(version)s")
@click.pass_context
def runner(
    ctx: click.Context,
    s3_bucket: str | None,
    working_directory: str | None,
    logging_file: str | None,
    logging_level: str | None,
) -> int | None:
    """Keeps folders and S3 buckets in sync, one supervised worker for each pair."""
    flags = SeedFlags(s3_bucket, working_directory, logging_file, logging_level)
    if flags.given and ctx.invoked_subcommand:
        raise click.UsageError(f"{flags.given[0]} goes without a command (it means: run)", ctx)
    ctx.obj = flags
    if ctx.invoked_subcommand is not None:
        return None
    from runner.cli.run import run_supervisor

    return run_supervisor(Invocation.of(ctx))


def exit_code(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line; never raises."""
    try:
        result = runner.main(args=arguments, prog_name="runner", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    except UserError as error:
        _complain(error)
        return int(error.exit_code)
    except (BrokenPipeError, SystemExit):  # `runner ... | head`; click turns EPIPE, and nothing else, into SystemExit
        _let_standard_output_go()
        return ExitCode.OK
    except Exception:  # noqa: BLE001 (the last place where a mistake of ours can be told from the user's)
        with contextlib.suppress(OSError):
            traceback.print_exc()
        return ExitCode.SOFTWARE
    return int(result) if isinstance(result, int) else ExitCode.OK


def _complain(error: UserError) -> None:
    """One line; a config error is its own lines, as editors and scripts read them (FILE:LINE: key: what)."""
    text = str(error) if getattr(error, "problems", None) else f"runner: {error}"
    with contextlib.suppress(OSError):
        click.echo(text.encode("utf-8", "backslashreplace"), err=True)


def _let_standard_output_go() -> None:
    """Python flushes at exit: let it flush into nothing."""
    with contextlib.suppress(OSError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)


def _fill_standard_streams() -> None:
    """Started with closed standard descriptors, Python has no streams for them, and our own files would get their
    numbers and be written into."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            nothing = os.open(os.devnull, os.O_RDWR)
            os.dup2(nothing, number)
            if nothing != number:
                os.close(nothing)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 (for good)


def main() -> NoReturn:
    """The console script."""
    _fill_standard_streams()
    sys.exit(exit_code())
