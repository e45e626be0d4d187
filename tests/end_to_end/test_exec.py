"""`runner exec -- CMD` as a user has it: the installed command, a real server, an app that trusts gate and flush.

Modes are parameters: every mode that brings files is good for the gate, every mode that pushes for the flush.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.end_to_end.harness import RUNNER, Runner
from tests.witness import objects, put, soon, wait_until

GATED_MODES = ("pull",)
FLUSHED_MODES = ("push",)
gated = pytest.mark.parametrize("mode", GATED_MODES)
flushed = pytest.mark.parametrize("mode", FLUSHED_MODES)

WRITER = """
import os, signal, sys
going = [True]
signal.signal(signal.SIGTERM, lambda *_: going.clear())
os.chdir(sys.argv[1])
number = 0
while going:
    with open(f"line-{number}", "w") as file:
        file.write(str(number))
    print(f"line-{number}", flush=True)
    number += 1
    signal.sigtimedwait([], 0.01)
"""


def _config(runner: Runner, bucket: str, mode: str, **supervisor: str) -> Path:
    folder = runner.folder / "data"
    pair = {"name": "data", "bucket": bucket, "folder": str(folder), "mode": mode, "every": "1s"}
    runner.write_config([pair], supervisor=supervisor)
    return folder


def _start(runner: Runner, *argv: str) -> "subprocess.Popen[bytes]":
    with runner.log.open("ab") as errors:
        runner.process = subprocess.Popen(
            [RUNNER, "--config", str(runner.config), "exec", "--", *argv],
            env=runner.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
            start_new_session=True,
        )  # fmt: skip
    return runner.process


def _code(process: "subprocess.Popen[bytes]") -> int:
    process.communicate(timeout=100)
    return process.returncode


@gated
def test_app_sees_a_hydrated_folder_and_health_is_answered(runner: Runner, bucket: str, mode: str) -> None:
    for number in range(20):
        put(runner.server, bucket, f"deep/file-{number}", b"x" * 1000)
    folder = _config(runner, bucket, mode)
    process = _start(runner, "sh", "-c", f"find {folder}/deep -type f | wc -l; kill -STOP $$")
    assert process.stdout is not None
    assert process.stdout.readline().strip() == b"20"
    assert runner.run("healthcheck").returncode == 0
    assert runner.run("healthcheck", "--ready").returncode == 0
    assert runner.stop() == 143  # the app is woken by CONT and ends by TERM
    assert process.stdout.read() == b""
    process.stdout.close()


@gated
def test_without_hydration_in_time_the_app_is_not_started(runner: Runner, bucket: str, mode: str) -> None:
    _config(runner, bucket + "-nowhere", mode, ready_timeout="3s")
    process = _start(runner, "echo", "started")
    output, _nothing = process.communicate(timeout=100)
    assert (process.returncode, output) == (69, b"")
    assert "not hydrated within ready_timeout of 3 s: data (" in runner.log_text()


@gated
def test_program_that_comes_with_the_hydration_is_run(runner: Runner, bucket: str, mode: str) -> None:
    put(runner.server, bucket, "app.sh", b"echo here; exit 9\n")
    folder = _config(runner, bucket, mode)
    process = _start(runner, "sh", f"{folder}/app.sh")
    output, _nothing = process.communicate(timeout=100)
    assert (process.returncode, output) == (9, b"here\n")


@flushed
def test_every_line_that_an_app_reports_until_term_is_in_the_bucket(runner: Runner, bucket: str, mode: str) -> None:
    folder = _config(runner, bucket, mode)
    folder.mkdir()
    process = _start(runner, sys.executable, "-c", WRITER, str(folder))
    wait_until(lambda: len(list(folder.glob("line-*"))) > 50, "an app that writes")
    process.send_signal(signal.SIGTERM)
    output, _nothing = process.communicate(timeout=100)
    assert process.returncode == 0
    reported = output.decode().split()
    assert len(reported) > 50
    assert set(reported) <= set(objects(runner.server, bucket))


@flushed
@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -TERM $$", 143), ("kill -SEGV $$", 139)]
)
def test_exit_code_is_the_apps_after_a_flush(runner: Runner, bucket: str, mode: str, script: str, code: int) -> None:
    folder = _config(runner, bucket, mode)
    process = _start(runner, "sh", "-c", f"mkdir -p {folder}; echo last > {folder}/last; {script}")
    assert _code(process) == code
    assert "last" in objects(runner.server, bucket)


@flushed
def test_what_cannot_be_flushed_is_75_and_named(runner: Runner, bucket: str, mode: str) -> None:
    folder = _config(runner, bucket, mode, stop_timeout="4s")
    runner.environment["AWS_SECRET_ACCESS_KEY"] = "wrong"
    process = _start(runner, "sh", "-c", f"mkdir -p {folder}; echo last > {folder}/last")
    assert _code(process) == 75
    assert "unpushed" in runner.log_text()


@flushed
def test_what_the_app_leaves_behind_ends_before_the_flush_and_is_in_it(runner: Runner, bucket: str, mode: str) -> None:
    folder = _config(runner, bucket, mode)
    folder.mkdir()
    daemon = (
        f"trap 'echo end > {folder}/from-daemon; exit' TERM; echo $$ > {runner.folder}/pid; while :; do sleep 0.1; done"
    )
    runner.environment["DAEMON"] = daemon
    script = f'setsid sh -c "$DAEMON" & while ! [ -s {runner.folder}/pid ]; do sleep 0.05; done'
    process = _start(runner, "sh", "-c", script)
    assert _code(process) == 0
    assert not psutil.pid_exists(int((runner.folder / "pid").read_text()))
    assert "from-daemon" in objects(runner.server, bucket)


@flushed
def test_app_that_ignores_term_is_killed_and_its_files_are_flushed(runner: Runner, bucket: str, mode: str) -> None:
    folder = _config(runner, bucket, mode, stop_timeout="12s", app_timeout="1s")
    folder.mkdir()
    script = f"trap '' TERM; echo up > {folder}/up; while :; do sleep 0.1; done"
    process = _start(runner, "sh", "-c", script)
    wait_until(lambda: "up" in objects(runner.server, bucket), "the first push")
    (folder / "late").write_text("x")
    asked_at = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert _code(process) == 137
    assert time.monotonic() - asked_at < 12 + soon(1)
    assert "late" in objects(runner.server, bucket)


@pytest.mark.parametrize("sections", [{}, {"colour": "blue"}])
def test_mistakes_are_told_before_anything_starts(runner: Runner, bucket: str, sections: dict[str, str]) -> None:
    folder = _config(runner, bucket, "pull")
    plain = runner.folder / "plain"
    plain.write_text("x")
    if sections:
        runner.config.write_text(f"{runner.config.read_text()}\ncolour: blue\n")
    for program, code, words in (
        ("nosuch-program", 127, "nosuch-program: there is no such program in PATH"),
        (str(plain), 126, "is not executable for this user"),
    ):
        done = runner.run("exec", "--", program)
        assert done.returncode == (78 if sections else code)
        assert ("colour" if sections else words) in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert not folder.exists()
    assert runner.run("exec").returncode == 2
    assert runner.run("exec", "--").returncode == 2


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="LOUD SKIP: needs root and setpriv")
@gated
def test_folder_of_somebody_else_is_told_with_owner_and_cure(runner: Runner, bucket: str, mode: str) -> None:
    folder = _config(runner, bucket, mode, ready_timeout="3s")
    folder.mkdir(mode=0o700)
    os.chown(folder, 12345, 12345)
    # Root without the rights of root: another user could not even read this Python everywhere.
    unprivileged = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
    done = subprocess.run(
        [*unprivileged, RUNNER, "--config", str(runner.config), "exec", "--", "echo", "started"],
        env=runner.environment, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (69, "")
    assert "owner is 12345:12345, mode 0700, I am 0:0" in done.stderr
    assert "docker --user" in done.stderr
    assert "not hydrated within ready_timeout of 3 s: data (" in done.stderr
