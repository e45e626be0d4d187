"""Canary secrets: keys of a runner appear nowhere that others can read, whatever goes wrong."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import psutil
import pytest

from demo.seaweedfs import Server
from runner.store.request import Answer
from tests.bench.fake_web import WebS3
from tests.end_to_end.harness import Runner, runner_in
from tests.witness import wait_until

SECRET = "CanarySecretKey0123456789abcdefABCDEF01"
TOKEN = "CanarySessionToken/0123456789abcdefghij+ABCDEFGHIJ=="


class EchoingS3(WebS3):
    """Its refusals tell what they were sent, as some of S3's own do."""

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        found = super().answer(method, target, headers, body)
        if found.status != 403 or not found.body:
            return found
        sent = {name.lower(): value for name, value in headers.items()}
        told = f"{sent.get('x-amz-security-token', '')} {sent.get('authorization', '')}"
        return Answer(403, {}, found.body.replace(b"no<", f"{told}<".encode()))


@pytest.fixture
def s3() -> EchoingS3:
    return EchoingS3()


@pytest.fixture
def canaries(s3: EchoingS3, tmp_path: Path) -> Iterator[Runner]:
    with s3.served() as url, runner_in(Server(url, cast("subprocess.Popen[bytes]", None)), tmp_path) as runner:
        runner.environment |= {
            "AWS_ACCESS_KEY_ID": "CANARYACCESSKEYID",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_SESSION_TOKEN": TOKEN,
        }
        yield runner


def leaks(text: str) -> list[str]:
    """With some of what stands around them."""
    words = (SECRET, TOKEN, TOKEN.replace("/", "%2F").replace("+", "%2B").replace("=", "%3D"), "Signature=")
    return [text[max(0, text.find(word) - 80) :][:200] for word in words if word in text.replace("Signature=***", "")]


def told(runner: Runner) -> str:
    """All that the commands say about the pairs."""
    commands = [
        ("status",), ("status", "--json"), ("problems",), ("plan",), ("check", "--online"), ("logs", "-n", "1000"),
        ("verify",), ("trash", "list", "two"),
    ]  # fmt: skip
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda command: runner.run(*command), commands))
    return "\n".join(run.stdout + run.stderr for run in runs)


def on_disk(folder: Path) -> str:
    """Everything that was written, but the config of the test."""
    return "\n".join(path.read_bytes().decode("latin-1") for path in folder.rglob("*") if path.is_file())


def seen_from_outside(processes: list[psutil.Process]) -> str:
    found = []
    for process in processes:
        for name in ("cmdline", "comm", "status", "cgroup"):
            try:
                found.append(Path(f"/proc/{process.pid}/{name}").read_text(errors="replace"))
            except OSError:
                continue
    return "\n".join(found)


@pytest.mark.parametrize("code", ["AccessDenied", ""])
def test_secrets_appear_nowhere_whatever_goes_wrong(canaries: Runner, s3: EchoingS3, tmp_path: Path, code: str) -> None:
    for name in ("two", "push"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("x")
    if code:
        s3.answers = dict.fromkeys(("ListObjectsV2", "PutObject", "GetObject", "HeadObject"), (403, code))
    canaries.write_config(
        [
            {"name": "two", "bucket": "bkt", "prefix": "t/", "folder": "two", "mode": "two-way", "every": "1s"},
            {"name": "push", "bucket": "bkt", "prefix": "p/", "folder": "push", "mode": "push", "every": "1s"},
        ],
        logging={"level": "DEBUG", "file": str(tmp_path / "runner.log"), "format": "json"},
    )
    canaries.start()
    wait_until(lambda: all(canaries.pair(name).get("last_pass") for name in ("two", "push")), "two passes")
    said = told(canaries)
    processes = canaries.processes()
    assert len(processes) >= 5
    assert not leaks(seen_from_outside(processes))
    for process in processes:
        assert process.rlimit(psutil.RLIMIT_CORE)[0] == 0, process.cmdline()
    worker = canaries.pair("two")["pid"]
    os.kill(worker, signal.SIGABRT)  # a traceback of every thread
    wait_until(lambda: canaries.pair("two").get("pid") not in (worker, None, 0), "another worker")
    said += canaries.run("status", "--json").stdout + canaries.run("logs", "-n", "1000").stdout
    canaries.stop()
    assert "most recent call first" in canaries.log_text() + (tmp_path / "runner.log").read_text()
    assert not leaks(said)
    assert not leaks(canaries.log_text())
    assert not leaks(on_disk(tmp_path))


_STRANGER = """
import os, socket, sys
os.chdir(sys.argv[1]); os.setgroups([]); os.setgid(65534); os.setuid(65534)
line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
line.settimeout(10)
line.connect(sys.argv[2])
try:
    line.sendall(b'{"command": "stop"}\\n')
    print(line.recv(100))
except ConnectionError:
    print(b"")
"""


def test_state_and_socket_are_private_and_other_users_get_no_answer(canaries: Runner, tmp_path: Path) -> None:
    canaries.write_config([{"name": "two", "bucket": "bkt", "folder": "two", "mode": "two-way", "every": "1s"}])
    canaries.start()
    canaries.wait_for("two", health="in-sync")
    private = tmp_path / "two" / ".runner"
    assert private.stat().st_mode & 0o777 == 0o700
    run = tmp_path / "run"
    (socket,) = (path for path in run.iterdir() if path.is_socket())
    assert (run.stat().st_mode & 0o777, socket.stat().st_mode & 0o777) == (0o700, 0o600)
    if os.getuid() == 0:
        run.chmod(0o755)
        socket.chmod(0o666)
        command = [sys.executable, "-c", _STRANGER, str(run), socket.name]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "b''"
        wait_until(lambda: "refused uid 65534" in canaries.log_text(), "a word in the log")
    assert canaries.pair("two")["state"] == "running"
