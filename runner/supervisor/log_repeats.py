"""Says `last message repeated N times` in place of a storm of equal lines; keeps one memory a pair. Pure."""

from dataclasses import replace

from runner.supervisor.log_records import LogRecord

WINDOW_SECONDS = 10.0


class Repeats:
    """Within WINDOW_SECONDS of a written line, equal lines of the same pair are counted instead of written."""

    def __init__(self) -> None:
        self._last: dict[str | None, LogRecord] = {}
        self._counts: dict[str | None, int] = {}

    def taken(self, record: LogRecord) -> list[LogRecord]:
        """What to write now that this record has come."""
        last = self._last.get(record.pair)
        if last is not None and last.key == record.key and abs(record.at - last.at) < WINDOW_SECONDS:
            self._counts[record.pair] = self._counts.get(record.pair, 0) + 1
            return []
        self._last[record.pair] = record
        return [*self._summary(record.pair, last, record.at), record]

    def due(self, at: float, *, all_of_them: bool = False) -> list[LogRecord]:
        """Summaries whose window is over; the clock may have jumped either way."""
        records = []
        for pair in list(self._counts):
            last = self._last[pair]
            if all_of_them or abs(at - last.at) >= WINDOW_SECONDS:
                records += self._summary(pair, last, at)
                self._last[pair] = replace(last, at=at)
        return records

    def _summary(self, pair: str | None, last: LogRecord | None, at: float) -> list[LogRecord]:
        count = self._counts.pop(pair, 0)
        if last is None or not count:
            return []
        times = "once" if count == 1 else f"{count} times"
        return [replace(last, at=at, message=f"last message repeated {times}")]
