"""What the supervisor asks of the app that `exec` runs beside the pairs; without `exec` there is none."""

import signal
from typing import Protocol


class Guest(Protocol):
    """Nothing of it waits or raises."""

    @property
    def is_here(self) -> bool:
        """Its process, or something it left behind, still runs."""

    def takes(self, number: signal.Signals) -> bool:
        """A signal came to the supervisor; True: it was the guest's, nothing else is to be done about it."""

    def child_changed(self) -> None:
        """SIGCHLD, before anybody is reaped."""

    def holds_up(self, reason: str, *, flush: bool) -> bool:
        """A stop is to begin. True: the guest is asked to end first, and begins the stop when it has."""
