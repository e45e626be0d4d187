"""The living process of a pair as the supervisor sees it: pid, link, output, pulse, and the runs it has reported."""

import signal
from collections.abc import Callable
from dataclasses import dataclass, field

from runner.supervisor.link import Link
from runner.supervisor.output_pipe import OutputPipe
from runner.supervisor.process_table import kill_group, kill_if_same, send_signal, start_ticks
from runner.supervisor.watchdog import Pulse, Verdict

_CLOSED_LINK_GRACE_SECONDS = 2.0


@dataclass(slots=True)
class Process:
    """Any child of ours. started_at: monotonic seconds; started_wall: seconds since the epoch, for people.

    patience_seconds: how long it may be silent; as it was at its start, because it paces its signs of life by that.
    """

    pid: int
    link: Link
    output: OutputPipe
    pulse: Pulse
    patience_seconds: float
    started_at: float
    started_wall: float
    why_we_ended_it: str = ""

    def kill(self, reason: str) -> None:
        """The whole group, at once."""
        self.why_we_ended_it = self.why_we_ended_it or reason
        self.pulse.killed = True
        kill_group(self.pid)
        send_signal(self.pid, signal.SIGKILL)  # not yet a leader when it has just been forked

    def watch_over(self, now: float, log: Callable[[str], None]) -> None:
        """Ends it when it is stuck: ABRT for the traceback, then KILL."""
        verdict = self.pulse.verdict(now, self.patience_seconds)
        if verdict is Verdict.ABORT:
            silence = now - self.pulse.last_heard_at
            self.why_we_ended_it = f"stuck: no sign of life for {silence:.0f} s"
            self.pulse.aborted_at = now
            log(f"{self.why_we_ended_it}; sending ABRT for a traceback, then KILL")
            send_signal(self.pid, signal.SIGABRT)
        elif verdict is Verdict.KILL:
            self.kill(self.why_we_ended_it)

    def silent_seconds(self, now: float) -> float:
        """For how long it has missed its signs of life (one in a quarter of the patience); 0.0 while it gives them."""
        silence = now - self.pulse.last_heard_at
        return silence if silence > self.patience_seconds / 2 else 0.0

    def link_closed(self, now: float) -> None:
        """It hung up: it is either dying, or it will never be heard of again."""
        latest = now - self.patience_seconds + _CLOSED_LINK_GRACE_SECONDS
        self.pulse.last_heard_at = min(self.pulse.last_heard_at, latest)

    def is_over(self) -> None:
        """After its death: its last messages and lines."""
        self.output.child_is_dead()
        self.link.drain()
        self.link.close()


@dataclass(slots=True)
class PairProcess(Process):
    """runs: pid -> start ticks of the `aws` runs it has reported, which live in the launcher's care."""

    runs: dict[int, int] = field(default_factory=dict)
    said_goodbye: bool = False  # it has sent `stopped`

    def run_started(self, pid: int) -> None:
        ticks = start_ticks(pid)
        if ticks is not None:
            self.runs[pid] = ticks

    def kill_runs(self) -> None:
        """The launcher does it as well; it may be dead too."""
        for pid, ticks in self.runs.items():
            kill_if_same(pid, ticks)
        self.runs.clear()
