"""The one writer of logs: takes records, writes standard error and files, keeps the last lines. Never raises.

Without `logging.file` standard error holds everything. With it the file holds everything, and standard error only what
the supervisor itself says from WARNING up, and every line that the file could not take. Times come in as arguments.
"""

import contextlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from runner.config.settings import LoggingSettings
from runner.supervisor import log_compress
from runner.supervisor.log_file import LogFile
from runner.supervisor.log_records import LogRecord, json_lines, rank, text_lines
from runner.supervisor.log_redaction import Redactor
from runner.supervisor.log_repeats import Repeats
from runner.supervisor.log_rotation import RotationRule
from runner.supervisor.log_stderr import StandardError
from runner.supervisor.log_tail import Tail

Listener = Callable[[str], None]
Spawn = Callable[[list[str]], None]
_COMPRESSION_SECONDS = 3600.0  # after that one that failed may be asked for again


class LogSink:
    """settings: what a person chose. spawn: starts a program and returns at once (the supervisor reaps it); without it
    rotated files stay uncompressed. secrets: values that must never be written. stderr_fd: where standard error is.
    """

    def __init__(
        self,
        settings: LoggingSettings,
        *,
        spawn: Spawn | None = None,
        secrets: Iterable[str] = (),
        stderr_fd: int = 2,
    ) -> None:
        self._spawn = spawn
        self._redactor = Redactor(secrets)
        self._stderr = StandardError(stderr_fd)
        self._tail = Tail()
        self._repeats = Repeats()
        self._listeners: list[tuple[str | None, Listener]] = []
        self._compressing: dict[Path, float] = {}
        self._now = 0.0  # wall time of the last call that brought one
        self._in_trouble: set[Path] = set()
        self._pair_files: dict[str, LogFile] = {}
        self._lost_before = 0  # by files that are closed for good
        self._apply(settings)

    @property
    def dropped(self) -> int:
        """Lines that are missing in some log, since the start (`log_dropped` of the status)."""
        return self._lost_before + self._stderr.lost + sum(file.lost for file in self._files())

    def record(self, level: str, pair: str | None, message: str, stream: str, now_wall: float) -> None:
        """Writes one message. level: a word of `logging.level`; pair: None for the supervisor; stream: `stdout` or
        `stderr` for raw output, else empty; now_wall: seconds since the epoch."""
        self._now = now_wall
        if rank(level) < self._least_rank:
            return
        record = LogRecord(now_wall, level, pair, self._redactor.redacted(message), stream)
        for written in self._repeats.taken(record):
            self._write(written)

    def check(self, now_wall: float) -> None:
        """To be called every few seconds: files moved away, folders back, day over, repeats to be summed up."""
        self._now = now_wall
        for record in self._repeats.due(now_wall):
            self._write(record)
        for file in self._files():
            file.check(now_wall)
            self._say_trouble(file)
        self._compressing = {
            path: asked
            for path, asked in self._compressing.items()
            if path.exists() and abs(now_wall - asked) < _COMPRESSION_SECONDS
        }
        self._stderr.flush()

    def reopen(self) -> None:
        """USR1: every file is opened anew by its name."""
        for file in self._files():
            file.open()

    def tail(self, pair: str | None, n: int) -> list[str]:
        """The last n physical lines as they were written, oldest first; pair None: of everything."""
        return self._tail.last(pair, n)

    def subscribe(self, pair: str | None, listener: Listener) -> Callable[[], None]:
        """Calls listener with each further line (`logs -f`); returns what ends that."""
        entry = (pair, listener)
        self._listeners.append(entry)
        return lambda: self._listeners.remove(entry) if entry in self._listeners else None

    def reconfigure(self, settings: LoggingSettings) -> None:
        """After a reload: closes the old files, opens the new ones; memory and counts stay."""
        self._close_files()
        self._apply(settings)

    def forget(self, pair: str) -> None:
        """A pair is gone from the config: its file is closed, its lines in memory are dropped."""
        file = self._pair_files.pop(pair, None)
        if file:
            self._lost_before += file.lost
            file.close()
        self._tail.forget(pair)

    def close(self) -> None:
        """Writes what is held back; gives a slow reader of standard error half a second."""
        for record in self._repeats.due(self._now, all_of_them=True):
            self._write(record)
        self._close_files()
        self._stderr.close()

    def _apply(self, settings: LoggingSettings) -> None:
        self._least_rank = rank(settings.level)
        self._render = json_lines if settings.format == "json" else text_lines
        self._rule = RotationRule(settings.rotate, settings.max_size_bytes, settings.backups, settings.compress)
        self._pair_pattern = os.path.abspath(settings.pair_files) if settings.pair_files else None
        self._file = self._new_file(settings.file.absolute()) if settings.file else None

    def _files(self) -> list[LogFile]:
        main = [self._file] if self._file else []
        return [*main, *self._pair_files.values()]

    def _new_file(self, path: Path) -> LogFile:
        compression = self._compress if self._spawn else None
        return LogFile(path, self._rule, notice=self._notice, request_compression=compression)

    def _close_files(self) -> None:
        self._lost_before += sum(file.lost for file in self._files())
        for file in self._files():
            file.close()
        self._pair_files.clear()
        self._file = None

    def _write(self, record: LogRecord) -> None:
        lines = self._render(record)
        for line in lines:
            self._tail.add(record.pair, line)
            for pair, listener in tuple(self._listeners):
                if pair is None or pair == record.pair:
                    listener(line)
        data = _encoded(lines)
        pair_file = self._file_of(record.pair)
        if pair_file and not pair_file.write(data, record.at):
            self._say_trouble(pair_file)
        in_file = self._file is not None and self._file.write(data, record.at)
        if not in_file or (record.pair is None and rank(record.level) >= rank("WARNING")):
            self._stderr.write(data)
        if self._file and not in_file:
            self._say_trouble(self._file)

    def _say_trouble(self, file: LogFile) -> None:
        """Once when a file begins to lose lines; where it works again the file itself says how many are missing."""
        if not file.trouble:
            self._in_trouble.discard(file.path)
        elif file.path not in self._in_trouble:
            self._in_trouble.add(file.path)
            message = f"cannot write the log file {file.path}: {file.trouble}; trying again every few seconds"
            lines = self._render(LogRecord(self._now, "ERROR", None, message))
            for line in lines:
                self._tail.add(None, line)
            self._stderr.write(_encoded(lines))

    def _file_of(self, pair: str | None) -> LogFile | None:
        if pair is None or self._pair_pattern is None:
            return None
        if pair not in self._pair_files:
            self._pair_files[pair] = self._new_file(Path(self._pair_pattern.replace("{pair}", pair)))
        return self._pair_files[pair]

    def _notice(self, lost: int, reason: str, at: float) -> bytes:
        message = f"{lost} lines could not be written to this log: {reason or 'unknown reason'}"
        return _encoded(self._render(LogRecord(at, "WARNING", None, message)))

    def _compress(self, archive: Path) -> None:
        if self._spawn and archive not in self._compressing:
            self._compressing[archive] = self._now
            with contextlib.suppress(OSError):  # no process to be had: the next rotation asks again
                self._spawn(log_compress.argv(archive))


def _encoded(lines: list[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")
