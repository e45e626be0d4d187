"""A log record and how it is written: text or JSON, one prefix on each physical line, nothing a reader could trip over.

Pure: no file, no clock. Text:  `2026-11-23T05:40:35.123Z INFO [site] message`; `-` stands for the supervisor itself,
`[site stderr]` for raw output. Further lines of one message (a traceback) carry the same prefix and a bar.
"""

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from runner.model.names import printable

RANKS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}
_LATEST = 1e11  # a clock far outside the calendar must not end logging
MESSAGE_CHARACTERS = 16 * 1024
_RAW_STREAMS = frozenset({"stdout", "stderr"})


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One message. at: seconds since the epoch. pair: None for the supervisor. stream: `stdout`/`stderr` for raw output
    of a worker, anything else for a proper record."""

    at: float
    level: str
    pair: str | None
    message: str
    stream: str = ""

    @property
    def key(self) -> tuple[str, str | None, str, str]:
        """What makes two records the same message."""
        return (self.level, self.pair, self.stream, self.message)


def rank(level: str) -> int:
    """Order of the levels; an unknown word counts as INFO."""
    return RANKS.get(level, RANKS["INFO"])


def timestamp(at: float) -> str:
    """ISO 8601 in UTC with milliseconds."""
    if not abs(at) < _LATEST:
        return f"@{at:.3f}"
    seconds = math.floor(at)
    milliseconds = min(int((at - seconds) * 1_000_000 + 0.5) // 1000, 999)
    return f"{_whole_seconds(seconds)}.{milliseconds:03d}Z"


@lru_cache(maxsize=4)
def _whole_seconds(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def shortened(message: str) -> str:
    """The message, cut at MESSAGE_CHARACTERS with a mark that says how much is missing."""
    surplus = len(message) - MESSAGE_CHARACTERS
    return message if surplus <= 0 else f"{message[:MESSAGE_CHARACTERS]} ... ({surplus} characters cut)"


def text_lines(record: LogRecord) -> list[str]:
    """The record's physical lines, without line ends."""
    source = record.pair or "-"
    if record.stream in _RAW_STREAMS:
        source = f"{source} {record.stream}"
    prefix = f"{timestamp(record.at)} {printable(record.level)} [{printable(source)}]"
    first, *further = _lines(record.message)
    return [f"{prefix} {first}", *(f"{prefix} | {line}" for line in further)]


def json_lines(record: LogRecord) -> list[str]:
    """One JSON object: time, level, pair (null for the supervisor), stream (raw output only), message."""
    fields: dict[str, object] = {"time": timestamp(record.at), "level": record.level, "pair": record.pair}
    if record.stream in _RAW_STREAMS:
        fields["stream"] = record.stream
    fields["message"] = "\n".join(_lines(record.message))
    return [json.dumps(fields, separators=(",", ":"), ensure_ascii=False)]


def _lines(message: str) -> list[str]:
    """Only LF ends a line: a CR or a Unicode separator inside a name must not."""
    return [printable(line) for line in shortened(message).rstrip("\n").split("\n")]
