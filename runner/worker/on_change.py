"""`on_change`: tells a program or a web address that a pass changed something. Never waits, never fails the pair.

A program gets the facts as JSON on its standard input and in `RUNNER_PAIR`; a web address gets the same by POST. One
at a time and in order; what comes while one is still running is told once, with the newest facts.
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress

Facts = Mapping[str, object]
PROGRAM_SECONDS = 60.0
WEB_SECONDS = 10.0

# Starts the program with a parent-death signal and plain signal handling. A small interpreter of its own, because
# nothing may run between fork and exec in a process that has threads.
_SHIM = """\
import ctypes, os, signal, sys
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2):
    signal.signal(number, signal.SIG_DFL)
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
if os.getppid() != int(sys.argv[1]):
    os._exit(1)
try:
    os.execvp(sys.argv[2], sys.argv[2:])
except OSError as error:
    sys.exit(f"{sys.argv[2]}: {error.strerror}")
"""


class OnChange:
    """target: argv, a URL, or None for nobody."""

    def __init__(self, target: tuple[str, ...] | str | None, pair: str, log: Callable[[str, str], None]) -> None:
        self._target = target
        self._pair = pair
        self._log = log
        self._lock = threading.Lock()
        self._newest: Facts | None = None
        self._busy = False

    def tell(self, facts: Facts) -> None:
        """From the loop; returns at once."""
        if not self._target:
            return
        with self._lock:
            self._newest = facts
            if self._busy:
                return
            self._busy = True
        threading.Thread(target=self._tell_all, name="on-change", daemon=True).start()

    def _tell_all(self) -> None:
        while True:
            with self._lock:
                facts, self._newest = self._newest, None
                if facts is None:
                    self._busy = False
                    return
            try:
                body = json.dumps(facts).encode("ascii")
                if isinstance(self._target, str):
                    self._post(self._target, body)
                elif self._target:
                    self._start(self._target, body)
            except Exception as error:  # noqa: BLE001 (whatever a stranger's program or server does)
                self._log("WARNING", f"on_change failed: {error}")

    def _post(self, url: str, body: bytes) -> None:
        import urllib.request  # 3 MB that most workers never need

        if not url.lower().startswith(("http://", "https://")):
            raise ValueError("a web address starts with http:// or https://")
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method="POST")  # noqa: S310
        with urllib.request.urlopen(request, timeout=WEB_SECONDS):  # noqa: S310 (the scheme is checked above)
            return

    def _start(self, argv: tuple[str, ...], body: bytes) -> None:
        import subprocess

        started = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _SHIM, str(os.getpid()), *argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "RUNNER_PAIR": self._pair},
            start_new_session=True,
        )
        with started:
            try:
                output, _nothing = started.communicate(body, timeout=PROGRAM_SECONDS)
            except subprocess.TimeoutExpired:
                with suppress(ProcessLookupError):
                    os.killpg(started.pid, signal.SIGKILL)
                raise TimeoutError(f"{argv[0]} did not end within {PROGRAM_SECONDS:.0f} s and was killed") from None
        if started.returncode:
            said = output.decode("utf-8", "backslashreplace").strip()[-500:]
            raise RuntimeError(f"{argv[0]} ended with {started.returncode}: {said}")
