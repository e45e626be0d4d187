"""When a report is sent: at once for what matters, at most about twice a second for progress. Pure."""

from dataclasses import dataclass

PROGRESS_SECONDS = 0.5


@dataclass(slots=True)
class Reporter:
    """Monotonic times."""

    _sent_at: float = float("-inf")
    _changed: bool = True
    _progressed: bool = False

    def changed(self) -> None:
        self._changed = True

    def progressed(self) -> None:
        self._progressed = True

    def due_at(self) -> float | None:
        """None: nothing new."""
        if self._changed:
            return self._sent_at if self._sent_at > float("-inf") else 0.0
        return self._sent_at + PROGRESS_SECONDS if self._progressed else None

    def sent(self, now: float) -> None:
        self._sent_at, self._changed, self._progressed = now, False, False
