"""`exec` beside made-up workers: gate, signals, what an app leaves behind, the terminal. Real forks, no S3."""

import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.integration.household import PROJECT, Household, Start, household, is_alive, wait_for
from tests.witness import soon

__all__ = ["household"]

APP = """
import os, signal, sys, time
def note(*words):
    with open({told!r}, "a") as file:
        print(*words, file=file, flush=True)
for name in ("INT", "HUP", "QUIT", "USR1", "USR2", "WINCH", "CONT"):
    signal.signal(getattr(signal, "SIG" + name), lambda number, _frame: note(signal.Signals(number).name))
def term(_number, _frame):
    note("SIGTERM")
    {on_term}
signal.signal(signal.SIGTERM, term)
note("pid", os.getpid())
while True:
    time.sleep(0.05)
"""


class Told:
    """A Python app that writes down what happens to it."""

    def __init__(self, place: Path, on_term: str = "sys.exit(0)") -> None:
        self.path = place / "told"
        self.argv = [sys.executable, "-c", APP.format(told=str(self.path), on_term=on_term)]

    def lines(self) -> list[str]:
        return self.path.read_text().splitlines() if self.path.exists() else []

    def told(self, words: str) -> bool:
        return words in self.lines()

    def pid(self) -> int:
        first = wait_for(lambda: self.lines()[:1])[0]
        return int(first.split()[1])


def _exec(house: Household, *argv: str) -> Household:
    return house.start("exec", *argv)


def _shell(house: Household, script: str) -> Household:
    return _exec(house, "sh", "-c", script)


def test_app_has_our_descriptors_limits_and_signals_and_no_more(household: Start, tmp_path: Path) -> None:
    look = (
        "import os, json, resource, signal; print(json.dumps({"
        "'fds': sorted(os.listdir('/proc/self/fd')), 'files': resource.getrlimit(resource.RLIMIT_NOFILE),"
        "'status': [l for l in open('/proc/self/status') if l.startswith(('SigBlk', 'SigIgn', 'SigCgt'))],"
        "'env': dict(os.environ), 'cwd': os.getcwd(), 'umask': os.umask(0), 'nice': os.nice(0),"
        "'session': os.getsid(0) == os.getsid(os.getppid()) or os.getsid(0) != os.getpid(),"
        "}))"
    )
    inner = [sys.executable, "-S", "-c", look]
    # A small soft limit, and a descriptor and an ignored signal that are somebody's wish.
    wrapper = "trap '' HUP; ulimit -Sn 300; exec 9</dev/null; exec \"$@\""
    alone = subprocess.run(["sh", "-c", wrapper, "sh", *inner], capture_output=True, text=True, cwd=PROJECT, check=True)
    house = household({"a": "good"})
    program = [sys.executable, "-m", "tests.integration.supervisor_under_test", str(house.spec), "exec", *inner]
    below = subprocess.run(
        ["sh", "-c", wrapper, "sh", *program], capture_output=True, text=True, cwd=PROJECT, check=True, timeout=30
    )
    assert json.loads(below.stdout) == json.loads(alone.stdout)


def test_standard_input_and_output_are_the_apps(household: Start) -> None:
    house = household({"a": "good"})
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.supervisor_under_test", str(house.spec), "exec", "cat"],
        input=b"through\n", capture_output=True, cwd=PROJECT, check=False, timeout=30,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, b"through\n")


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -TERM $$", 143), ("kill -KILL $$", 137)]
)
def test_exit_code_is_the_apps(household: Start, script: str, code: int) -> None:
    assert _shell(household({"a": "good"}), script).wait() == code


@pytest.mark.parametrize(("script", "code"), [("exit 0", 75), ("exit 3", 3)])
def test_exit_code_is_75_when_only_the_flush_is_incomplete(household: Start, script: str, code: int) -> None:
    assert _shell(household({"a": "unpushed"}), script).wait() == code


def test_program_that_cannot_be_executed_is_126_with_one_line(household: Start, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    house = _exec(household({"a": "good"}), str(script))
    assert house.wait() == 127
    assert "cannot be executed" in house.log()
    assert "Traceback" not in house.log()


def test_app_waits_until_required_pairs_are_hydrated_or_is_never_started(household: Start, tmp_path: Path) -> None:
    house = household({"a": "never-hydrated", "b": "good"}, ready_timeout=1.0)
    house.extra = {"a": {"required": True}}
    house.write()
    assert _shell(house, f"touch {tmp_path}/ran").wait() == 69
    assert not (tmp_path / "ran").exists()
    assert "not hydrated within ready_timeout of 1 s: a (" in house.log()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGQUIT, 131)])
def test_signal_before_the_app_was_started_ends_all_with_its_code(
    household: Start, tmp_path: Path, number: int, code: int
) -> None:
    house = household({"a": "never-hydrated"})
    house.extra = {"a": {"required": True}}
    house.write()
    _shell(house, f"touch {tmp_path}/ran")
    house.wait_until(lambda rows: rows["a"]["state"] == "running")
    assert house.stop(number) == code
    assert not (tmp_path / "ran").exists()


def test_signals_are_passed_to_the_app_and_end_nothing_but_term(household: Start, tmp_path: Path) -> None:
    app = Told(tmp_path)
    house = _exec(household({"a": "good"}), *app.argv)
    app.pid()
    for name in ("INT", "HUP", "QUIT", "USR1", "USR2", "WINCH", "CONT"):
        house.kill(getattr(signal, f"SIG{name}"))
        wait_for(partial(app.told, f"SIG{name}"))
    assert house.stop() == 0
    assert app.lines()[-1] == "SIGTERM" or app.lines()[-2:] == ["SIGTERM", "SIGCONT"]
    assert json.loads((house.folder("a") / "stopped").read_text())["flush"] is True


def test_app_that_ignores_term_is_killed_with_its_children_and_the_flush_has_the_rest(
    household: Start, tmp_path: Path
) -> None:
    app = Told(tmp_path, on_term="pass")
    child = f"import os; os.setsid(); {APP.format(told=str(tmp_path / 'child'), on_term='pass')}"
    script = f'{sys.executable} -c "$CHILD" & exec {sys.executable} -c "$PARENT"'
    os.environ["CHILD"], os.environ["PARENT"] = child, app.argv[2]
    try:
        house = _shell(household({"a": "good"}, stop_timeout=6.0, app_timeout=1.0), script)
        child_told = Told(tmp_path)
        child_told.path = tmp_path / "child"
        pids = [app.pid(), child_told.pid()]
    finally:
        del os.environ["CHILD"], os.environ["PARENT"]
    asked_at = time.monotonic()
    assert house.stop() == 137
    assert 0.9 < time.monotonic() - asked_at < soon(4)
    assert not [pid for pid in pids if is_alive(pid)]
    told = json.loads((house.folder("a") / "stopped").read_text())
    assert told["flush"] is True
    assert 2.0 < told["timeout_seconds"] < 5.0


def test_second_term_stops_now(household: Start, tmp_path: Path) -> None:
    app = Told(tmp_path, on_term="pass")
    house = _exec(household({"a": "good"}, stop_timeout=60.0), *app.argv)
    app.pid()
    house.kill(signal.SIGTERM)
    wait_for(lambda: "SIGTERM" in app.lines())
    asked_at = time.monotonic()
    assert house.stop() == 137
    assert time.monotonic() - asked_at < soon(5)
    assert json.loads((house.folder("a") / "stopped").read_text())["flush"] is False


def test_runner_stop_ends_the_app_first(household: Start, tmp_path: Path) -> None:
    app = Told(tmp_path)
    house = _exec(household({"a": "good"}), *app.argv)
    app.pid()
    house.ask("stop")
    assert house.wait() == 0
    assert "SIGTERM" in app.lines()


def test_what_the_app_leaves_behind_gets_term_then_kill_and_is_reaped(household: Start, tmp_path: Path) -> None:
    polite, stubborn = Told(tmp_path), Told(tmp_path / "s", on_term="pass")
    (tmp_path / "s").mkdir()
    daemon = (
        "import os, sys\n"
        f"for argv in ({polite.argv!r}, {stubborn.argv!r}):\n"
        "    if os.fork() == 0:\n"
        "        os.setsid()\n"
        "        if os.fork() == 0: os.execv(argv[0], argv)\n"
        "        os._exit(0)\n"
        "    os.wait()\n"
        "import time\n"
        f"seen = lambda: os.path.exists({str(polite.path)!r}) and os.path.exists({str(stubborn.path)!r})\n"
        "while not seen(): time.sleep(0.02)\n"
    )
    house = _exec(household({"a": "good"}), sys.executable, "-c", daemon)
    assert house.wait() == 0
    assert "SIGTERM" in polite.lines()  # before or after the SIGCONT that goes with it
    assert not is_alive(polite.pid())
    assert not is_alive(stubborn.pid())
    assert "has left 2 behind" in house.log()
    assert "cannot be killed" not in house.log()


def test_zombies_of_the_app_are_reaped_while_it_lives(household: Start, tmp_path: Path) -> None:
    script = "for i in 1 2 3 4 5; do (sleep 0.1 &) ; done; touch made; read never"
    house = household({"a": "good"})
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.supervisor_under_test", str(house.spec), "exec", "sh", "-c",
         script.replace("made", str(tmp_path / "made"))],
        cwd=PROJECT, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    house.process = process
    wait_for((tmp_path / "made").exists)
    root = psutil.Process(process.pid)
    wait_for(lambda: not [c for c in root.children(recursive=True) if c.status() == psutil.STATUS_ZOMBIE])
    wait_for(lambda: not [c for c in root.children(recursive=True) if c.name() == "sleep"])
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(15) == 1  # of `read` at the end of its input


def test_failed_pair_never_ends_the_app(household: Start, tmp_path: Path) -> None:
    app = Told(tmp_path)
    house = household({"a": "permanent", "b": "crash"}, on_failed="exit")
    _exec(house, *app.argv)
    app.pid()
    (house.folder("a") / "broken").touch()
    os.kill(house.status()["a"]["pid"], signal.SIGKILL)
    house.wait_until(lambda rows: rows["a"]["state"] == "failed")
    assert is_alive(app.pid())
    assert house.ask("healthcheck")[-1]["exit_code"] == 1
    house.ask("healthcheck", ready=True)
    assert house.stop() in {0, 75}


def test_app_gets_term_when_the_supervisor_is_killed(household: Start, tmp_path: Path) -> None:
    app = Told(tmp_path)
    house = _exec(household({"a": "good"}), *app.argv)
    pid = app.pid()
    house.kill(signal.SIGKILL)
    wait_for(lambda: not is_alive(pid))
    assert app.lines()[-1] == "SIGTERM"


# The terminal


class Screen:
    """A program on a terminal of its own."""

    def __init__(self, argv: list[str]) -> None:
        self.text = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            for number in (signal.SIGINT, signal.SIGQUIT):  # of tests in the background both are ignored
                signal.signal(number, signal.SIG_DFL)
            os.chdir(PROJECT)
            os.execvp(argv[0], argv)

    def wait_for(self, words: str, seconds: float = 60.0) -> None:
        until = time.monotonic() + seconds
        while words not in self.text:
            ready = select.select([self.fd], [], [], max(0.0, until - time.monotonic()))[0]
            assert ready, f"waited for {words!r} in:\n{self.text}"
            try:
                data = os.read(self.fd, 4096)
            except OSError:
                data = b""
            assert data, f"ended without {words!r}:\n{self.text}"
            self.text += data.decode()

    def type(self, keys: str) -> None:
        self.text = ""
        os.write(self.fd, keys.encode())

    def exit_code(self) -> int:
        with contextlib.suppress(OSError):
            while os.read(self.fd, 4096):
                pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def close(self) -> None:
        with contextlib.suppress(ChildProcessError, ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


@pytest.fixture
def screens() -> Iterator[list[Screen]]:
    made: list[Screen] = []
    yield made
    for screen in made:
        screen.close()


def _typed(house: Household, *argv: str) -> list[str]:
    return [sys.executable, "-m", "tests.integration.supervisor_under_test", str(house.spec), "exec", *argv]


def test_ctrl_c_is_the_apps_alone(household: Start, screens: list[Screen]) -> None:
    # No `read`: a shell that gets the signal just before it waits for input notices only when input comes.
    script = "trap 'echo caught; exit 7' INT; echo foreground $(ps -o tpgid= -p $$) $$; while :; do sleep 0.05; done"
    screens.append(screen := Screen(_typed(household({"a": "good"}), "sh", "-c", script)))
    screen.wait_for("foreground ")
    screen.wait_for("\n")
    first, second = screen.text[screen.text.index("foreground ") :].split()[1:3]
    assert first == second
    screen.type("\x03")
    screen.wait_for("caught")
    assert screen.exit_code() == 7


def test_ctrl_z_without_a_shell_stops_nothing_for_ever(household: Start, screens: list[Screen]) -> None:
    script = "echo ready; read x; echo went on $x; exit 4"
    screens.append(screen := Screen(_typed(household({"a": "good"}), "sh", "-c", script)))
    screen.wait_for("ready")
    screen.type("\x1a")
    screen.wait_for("^Z")
    screen.type("word\n")
    screen.wait_for("went on word")
    assert screen.exit_code() == 4


def test_ctrl_z_in_a_shell_stops_the_job_and_fg_brings_it_back(household: Start, screens: list[Screen]) -> None:
    line = " ".join(_typed(household({"a": "good"}), "sh", "-c", "'echo rea''dy; read x; echo got $x; exit 5'"))
    screens.append(screen := Screen(["bash", "--norc", "-i"]))
    screen.type("PS1='prompt''> '\n")
    screen.wait_for("prompt> ")
    screen.type(f"{line}\n")
    screen.wait_for("ready")
    screen.type("\x1a")
    screen.wait_for("Stopped")
    screen.wait_for("prompt> ")
    screen.type("fg\n")
    screen.wait_for(line[:20])
    screen.type("word\n")
    screen.wait_for("got word")
    screen.wait_for("prompt> ")
    screen.type("echo code=$?\n")
    screen.wait_for("code=5")
    screen.wait_for("prompt> ")
    screen.type("exit\n")
    assert screen.exit_code() == 0
