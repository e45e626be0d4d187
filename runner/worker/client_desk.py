"""Who answers a handed-over client: this worker's memory at once, or the engine after the pass that runs.

plan, verify and trash wait for a running pass to end: beside it they would compare a world that is being changed.
"""

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict

from runner.model.exit_codes import ExitCode
from runner.worker.account import Account
from runner.worker.client_requests import Client, Row
from runner.worker.engine_room import ENGINE_COMMANDS, INSPECT, EngineRoom
from runner.worker.engine_thread import EngineThread
from runner.worker.surroundings import Lending

_SIDE_OF_VERB = {"download": "remote", "delete-remote": "remote"}


class ClientDesk:
    """one_shot: nothing runs between requests, so the pair is opened for each. ended: a request is answered."""

    def __init__(
        self,
        thread: EngineThread,
        room: EngineRoom,
        account: Account,
        lending: Lending,
        log: Callable[[str, str], None],
        *,
        one_shot: bool,
    ) -> None:
        self._thread = thread
        self._room = room
        self._account = account
        self._lending = lending
        self._log = log
        self._one_shot = one_shot
        self.waiting = 0

    def take(self, request: Mapping[str, object], fds: Sequence[int], *, busy: bool, ended: Callable[[], None]) -> None:
        """Takes the connection over. busy: a pass runs now."""
        for fd in fds[1:]:
            os.close(fd)
        if not fds:
            return
        client = Client(fds[0], self._log)
        command = str(request.get("command"))
        if command in ENGINE_COMMANDS or (self._one_shot and command in {"problems", "conflicts"}):
            self._ask_engine(client, request, busy=busy, ended=ended)
        elif command in {"problems", "conflicts"}:
            self._from_memory(client, command)
        else:
            client.end(ExitCode.USAGE, f"a worker cannot answer {command[:60]!r}")
            client.send()

    def _from_memory(self, client: Client, command: str) -> None:
        book = self._account.book
        problems = book.all if command == "problems" else book.conflicts
        rows: Callable[[], list[Row]] = lambda: [  # noqa: E731
            {"pair": self._account.pair.name, **asdict(problem)} for problem in problems
        ]
        known = self._account.report is not None or self._one_shot
        more = book.more(conflicts=command == "conflicts")
        note = "; ".join(text for text in (more, self._account.trouble()) if text)

        def answer() -> None:
            if known or problems:
                client.fill(rows, lambda: False, note)
            else:
                client.end(ExitCode.OK, self._unusable() or "no pass has ended yet: nothing is known")
            client.send()

        threading.Thread(target=answer, name="client-memory", daemon=True).start()

    def _ask_engine(
        self, client: Client, request: Mapping[str, object], *, busy: bool, ended: Callable[[], None]
    ) -> None:
        if not self._one_shot and not self._account.held:
            client.end(ExitCode.FAILED, self._unusable() or "the pair is not ready yet: try again")
            client.send()
            return
        if busy:
            self._log("INFO", f"{request.get('command')} waits for the running pass to end")
        self.waiting += 1

        def done(_nothing: None) -> None:
            self.waiting -= 1
            client.send()
            ended()

        self._thread.submit(lambda: self._answer(client, request), done)

    def _answer(self, client: Client, request: Mapping[str, object]) -> None:
        """In the pass thread. Passes wait for it: it stops when the client has left, and a hang is noticed."""
        with self._lending.guarded(lambda: client.has_left):
            self._fill(client, request)

    def _fill(self, client: Client, request: Mapping[str, object]) -> None:
        should_stop = self._lending.should_stop
        if client.has_left:
            return
        if should_stop():
            client.end(ExitCode.FAILED, "the worker stops")
        elif reason := self._cannot_open(request):
            client.end(ExitCode.FAILED, reason)
        elif request.get("command") == "problems":
            client.fill(self._planned_as_problems, should_stop)
        else:
            client.fill(lambda: self._room.rows(request), should_stop)

    def _cannot_open(self, request: Mapping[str, object]) -> str:
        if not self._one_shot or request.get("command") == INSPECT:
            return ""
        changes = request.get("command") == "trash-restore"
        opened = self._room.open() if changes else self._room.open_to_look()
        if opened.held:
            return ""
        return opened.error or f"another runner holds the pair: {opened.holder}"

    def _planned_as_problems(self) -> Iterator[Row]:
        """Without a worker that remembers passes: whatever a pass would have to do is not in sync now."""
        now = self._room.wall_clock()
        for row in self._room.rows({"command": "plan"}):
            verb = str(row["verb"])
            yield {
                "path": row["path"],
                "side": _SIDE_OF_VERB.get(verb, "local"),
                "code": "skipped" if verb == "skip" else "not-synced-yet",
                "reason": row["reason"] or f"waits for the next pass: {verb}",
                "since": now,
                "permanent": False,
            }

    def _unusable(self) -> str:
        if self._account.holder:
            return f"standby: another runner holds the pair: {self._account.holder}"
        return self._account.error
