"""May the wall clock say how old a thing in a trash is? Not for a day after it has jumped.

A machine that starts with a wrong clock (no battery, a virtual machine that was asleep) would else burn the whole trash
in its first pass. That nobody ran for a long time looks the same; then the old waits a day longer. `max` holds always.
"""

from dataclasses import dataclass

from runner.engine.memory_file import MemoryFile

_META = "clock"
_DAY_SECONDS = 86400.0
_TELL_EVERY_SECONDS = 3600.0  # memory is written once an hour, so that a pass at rest writes nothing


@dataclass(frozen=True, slots=True)
class Mark:
    """Seconds since the epoch: when a pass last said that it ran; when the clock was last found to have jumped."""

    seen_at: float
    jumped_at: float | None = None

    def after(self, now: float, longest_gap_seconds: float) -> "Mark":
        """What is known with a look at the clock more."""
        if not 0.0 <= now - self.seen_at <= longest_gap_seconds:
            return Mark(now, now)
        jumped_at = self.jumped_at
        if jumped_at is not None and now - jumped_at >= _DAY_SECONDS:
            jumped_at = None
        is_news = jumped_at != self.jumped_at or now - self.seen_at >= _TELL_EVERY_SECONDS
        return Mark(now, jumped_at) if is_news else self


def tells_ages(memory: MemoryFile, now: float, keep_seconds: float) -> bool:
    """Remembers that this was the time. keep_seconds: of the trash. Raises sqlite3.Error, MemoryCorruptError."""
    before = _read(memory.meta(_META))
    mark = Mark(now) if before is None else before.after(now, max(_DAY_SECONDS, keep_seconds / 2))
    if mark != before:
        memory.set_meta(_META, f"{mark.seen_at} {mark.jumped_at or ''}")
    return mark.jumped_at is None


def _read(text: str | None) -> Mark | None:
    """None when nothing is known, or nothing that makes sense."""
    seen, _, jumped = (text or "").partition(" ")
    try:
        return Mark(float(seen), float(jumped) if jumped else None)
    except ValueError:
        return None
