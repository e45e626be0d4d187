"""Requests a day, from what the passes so far really sent. Pure."""

from dataclasses import dataclass, field

from runner.model.passes import Requests

_DAY_SECONDS = 86_400.0
_ENOUGH_SECONDS = 600.0


@dataclass(slots=True)
class RequestRate:
    """The first pass is left out of the rate: it moves everything once."""

    total: Requests = field(default_factory=Requests)
    _since_first: Requests = field(default_factory=Requests)
    _first_at: float | None = None
    _last_at: float = 0.0

    def add(self, requests: Requests, started_at: float) -> None:
        self.total += requests
        if self._first_at is None:
            self._first_at = started_at
            return
        self._since_first += requests
        self._last_at = started_at

    def per_day(self) -> Requests | None:
        """None until passes of ten minutes are known: a burst of seconds says nothing about a day."""
        if self._first_at is None or self._last_at - self._first_at < _ENOUGH_SECONDS:
            return None
        share = _DAY_SECONDS / (self._last_at - self._first_at)
        seen = self._since_first
        counts = (seen.lists, seen.puts, seen.gets, seen.deletes)
        return Requests(*(round(count * share) for count in counts))
