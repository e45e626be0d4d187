"""How a command gets its rows: from the running supervisor, or from a supervisor of its own for just this request.

`Ending` is how it ended; `finish` says that to the person and gives the exit code.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import click

from runner.cli.connection import Connection
from runner.cli.invocation import Invocation
from runner.model.errors import UserError
from runner.model.exit_codes import ExitCode
from runner.model.names import printable

Row = dict[str, Any]
OnRow = Callable[[Row], None]
_WORST_LAST = (ExitCode.OK, ExitCode.FAILED, ExitCode.HALTED)


@dataclass(frozen=True, slots=True)
class Ending:
    exit_code: int = ExitCode.OK
    message: str = ""


def ask(connection: Connection, request: Mapping[str, object], on_row: OnRow, *, waits: bool = False) -> Ending:
    """One request; each row goes to on_row as it comes."""
    for message in connection.ask(request, waits=waits):
        row = message.get("row")
        if isinstance(row, dict):
            on_row(row)
        if message.get("end"):
            return Ending(int(message.get("exit_code", 0)), str(message.get("message") or ""))
    raise UserError("the runner's answer has no end", exit_code=ExitCode.SOFTWARE)


def ask_and_finish(connection: Connection, request: Mapping[str, object], *, waits: bool = False) -> int:
    """A request whose rows are not wanted: only how it ended."""
    return finish(ask(connection, request, lambda _row: None, waits=waits))


def ask_workers(
    invocation: Invocation, command: str, pairs: Iterable[str], options: Mapping[str, object], on_row: OnRow
) -> Ending:
    """Rows of one or all workers, each with its `pair`; through the running supervisor or without one."""
    wanted = tuple(pairs)
    connection = invocation.connection()
    if connection is None:
        return one_shot(invocation, command, wanted, options, on_row)
    endings = []
    for name in wanted or pair_names(connection):
        request = {"command": command, "pair": name, **options}
        endings.append(ask(connection, request, _naming(name, on_row), waits=True))
    return together(endings)


def one_shot(
    invocation: Invocation, command: str, pairs: tuple[str, ...], options: Mapping[str, object], on_row: OnRow
) -> Ending:
    """A supervisor that lives for this request. Its log is kept to warnings where it would mix with the rows."""
    from runner.supervisor.main import run
    from runner.supervisor.one_shot import OneShot

    settings, notices = invocation.settings_and_notices()
    say_notices(notices)
    refuse_unknown([pair.name for pair in settings.pairs], pairs)
    if settings.logging.file is None and settings.logging.level == "INFO":
        settings = settings.model_copy(update={"logging": settings.logging.model_copy(update={"level": "WARNING"})})
    request = OneShot(command=command, pairs=pairs, options=dict(options), on_row=on_row)
    return Ending(run(settings, reload_settings=lambda: settings, one_shot=request))


def pair_names(connection: Connection) -> list[str]:
    """The enabled pairs of a running supervisor."""
    names: list[str] = []

    def note(row: Row) -> None:
        rows = row.get("pairs", [row] if "name" in row else [])
        names.extend(str(found["name"]) for found in rows if found.get("wanted") != "down" or found.get("pid"))

    ask(connection, {"command": "status"}, note)
    return names


def refuse_unknown(known: Iterable[str], wanted: Iterable[str]) -> None:
    """Raises UserError for a pair that is not in the config."""
    names = list(known)
    for name in wanted:
        if name not in names:
            raise UserError(
                f"no pair '{printable(name)}'", f"the config has: {', '.join(names)}", exit_code=ExitCode.USAGE
            )


def together(endings: Iterable[Ending]) -> Ending:
    """The worst code and every message."""
    found = list(endings)
    code = max((ending.exit_code for ending in found), key=_badness, default=int(ExitCode.OK))
    return Ending(code, "\n".join(ending.message for ending in found if ending.message))


def finish(ending: Ending) -> int:
    """Says the ending's words: to standard error when something is wrong."""
    for line in ending.message.splitlines():
        if ending.exit_code in (ExitCode.OK,):
            click.echo(printable(line))
        else:
            click.echo(f"runner: {printable(line)}", err=True)
    return ending.exit_code


def say_notices(notices: Iterable[str]) -> None:
    for notice in notices:
        click.echo(f"runner: {notice}", err=True)


def _naming(pair: str, on_row: OnRow) -> OnRow:
    return lambda row: on_row({"pair": pair, **row})


def _badness(code: int) -> int:
    return _WORST_LAST.index(ExitCode(code)) if code in _WORST_LAST else len(_WORST_LAST)
