"""Reads what `aws s3 sync` prints, as it comes, into counts.

Statements are recognised by the start of a line only: a name may hold a newline and split its line, so a name is never
taken from here. v1 and v2 print the same statements (awscli/customizations/s3/results.py, class ResultPrinter).
"""

import re
from collections import deque
from dataclasses import dataclass

from runner.model.names import printable

STDOUT = 1
STDERR = 2
_LINE_BYTES = 8192  # what is kept of a line: two names of at most 1024 bytes (escaped threefold) and a sentence
_SAMPLE_LINES = 20
_SAMPLE_CHARACTERS = 600

_STATEMENT = re.compile(
    rb"(?P<verb>upload|download|copy|delete|move)(?P<failed> failed)?: |(?P<warning>warning: )|(?P<fatal>fatal error: )"
    rb"|(?P<cancelled>cancelled: ctrl-c received)|(?P<progress>Completed )|(?P<dryrun>\(dryrun\) )"
)
_NUMBER = rb"~?([\d.]+) (Bytes?|[KMGTPE]iB)"
_BYTE_PROGRESS = re.compile(rb"Completed " + _NUMBER + rb"/" + _NUMBER + rb" \(" + _NUMBER + rb"/s\) with ~?(\d+) file")
_FILE_PROGRESS = re.compile(rb"Completed \d+ file\(s\) with ~?(\d+) file")
_UNITS = {b"B": 1, b"K": 1 << 10, b"M": 1 << 20, b"G": 1 << 30, b"T": 1 << 40, b"P": 1 << 50, b"E": 1 << 60}

# Failures of one file that the next pass meets again: trying sooner cannot help (hazards D9 and D12 of the CLI).
# The numbers are errno(3): ENOTDIR, EISDIR, ENAMETOOLONG, ELOOP, EILSEQ.
_LASTING = re.compile(
    rb"\[Errno (?:20|21|36|40|84)\]|codec can't encode|surrogates not allowed|InvalidObjectState|"
    rb"GLACIER|KeyTooLong|InvalidURI|embedded null byte"
)


@dataclass(frozen=True, slots=True)
class RunCounts:
    """What a run has said so far. Bytes and rate are the CLI's rounded figures, None until it prints progress.

    lasting_failures: those among `failed` that trying again soon cannot cure. error_lines: the last complaints,
    printable, each cut.
    """

    uploaded: int = 0
    downloaded: int = 0
    copied: int = 0
    deleted: int = 0
    failed: int = 0
    lasting_failures: int = 0
    warnings: int = 0
    fatal: int = 0
    bytes_done: int | None = None
    bytes_total: int | None = None
    files_left: int | None = None
    bytes_per_second: float | None = None
    error_lines: tuple[str, ...] = ()

    @property
    def moved(self) -> int:
        return self.uploaded + self.downloaded + self.copied


class _Lines:
    """Cuts one stream at newlines and carriage returns; keeps at most _LINE_BYTES of an unfinished line."""

    def __init__(self) -> None:
        self._rest = b""

    def cut(self, data: bytes) -> list[bytes]:
        parts = re.split(rb"[\r\n]", data)
        parts[0] = self._rest + parts[0]
        self._rest = parts.pop()[:_LINE_BYTES]
        return [part[:_LINE_BYTES] for part in parts]

    def end(self) -> list[bytes]:
        rest, self._rest = self._rest, b""
        return [rest] if rest else []


class OutputParser:
    """Feed it both streams in any pieces; ask for `counts` at any time; `close` once at the end."""

    def __init__(self) -> None:
        self._lines = {STDOUT: _Lines(), STDERR: _Lines()}
        self._done: dict[bytes, int] = {}
        self._failed = 0
        self._lasting = 0
        self._warnings = 0
        self._fatal = 0
        self._progress: tuple[int | None, int | None, int | None, float | None] = (None, None, None, None)
        self._errors: deque[str] = deque(maxlen=_SAMPLE_LINES)
        self._failure_text: bytes | None = None  # of the failure whose text may still go on in the next line

    def feed(self, data: bytes, stream: int = STDOUT) -> None:
        """data: any piece of the stream STDOUT or STDERR."""
        for line in self._lines[stream].cut(data):
            self._line(line, stream)

    def close(self) -> None:
        """The streams have ended: what is unfinished counts."""
        for stream, lines in self._lines.items():
            for line in lines.end():
                self._line(line, stream)
        self._end_failure()

    @property
    def counts(self) -> RunCounts:
        bytes_done, bytes_total, files_left, rate = self._progress
        return RunCounts(
            uploaded=self._done.get(b"upload", 0),
            downloaded=self._done.get(b"download", 0),
            copied=self._done.get(b"copy", 0) + self._done.get(b"move", 0),
            deleted=self._done.get(b"delete", 0),
            failed=self._failed,
            lasting_failures=self._lasting,
            warnings=self._warnings,
            fatal=self._fatal,
            bytes_done=bytes_done,
            bytes_total=bytes_total,
            files_left=files_left,
            bytes_per_second=rate,
            error_lines=tuple(self._errors),
        )

    def _line(self, line: bytes, stream: int) -> None:
        match = _STATEMENT.match(line)
        if stream == STDERR:
            self._complaint(line, match)
        elif match is None:
            return
        elif match["progress"]:
            self._read_progress(line)
        elif match["verb"] and not match["failed"]:
            self._done[match["verb"]] = self._done.get(match["verb"], 0) + 1

    def _complaint(self, line: bytes, match: re.Match[bytes] | None) -> None:
        if match is None:
            if self._failure_text is not None:
                self._failure_text = (self._failure_text + b"\n" + line)[-2 * _LINE_BYTES :]
        else:
            self._end_failure()
            if match["failed"]:
                self._failed += 1
                self._failure_text = line
            elif match["warning"]:
                self._warnings += 1
            elif match["fatal"] or match["cancelled"]:
                self._fatal += 1
        text = printable(line.decode("utf-8", "surrogateescape")).strip()
        if text:
            self._errors.append(text[:_SAMPLE_CHARACTERS])

    def _end_failure(self) -> None:
        if self._failure_text is not None and _LASTING.search(self._failure_text):
            self._lasting += 1
        self._failure_text = None

    def _read_progress(self, line: bytes) -> None:
        if match := _BYTE_PROGRESS.match(line):
            done, total, rate = (_bytes(match[i], match[i + 1]) for i in (1, 3, 5))
            self._progress = (int(done), int(total), int(match[7]), rate)
        elif match := _FILE_PROGRESS.match(line):
            self._progress = (*self._progress[:2], int(match[1]), self._progress[3])


def _bytes(number: bytes, unit: bytes) -> float:
    """`1.5`, `MiB` -> 1572864.0; a number the CLI would never print counts as 0."""
    try:
        return float(number) * _UNITS[unit[:1]]
    except ValueError:
        return 0.0
