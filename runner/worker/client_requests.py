"""Answers on connections that the supervisor handed over: JSON lines, rows first, one `end` last.

The pass thread only fills a spool (memory, then a temporary file); a short-lived thread carries it to the client. So a
client that reads slowly, or not at all, or has left, costs nobody anything.
"""

import json
import socket
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress

from runner.model.errors import UserError
from runner.model.exit_codes import ExitCode

Row = Mapping[str, object]
SILENCE_SECONDS = 30.0
_SPOOL_BYTES = 1 << 20
_LOOK_EVERY = 1000


class Client:
    """One connection; takes the descriptor over."""

    def __init__(self, fd: int, log: Callable[[str, str], None]) -> None:
        self._socket = socket.socket(fileno=fd)
        self._log = log
        self._spool = tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES)  # noqa: SIM115 (closed by the sender)

    @property
    def has_left(self) -> bool:
        """The other side is closed: nobody wants the answer."""
        try:
            return self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def fill(self, rows: Callable[[], Iterable[Row]], should_stop: Callable[[], bool], note: str = "") -> None:
        """Makes the whole answer; raises nothing. note: the last words of an answer that could be made."""
        code, message = ExitCode.OK, note
        try:
            for row in self._watched(rows(), should_stop):
                self._line({"row": row})
        except UserError as error:
            code, message = error.exit_code, str(error)
        except Exception as error:  # noqa: BLE001 (a mistake of ours must reach the person and the log)
            self._log("ERROR", traceback.format_exc())
            code, message = ExitCode.SOFTWARE, f"a mistake of the runner: {error!r}; the traceback is in its log"
        self.end(code, message)

    def end(self, code: ExitCode, message: str = "") -> None:
        with suppress(UserError):  # no room even for this: the reader sees the connection end without an `end`
            self._line({"end": True, "exit_code": int(code), "message": message})

    def send(self) -> None:
        """Carries the spool over in a thread of its own, and closes the connection."""
        threading.Thread(target=self._carry, name="client", daemon=True).start()

    def _watched(self, rows: Iterable[Row], should_stop: Callable[[], bool]) -> Iterator[Row]:
        for count, row in enumerate(rows):
            if should_stop():
                raise UserError("cut short: the worker stops")
            if count % _LOOK_EVERY == 0 and self.has_left:
                return
            yield row
        if should_stop():
            raise UserError("cut short: the worker stops")

    def _line(self, message: Row) -> None:
        try:
            self._spool.write(json.dumps(message, separators=(",", ":")).encode("ascii") + b"\n")
        except OSError as error:
            raise UserError(f"the answer cannot be kept for its reader: {error.strerror}", "free the disk") from None

    def _carry(self) -> None:
        try:
            self._socket.settimeout(SILENCE_SECONDS)
            self._spool.seek(0)
            while piece := self._spool.read(64 * 1024):
                self._socket.sendall(piece)
        except OSError:
            return  # it left or sleeps: its own affair
        finally:
            self._spool.close()
            self._socket.close()
