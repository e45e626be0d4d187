"""A real worker process with a real channel and a scripted engine; the test plays the supervisor."""

import json
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.config.settings import EngineName, Interval, Mode, Pair, Settings, SupervisorSettings, Symlinks
from runner.engine.interface import Difference, PlannedAction, Surroundings, TrashItem
from runner.files.folder import Folder
from runner.files.private import Private
from runner.model.passes import WHOLE, Again, Halt, Outcome, PassReport, Progress, Trigger, Work
from runner.model.problem import Problem, Side
from runner.supervisor.child import Forked, fork_child
from runner.worker.process import run_worker

Message = dict[str, Any]


def pair(folder: Path, **changes: Any) -> Pair:
    fields: dict[str, Any] = {
        "name": "site",
        "bucket": "bucket",
        "folder": folder,
        "mode": Mode.PUSH,
        "engine": EngineName.AWS_CLI,
        "every": Interval(min_seconds=3600, max_seconds=3600),
        "watch": False,
        "symlinks": Symlinks.FOLLOW,
        "required": False,
    }
    return Pair(**{**fields, **changes})


@dataclass
class ScriptedEngine:
    """Does what the script says, one word a pass, the last one for ever; writes each trigger into the journal."""

    surroundings: Surroundings
    script: tuple[str, ...]
    journal: Path
    passes: int = 0

    def run_pass(self, trigger: Trigger, work: Work = WHOLE) -> PassReport:
        word = self.script[min(self.passes, len(self.script) - 1)]
        self.passes += 1
        with self.journal.open("a") as file:
            file.write(f"{trigger}\n")
        with self.journal.with_suffix(".work").open("a") as file:
            names = sorted(work.paths | work.keys)
            file.write(json.dumps({"at": time.monotonic(), "scope": str(work.scope), "names": names}) + "\n")
        if self.surroundings.only_push():
            self.journal.with_suffix(".only-push").touch()
        action: Callable[[], PassReport] = getattr(self, f"_{word}")
        return action()

    def _done(self) -> PassReport:
        return PassReport(Outcome.DONE, way="scripted")

    def _changed(self) -> PassReport:
        return PassReport(Outcome.DONE, uploaded=2, bytes_up=10)

    def _problems(self) -> PassReport:
        problems = tuple(Problem(f"p{n}", Side.LOCAL, "odd", "why", 5.0, permanent=True) for n in range(300))
        return PassReport(Outcome.DONE_WITH_PROBLEMS, problems=problems)

    def _failed(self) -> PassReport:
        return PassReport(Outcome.FAILED, "no network", retry=True)

    def _permanent_no(self) -> PassReport:
        """Trying again soon cannot help."""
        return PassReport(Outcome.FAILED, "no rights")

    def _conflicted(self) -> PassReport:
        copy = Problem("a.conflict-20260101T000000Z-host.txt", Side.LOCAL, "conflict", "lost against a.txt", 5.0)
        return PassReport(Outcome.DONE, problems=(copy,))

    def _permanent(self) -> PassReport:
        return PassReport(Outcome.FAILED, "no aws here", permanent=True)

    def _again(self) -> PassReport:
        """A file that is still being written."""
        busy = Problem("busy", Side.LOCAL, "busy", "open for writing", 5.0)
        again = (Again("busy", 0.2),)
        return PassReport(Outcome.DONE_WITH_PROBLEMS, problems=(busy,), again=again)

    def _deferred(self) -> PassReport:
        return PassReport(Outcome.DONE, deferred_deletions=1)

    def _halted(self) -> PassReport:
        return PassReport(Outcome.HALTED, "too many", halt=Halt("max-delete", "too many", "token", 12))

    def _pushes(self) -> PassReport:
        """A long pass that ends its downloads when only uploads are wanted."""
        while not self.surroundings.only_push() and not self.surroundings.should_stop():
            time.sleep(0.01)
        return PassReport(Outcome.STOPPED)

    def _raises(self) -> PassReport:
        raise ZeroDivisionError("a bug")

    def _slow(self) -> PassReport:
        """Until told to stop."""
        bytes_done = 0
        while not self.surroundings.should_stop():
            bytes_done += 1
            self.surroundings.report_progress(Progress("transferring", bytes_done=bytes_done))
            time.sleep(0.01)
        return PassReport(Outcome.STOPPED)

    def _moves(self) -> PassReport:
        """Finds something to move, and takes its time."""
        for count in range(60):
            self.surroundings.report_progress(Progress("transferring", count // 20, 3))
            time.sleep(0.01)
        return PassReport(Outcome.DONE, downloaded=3)

    def _moderate(self) -> PassReport:
        """A second, unless told to stop."""
        end = time.monotonic() + 1
        while time.monotonic() < end:
            if self.surroundings.should_stop():
                return PassReport(Outcome.STOPPED)
            time.sleep(0.01)
        return PassReport(Outcome.DONE, uploaded=1)

    def _hangs(self) -> PassReport:
        """Deaf."""
        while True:
            time.sleep(3600)

    def _dies(self) -> PassReport:
        os.kill(os.getpid(), signal.SIGKILL)
        return self._hangs()

    def _slot(self) -> PassReport:
        self.surroundings.slot_acquire()
        if self.surroundings.should_stop():
            return PassReport(Outcome.STOPPED)
        self.surroundings.slot_release()
        return PassReport(Outcome.DONE)

    def _connects(self) -> PassReport:
        channel = self.surroundings.connect("launcher")
        channel.send({"type": "hello"})
        channel.close()
        return PassReport(Outcome.DONE)

    def _token(self) -> PassReport:
        if self.surroundings.approved_token() == "yes":
            return PassReport(Outcome.DONE)
        return PassReport(Outcome.HALTED, "too many deletions")

    def plan(self) -> Iterator[PlannedAction]:
        if "plan-hangs" in self.script:
            self._hangs()
        if "plan-is-long" in self.script:
            self._slow()
        for number in range(3):
            yield PlannedAction("upload", f"f{number}", 5)

    def verify(self, *, content: bool) -> Iterator[Difference]:
        yield Difference("f", "content" if content else "size")

    def trash_list(self) -> Iterator[TrashItem]:
        yield TrashItem("local", "gone", 1, 2.0, "x")

    def trash_restore(self, path: str | None) -> list[str]:
        return [path or "all"]

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class Rig:
    """The supervisor's side of one worker."""

    forked: Forked
    journal: Path
    messages: list[Message] = field(default_factory=list)
    fds: list[int] = field(default_factory=list)
    output: bytes = b""
    forked_gone: bool = False

    def send(self, type_: str, fds: tuple[int, ...] = (), **fields: Any) -> None:
        self.forked.channel.send({"type": type_, **fields}, fds)

    def pump(self, seconds: float = 0.05) -> None:
        channel = self.forked.channel
        watched = [self.forked.output_fd] + ([] if channel.closed else [channel.fileno()])
        ready, _, _ = select.select(watched, [], [], seconds)
        if self.forked.output_fd in ready:
            self.output += os.read(self.forked.output_fd, 65536)
        if not channel.closed:
            self.messages += [received.message for received in channel.receive()]

    def until(self, condition: Callable[[], Any], seconds: float = 60.0) -> Any:
        """Waits for a condition; fails with what was seen."""
        end = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < end, f"waited {seconds} s; messages {self.messages[-5:]}; log {self.output!r}"
            self.pump()
        return value

    def all(self, type_: str) -> list[Message]:
        return [message for message in self.messages if message["type"] == type_]

    def report(self, **expected: Any) -> Message:
        """The next report (newest first) that has these fields."""

        def find() -> Message | None:
            for message in reversed(self.messages):
                if message["type"] == "report" and all(message[key] == value for key, value in expected.items()):
                    return message
            return None

        found: Message = self.until(find)
        return found

    def work(self) -> list[Message]:
        """What each pass was asked to look at: at (monotonic), scope, names."""
        journal = self.journal.with_suffix(".work")
        return [json.loads(line) for line in journal.read_text().splitlines()] if journal.exists() else []

    def scopes(self) -> list[str]:
        return [str(one["scope"]) for one in self.work()]

    def forget(self) -> None:
        self.messages.clear()

    def triggers(self) -> list[str]:
        return self.journal.read_text().split() if self.journal.exists() else []

    def client(self, **request: Any) -> socket.socket:
        """The client's end of a connection that was handed over."""
        ours, theirs = socket.socketpair()
        self.send("client", (theirs.fileno(),), request=request)
        theirs.close()
        return ours

    def exit_status(self, seconds: float = 60.0) -> int:
        """As os.waitstatus_to_exitcode."""
        end = time.monotonic() + seconds
        while True:
            pid, status = os.waitpid(self.forked.pid, os.WNOHANG)
            if pid:
                self.forked_gone = True
                self._drain()
                return os.waitstatus_to_exitcode(status)
            assert time.monotonic() < end, f"still alive; {self.messages[-5:]}; {self.output!r}"
            self.pump()

    def _drain(self) -> None:
        self.pump(0)
        while data := os.read(self.forked.output_fd, 65536):
            self.output += data

    def close(self) -> None:
        if not self.forked_gone:
            os.kill(self.forked.pid, signal.SIGKILL)
            os.waitpid(self.forked.pid, 0)
        self.forked.channel.close()
        os.close(self.forked.output_fd)


def answer_of(client: socket.socket) -> list[Message]:
    """All lines, the last one is the end."""
    client.settimeout(20)
    data = b""
    while piece := client.recv(65536):
        data += piece
    client.close()
    return [json.loads(line) for line in data.splitlines()]


def start(
    of: Pair,
    journal: Path,
    *script: str,
    one_shot: bool = False,
    supervisor: SupervisorSettings | None = None,
) -> Rig:
    settings = Settings(pairs=(of,), supervisor=supervisor or SupervisorSettings())

    def make(surroundings: Surroundings, _folder: Folder, _private: Private, _lock_fd: int) -> ScriptedEngine:
        return ScriptedEngine(surroundings, script or ("done",), journal)

    forked = fork_child(lambda channel: run_worker(of, settings, channel, one_shot=one_shot, make_engine=make))
    return Rig(forked, journal)
