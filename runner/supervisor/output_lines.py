"""What a child writes to its log pipe, cut into lines: JSON records after a 0x1e byte, anything else as it is. Pure.

A line longer than LINE_BYTES is cut there and marked; bytes that are not UTF-8 are shown as escapes.
"""

import json
from dataclasses import dataclass

LINE_BYTES = 16 * 1024
_RECORD_START = 0x1E
_LEVELS = frozenset({"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"})
RAW_STREAM = "stderr"


@dataclass(frozen=True, slots=True)
class OutputLine:
    """stream is `stderr` for raw text and empty for a record of ours."""

    level: str
    message: str
    stream: str


class OutputLines:
    """Feed bytes as they come, get whole lines."""

    def __init__(self) -> None:
        self._rest = b""
        self._skipping = False  # inside a line whose head was already given out

    def feed(self, data: bytes) -> list[OutputLine]:
        *whole, self._rest = (self._rest + data).split(b"\n")
        lines = [line for piece in whole if (line := self._ended(piece))]
        if len(self._rest) > LINE_BYTES:
            if not self._skipping:
                lines.append(_parsed(self._rest[:LINE_BYTES], cut=True))
            self._rest, self._skipping = b"", True
        return lines

    def end(self) -> list[OutputLine]:
        """The last line, if it has no line end."""
        rest, self._rest = self._rest, b""
        line = self._ended(rest)
        return [line] if line else []

    def _ended(self, piece: bytes) -> OutputLine | None:
        if self._skipping:
            self._skipping = False
            return None
        if not piece.strip():
            return None
        return _parsed(piece[:LINE_BYTES], cut=len(piece) > LINE_BYTES)


def _parsed(piece: bytes, *, cut: bool) -> OutputLine:
    if piece[0] == _RECORD_START and not cut:
        record = _record(piece[1:])
        if record:
            return record
    text = piece.lstrip(b"\x1e").decode("utf-8", "backslashreplace").rstrip("\r")
    return OutputLine("WARNING", f"{text} ... (cut)" if cut else text, RAW_STREAM)


def _record(piece: bytes) -> OutputLine | None:
    try:
        fields = json.loads(piece)
    except ValueError:
        return None
    if not isinstance(fields, dict):
        return None
    level = str(fields.get("level"))
    return OutputLine(level if level in _LEVELS else "INFO", str(fields.get("message", "")), "")
