"""Both clocks read together, and whether they parted. Deciding code gets a Moment, never a clock."""

import time
from dataclasses import dataclass

PARTED_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Moment:
    """now: monotonic seconds, for decisions. wall: seconds since the epoch, for cron, `at` and people."""

    now: float
    wall: float

    def wall_of(self, at: float | None) -> float | None:
        """The wall time of a monotonic one."""
        return None if at is None else self.wall + (at - self.now)


def read() -> Moment:
    return Moment(time.monotonic(), time.time())


class ClockWatch:
    """Tells steps of the wall clock (and sleeps of the machine) from the slow slewing of a time service."""

    def __init__(self, moment: Moment) -> None:
        self._offset = moment.wall - moment.now

    def step(self, moment: Moment) -> float:
        """Seconds by which the wall clock ran ahead (negative: back) since the last look; 0.0 up to 2 s."""
        offset = moment.wall - moment.now
        parted, self._offset = offset - self._offset, offset
        return parted if abs(parted) > PARTED_SECONDS else 0.0
