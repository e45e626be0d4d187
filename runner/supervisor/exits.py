"""How a process ended, in words. Pure: wait status in, facts out."""

import os
import signal
from dataclasses import dataclass

from runner.model.exit_codes import ExitCode


@dataclass(frozen=True, slots=True)
class Exit:
    """code: exit code, or None when a signal ended it. signal: its name, or None. at: seconds since the epoch."""

    code: int | None
    signal: str | None
    reason: str
    at: float

    @property
    def is_clean(self) -> bool:
        return self.code == 0

    @property
    def is_permanent(self) -> bool:
        """A PermanentFailureError: restarting soon cannot help."""
        return self.code == ExitCode.CONFIG

    def row(self) -> dict[str, object]:
        return {"code": self.code, "signal": self.signal, "reason": self.reason, "at": self.at}


def read_status(status: int, *, at: float, why_we_ended_it: str = "", its_own_words: str = "") -> Exit:
    """why_we_ended_it: what we did to it, when we did. its_own_words: the error of its last report."""
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        name = _signal_name(-code)
        return Exit(None, name, why_we_ended_it or f"killed by {name}", at)
    if why_we_ended_it:
        return Exit(code, None, why_we_ended_it, at)
    if its_own_words and code != 0:
        return Exit(code, None, its_own_words, at)
    return Exit(code, None, "ended" if code == 0 else f"ended with exit code {code}", at)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
