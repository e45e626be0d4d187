"""`cron` and `at` in a time zone: the one place of a worker that decides by the wall clock, because its user does.

At the edges of summer time it does as Debian's cron(8): a time that is skipped comes right after the gap, one that
comes twice is served once. A moment is never served twice, also when the clock is set back by less than three hours.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim

# cron(8) of Debian: a larger change of the clock is a correction, and the new time is used at once.
_CORRECTION_SECONDS = 3 * 3600.0


class CalendarTimes:
    """cron: five fields. at: `HH:MM` each. wall: seconds since the epoch."""

    def __init__(self, cron: str | None, at: tuple[str, ...], timezone: str, wall: float) -> None:
        self._lines = ([cron] if cron else []) + [_cron_line(time) for time in at]
        self._zone = ZoneInfo(timezone)
        self._served_until = wall
        self._next = self._after(wall)

    @property
    def next_at(self) -> float | None:
        """Seconds since the epoch; None when no line has a moment left."""
        return self._next

    def is_due(self, wall: float) -> bool:
        return self._next is not None and wall >= self._next

    def started(self, wall: float) -> None:
        """A pass starts now: every moment up to now is served by it, so a gap costs one catch-up."""
        if self.is_due(wall):
            self._serve(max(wall, self._served_until))

    def clock_stepped(self, wall: float, step_seconds: float) -> None:
        """The wall clock was set; small steps back do not bring back what was served."""
        if step_seconds <= -_CORRECTION_SECONDS:
            self._serve(wall)

    def _serve(self, until: float) -> None:
        self._served_until = until
        self._next = self._after(until)

    def _after(self, wall: float) -> float | None:
        moments = [moment for line in self._lines if (moment := _next_moment(line, self._zone, wall)) is not None]
        return min(moments, default=None)


def _cron_line(time: str) -> str:
    hour, minute = time.split(":")[:2]
    return f"{int(minute)} {int(hour)} * * *"


def _next_moment(line: str, zone: ZoneInfo, wall: float) -> float | None:
    """The first moment strictly after `wall`; cronsim knows Debian's rules for summer time."""
    moments = CronSim(line, datetime.fromtimestamp(wall, zone))
    for moment in moments:
        # Around the second 02:00 of an autumn night cronsim names the first one again: that is served already.
        if moment.timestamp() > wall:
            return moment.timestamp()
    return None
