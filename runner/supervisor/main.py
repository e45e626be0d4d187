"""The door to this room: `run` is the whole life of a supervisor, as a daemon or for one request."""

import os
import time
from collections.abc import Callable, Mapping

from runner.config import values
from runner.config.settings import Settings
from runner.supervisor.entries import Entries, real_entries
from runner.supervisor.exec_run import ExecRun
from runner.supervisor.log_redaction import secrets_of
from runner.supervisor.log_sink import LogSink
from runner.supervisor.one_shot import OneShot
from runner.supervisor.one_shot_run import OneShotRun
from runner.supervisor.program import Program
from runner.supervisor.signals import handlers_back_to_default
from runner.supervisor.supervisor import Supervisor

_STOP_TIMEOUT = "RUNNER_STOP_TIMEOUT"


def run(
    settings: Settings,
    *,
    reload_settings: Callable[[], Settings],
    one_shot: OneShot | None,
    entries: Entries | None = None,
    program: Program | None = None,
) -> int:
    """Returns the exit code when nothing of ours is left running.

    reload_settings: reads the config again; a UserError of it changes nothing. one_shot: only this request, no daemon.
    program: of `exec`, started when all required pairs are hydrated; its end ends everything.
    To be called in the main thread of a process without other threads (it forks).
    """
    _fill_standard_descriptors()
    environment = os.environ
    sink = LogSink(settings.logging, spawn=_spawn, secrets=secrets_of(environment))
    supervisor = Supervisor(
        settings,
        entries=entries or real_entries(),
        sink=sink,
        read_settings=reload_settings,
        environment=environment,
        stop_timeout_seconds=_stop_timeout(environment, sink, settings),
        one_shot=one_shot is not None,
    )
    try:
        if one_shot is not None:
            return OneShotRun(supervisor, one_shot).run()
        if program is not None:
            return ExecRun(supervisor, program).run()
        return supervisor.run()
    finally:
        sink.close()


def _stop_timeout(environment: Mapping[str, str], sink: LogSink, settings: Settings) -> float | None:
    """RUNNER_STOP_TIMEOUT as seconds; a mistake in it is said and the config's value holds."""
    text = environment.get(_STOP_TIMEOUT)
    if not text:
        return None
    try:
        return float(text) if text.replace(".", "", 1).isdigit() else values.seconds(text)
    except ValueError as error:
        kept = settings.supervisor.stop_timeout_seconds
        sink.record("WARNING", None, f"{_STOP_TIMEOUT}: {error}; using {kept:.0f} s", "", time.time())
        return None


def _spawn(argv: list[str]) -> None:
    """A program in the background, with nothing of ours open; its death is a stranger's."""
    nothing = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)]
    os.posix_spawn(argv[0], argv, os.environ, file_actions=nothing, setsigmask=[], setsigdef=handlers_back_to_default())


def _fill_standard_descriptors() -> None:
    """Started with closed standard descriptors, our own files would get their numbers and be written into."""
    while True:
        fd = os.open(os.devnull, os.O_RDWR)
        if fd > 2:
            os.close(fd)
            return
