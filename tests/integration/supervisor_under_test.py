"""A real supervisor with made-up workers, run as a program: `python -m tests.integration.supervisor_under_test SPEC`.

Behind it either a one-shot request as JSON, or `exec CMD ARGS...`.

SPEC is a JSON file {"pairs": [{"name", "bucket", "folder", ...}], "supervisor": {...}}; a pair's bucket names what its
worker does. No S3, no `aws`: real forks, signals, pipes and sockets.
"""

import json
import os
import select
import signal
import socket
import sys
import time
from pathlib import Path

from runner.config.settings import (
    EngineName,
    Interval,
    LoggingSettings,
    Mode,
    Pair,
    Settings,
    SupervisorSettings,
    Symlinks,
)
from runner.model.errors import UserError
from runner.supervisor import control, memory, pair_worker
from runner.supervisor.entries import Entries
from runner.supervisor.main import run
from runner.supervisor.one_shot import OneShot
from runner.supervisor.program import Program
from runner.wire.channel import Channel, Received

BEAT_SECONDS = float(os.environ.get("BEAT_SECONDS", "0.2"))
SERVICE = "credentials"


def read_spec(path: Path) -> Settings:
    try:
        spec = json.loads(path.read_text())
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None
    return Settings(
        path=path,
        pairs=tuple(_pair(fields) for fields in spec["pairs"]),
        supervisor=SupervisorSettings.model_validate(spec.get("supervisor", {})),
        logging=LoggingSettings.model_validate(spec.get("logging", {"level": "DEBUG"})),
    )


def _pair(fields: dict[str, object]) -> Pair:
    return Pair.model_validate(
        {
            "mode": Mode.PUSH,
            "engine": EngineName.AWS_CLI,
            "every": Interval(min_seconds=60, max_seconds=60),
            "watch": False,
            "symlinks": Symlinks.FOLLOW,
            "required": False,
            **fields,
        }
    )


class FakeWorker:
    """Speaks the worker's side of docs/architecture.md as far as the bucket's name says."""

    def __init__(self, pair: Pair, channel: Channel) -> None:
        self.pair = pair
        self.channel = channel
        self.kind = pair.bucket
        self.activity = "waiting"
        self.served = 0

    def report(self, error: str = "") -> None:
        self.channel.send(
            {
                "type": "report",
                "activity": self.activity,
                "health": "in-sync",
                "hydrated": self.kind != "never-hydrated",
                "files": self.served,
                "error": error,
            }
        )

    def note(self, name: str, text: str) -> None:
        path = self.pair.folder / name
        with path.open("a") as file:
            file.write(f"{text}\n")

    def live(self) -> int:
        """Beats and answers until told to stop."""
        beat_at = 0.0
        while True:
            if time.monotonic() >= beat_at:
                self.channel.send({"type": "heartbeat"})
                beat_at = time.monotonic() + (15.0 if self.kind == "slow-beats" else BEAT_SECONDS)
            select.select([self.channel], [], [], max(0.0, beat_at - time.monotonic()))
            for received in self.channel.receive():
                code = self.take(received)
                if code is not None:
                    return code
            if self.channel.closed:
                return 1

    def take(self, received: Received) -> int | None:
        message = received.message
        if received.type == "stop" and self.kind != "deaf":
            self.note("stopped", json.dumps(message))
            complete = self.kind != "unpushed"
            self.channel.send(
                {"type": "stopped", "complete": complete, "unpushed": ["a.txt"], "unpushed_count": 0 if complete else 1}
            )
            return 0
        if received.type == "sync":
            self.do_pass(message)
        elif received.type in {"pause", "resume"}:
            self.activity = "paused" if received.type == "pause" else "waiting"
            self.report()
        elif received.type == "client":
            self.answer_client(received)
        elif received.type == "service":
            self.use_service(received)
        elif received.type == "slot":
            self.note("slots", str(time.monotonic()))
        elif received.type == "approve":
            self.note("approved", str(message["token"]))
        return None

    def do_pass(self, message: dict[str, object]) -> None:
        if self.kind == "dies-in-pass":
            os.kill(os.getpid(), signal.SIGKILL)
        outcome = {"halts": "halted", "fails": "failed"}.get(self.kind, "done")
        self.channel.send({"type": "report", "activity": "syncing", "progress": {"stage": "scanning"}})
        self.channel.send({"type": "pass-done", "pass_id": message["pass_id"], "report": {"outcome": outcome}})

    def answer_client(self, received: Received) -> None:
        with socket.socket(fileno=os.dup(received.fds[0])) as client:
            for answer in ({"row": {"path": "a", "asked": received.message["request"]}}, {"end": True, "exit_code": 1}):
                client.sendall(json.dumps(answer).encode() + b"\n")
        os.close(received.fds[0])

    def use_service(self, received: Received) -> None:
        service = Channel.from_fd(received.fds[0])
        service.send({"type": "hello"})
        while not service.closed and self.served == 0:
            select.select([service], [], [], 1.0)
            self.served = len(service.receive())
        service.close()
        self.report()


def _spawn_sleeper(folder: Path, *, own_session: bool) -> None:
    """A grandchild nobody was told about; own_session: forked twice, an orphan in a session of its own."""
    pid = os.fork()
    if pid == 0:
        if own_session:
            os.setsid()
            if os.fork() > 0:
                os._exit(0)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with (folder / "grandchildren").open("a") as file:
            file.write(f"{os.getpid()}\n")
        while True:
            time.sleep(1000)
    if own_session:
        os.waitpid(pid, 0)


def _begin(worker: FakeWorker) -> int | None:  # noqa: C901, PLR0912 (a table of behaviours)
    folder = worker.pair.folder
    if worker.kind == "permanent" and (folder / "broken").exists():
        worker.report(error="no aws on this machine")
        return 78
    worker.report()
    match worker.kind:
        case "crash":
            raise RuntimeError("crashes on purpose")
        case "hang":
            time.sleep(1000)
        case "deaf":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        case "grandchildren":
            _spawn_sleeper(folder, own_session=False)
            _spawn_sleeper(folder, own_session=True)
        case "keeps-stdout":
            _spawn_sleeper(folder, own_session=True)
            return 1
        case "closes-stdout":
            os.close(1)
            os.close(2)
        case "garbage":
            os.write(
                2, b"\x00\xff\x1b[31m" * 4000 + b"\n\x1e{not json}\n\x1e" + b'{"level":"INFO","message":"proper"}\n'
            )
        case "large":
            worker.ballast = b"x" * (64 << 20)  # type: ignore[attr-defined]
        case "asks-for-service":
            worker.channel.send({"type": "service?", "name": SERVICE})
        case "wants-slot":
            worker.channel.send({"type": "slot?"})
        case "runs":
            for name in ("group", "run"):  # of a group, and of a session of its own
                pid = os.fork()
                if pid == 0:
                    os.setsid() if name == "run" else os.setpgid(0, 0)
                    time.sleep(1000)
                while os.getpgid(pid) != pid:  # until then it would die with our session
                    time.sleep(0.001)
                worker.note(name, str(pid))
            worker.channel.send({"type": "run", "pid": pid})
    return None


def fake_worker(pair: Pair, _settings: Settings, channel: Channel, one_shot: bool) -> int:
    pair.folder.mkdir(parents=True, exist_ok=True)
    worker = FakeWorker(pair, channel)
    worker.note("pids", str(os.getpid()))
    if one_shot:
        worker.note("one-shot", "yes")
    code = _begin(worker)
    return worker.live() if code is None else code


def fake_service(channel: Channel) -> int:
    clients: list[Channel] = []
    while not channel.closed:
        select.select([channel, *clients], [], [], 1.0)
        for received in channel.receive():
            if received.type == "ping":
                channel.send({"type": "pong"})
            elif received.type == "client":
                clients.append(Channel.from_fd(received.fds[0]))
            elif received.type == "stop":
                return 0
        for client in list(clients):
            for _received in client.receive():
                client.send({"type": "echo"})
            if client.closed:
                client.close()
                clients.remove(client)
    return 0


def main() -> int:
    spec = Path(sys.argv[1]).absolute()
    one_shot = program = None
    if len(sys.argv) > 2 and sys.argv[2] == "exec":
        program = Program.typed(tuple(sys.argv[3:]), os.environ)
    elif len(sys.argv) > 2:
        request = json.loads(sys.argv[2])
        one_shot = OneShot(
            request["command"],
            tuple(request.get("pairs", ())),
            request.get("options", {}),
            lambda row: print(json.dumps(row), flush=True),
        )
    pair_worker._PROBE_FIRST_SECONDS = 0.5  # the waits of hours and days, shortened
    pair_worker._PROBE_STEP_SECONDS = 0.1
    memory.CHECK_SECONDS = 0.2
    control.CHECK_SECONDS = 0.3
    entries = Entries(fake_worker, {SERVICE: fake_service, "launcher": fake_service})
    return run(
        read_spec(spec), reload_settings=lambda: read_spec(spec), one_shot=one_shot, entries=entries, program=program
    )


if __name__ == "__main__":
    sys.exit(main())
