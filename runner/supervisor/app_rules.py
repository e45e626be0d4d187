"""What `exec` decides: how the stop budget is shared, what a signal means, which exit code comes of it all. Pure."""

import os
import signal
from dataclasses import dataclass

from runner.model.exit_codes import ExitCode

_FOR_THE_FLUSH_SECONDS = 10.0
_FLUSH_LEAST_SHARE = 0.25
_STOPS_BY_TERMINAL = frozenset({signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU})
PASSED_ON = frozenset(
    {
        *(signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2),
        *(signal.SIGWINCH, signal.SIGCONT, signal.SIGTSTP),
    }
)


def app_seconds(stop_timeout_seconds: float, app_timeout_seconds: float) -> float:
    """How long the app may take after TERM: app_timeout, or all but ten seconds of the stop if that is longer.

    The whole is stop_timeout: the flush keeps ten seconds of it, or a quarter where it is shorter than forty.
    """
    wanted = max(app_timeout_seconds, stop_timeout_seconds - _FOR_THE_FLUSH_SECONDS)
    kept = min(_FOR_THE_FLUSH_SECONDS, stop_timeout_seconds * _FLUSH_LEAST_SHARE)
    return max(0.0, min(wanted, stop_timeout_seconds - kept))


@dataclass(frozen=True, slots=True)
class AppEnd:
    """How the app's first process ended. code: what a shell would show, 128 + n for signal n."""

    code: int
    words: str

    @classmethod
    def of(cls, wait_status: int) -> "AppEnd":
        code = os.waitstatus_to_exitcode(wait_status)
        if code >= 0:
            return cls(code, f"ended with exit code {code}")
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return cls(128 - code, f"was ended by {name}")


def exec_exit_code(app: AppEnd | None, stop_code: int) -> int:
    """app: None when it was never started, which is never 0. stop_code: what the stop alone would give (0, 1, 69, 75,
    128 + n for the signal that came before the app)."""
    if app is None:
        return stop_code or int(ExitCode.NOT_HYDRATED)
    return app.code or stop_code


def is_stop_by_terminal(number: int) -> bool:
    """Ctrl-Z, or a background job that wanted the terminal; anybody else's STOP is none of our business."""
    return number in _STOPS_BY_TERMINAL
