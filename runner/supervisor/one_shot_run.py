"""Drives a supervisor through one request: starts the chosen pairs, asks each once, collects, stops everything."""

import contextlib
import json
import socket
from collections.abc import Mapping

from runner.config.settings import Pair
from runner.model.exit_codes import ExitCode
from runner.model.states import Wanted
from runner.supervisor.loop import READ
from runner.supervisor.one_shot import OneShot, Row
from runner.supervisor.pass_requests import exit_code_of
from runner.supervisor.shutdown import Phase
from runner.supervisor.supervisor import Supervisor

_READ_BYTES = 64 * 1024
_PATIENCE_SECONDS = 5.0
_LOOK_AGAIN_SECONDS = 0.05
_SEVERITY = (ExitCode.OK, ExitCode.FAILED, ExitCode.HALTED)


class OneShotRun:
    """exit code: halted 3, failed or different 1, else 0; 130 or 143 when a signal cut it short."""

    def __init__(self, supervisor: Supervisor, request: OneShot) -> None:
        self._supervisor = supervisor
        self._request = request
        self._pairs = [pair for pair in supervisor.settings.pairs if self._is_chosen(pair)]
        self._waiting = {pair.name for pair in self._pairs}
        self._code: int = ExitCode.OK

    def run(self) -> int:
        house = self._supervisor
        house.settings = house.settings.model_copy(update={"pairs": tuple(self._pairs)})
        house.messages.progress_listeners.add(self._progress)
        house.loop.after(0.0, self._ask_all)
        code = house.run()
        return code if house.shutdown.was_signalled else self._code

    def _is_chosen(self, pair: Pair) -> bool:
        return pair.name in self._request.pairs if self._request.pairs else pair.enabled

    def _ask_all(self) -> None:
        for pair in self._pairs:
            worker = self._supervisor.workers[pair.name]
            worker.wanted = Wanted.UP
            worker.start()
            if worker.process is None:
                self._over(pair.name, ExitCode.FAILED)
            elif self._request.command == "once":
                wait = bool(self._request.options.get("wait"))
                self._supervisor.requests.ask(worker, self._pass_over, wait_for_lock=wait, outside_slots=False)
            else:
                self._ask_for_rows(pair.name)
        self._stop_when_done()

    def _pass_over(self, row: Row) -> None:
        self._request.on_row(row)
        self._over(str(row["pair"]), exit_code_of([row.get("outcome")]))

    def _progress(self, pair: str, progress: Mapping[str, object]) -> None:
        if self._request.command == "once" and pair in self._waiting:
            self._request.on_row({"pair": pair, "progress": dict(progress)})

    def _ask_for_rows(self, name: str) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        request = {"command": self._request.command, "pair": name, **self._request.options}
        self._supervisor.workers[name].send({"type": "client", "request": request}, [theirs.fileno()])
        theirs.close()
        _Answer(self, name, ours)

    def take_row(self, name: str, message: Mapping[str, object]) -> None:
        """One line of a worker's answer."""
        row = message.get("row")
        if isinstance(row, dict):
            self._request.on_row({"pair": name, **row})
        if message.get("end"):
            code = message.get("exit_code")
            if message.get("message"):
                self._supervisor.log("INFO" if code == ExitCode.OK else "ERROR", name, str(message["message"]))
            self._over(name, code if isinstance(code, int) else ExitCode.FAILED)

    def answer_ended(self, name: str, patience_seconds: float = _PATIENCE_SECONDS) -> None:
        """The worker hung up. Without an `end` before, it is dying: its own words come with its death."""
        if name not in self._waiting:
            return
        worker = self._supervisor.workers[name]
        if worker.process is not None and patience_seconds > 0:
            left = patience_seconds - _LOOK_AGAIN_SECONDS
            self._supervisor.loop.after(_LOOK_AGAIN_SECONDS, lambda: self.answer_ended(name, left))
            return
        how = worker.last_exit
        reason = how.reason if how and not worker.process else "the connection ended"
        self._supervisor.log("ERROR", name, f"no answer: {reason}")
        self._over(name, ExitCode.FAILED)

    def _over(self, name: str, code: int) -> None:
        self._waiting.discard(name)
        self._code = max(self._code, code, key=_severity)
        self._stop_when_done()

    def _stop_when_done(self) -> None:
        house = self._supervisor
        if not self._waiting and house.shutdown.phase is Phase.UP:
            house.loop.after(0.0, lambda: house.shutdown.begin("the request is answered", flush=False))

    @property
    def supervisor(self) -> Supervisor:
        return self._supervisor


class _Answer:
    """Reads JSON lines of one worker's answer as they come."""

    def __init__(self, run: OneShotRun, name: str, sock: socket.socket) -> None:
        self._run = run
        self._name = name
        self._socket = sock
        self._rest = b""
        run.supervisor.loop.watch(sock.fileno(), READ, self._ready)

    def _ready(self, _events: int) -> None:
        data = b""
        with contextlib.suppress(ConnectionError):
            try:
                data = self._socket.recv(_READ_BYTES)
            except BlockingIOError:
                return
        if not data:
            self._run.supervisor.loop.unwatch(self._socket.fileno())
            self._socket.close()
            self._run.answer_ended(self._name)
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._run.take_row(self._name, json.loads(line))


def _severity(code: int) -> int:
    return _SEVERITY.index(ExitCode(code)) if code in _SEVERITY else len(_SEVERITY)
