"""Probes: red only where a restart can help, ready only after hydration and then for good; and what PID 1 reaps."""

import contextlib
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from tests.container.conftest import Ground
from tests.container.podman import Container
from tests.witness import objects, put, wait_until


class Gate:
    """A TCP way to the server that can be shut: an outage of S3."""

    def __init__(self, target_url: str) -> None:
        place = urlsplit(target_url)
        self._target = (str(place.hostname), int(place.port or 80))
        self._listener: socket.socket | None = None
        with socket.create_server(("127.0.0.1", 0)) as found:
            self.port = int(found.getsockname()[1])
        self._open: list[socket.socket] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def open(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def shut(self) -> None:
        listener, self._listener = self._listener, None
        for end in ([listener] if listener else []) + self._open:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._open.clear()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(self._target)
                self._open += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


@pytest.fixture
def gate(ground: Ground) -> Iterator[Gate]:
    gate = Gate(ground.server.endpoint_url)
    yield gate
    gate.shut()


def worker_of(container: Container, name: str) -> psutil.Process:
    """The worker as the host sees it."""
    wait_until(lambda: container.pair(name).get("pid"), "a worker")
    inside = container.pair(name)["pid"]
    for process in psutil.Process(container.pid).children(recursive=True):
        status = Path(f"/proc/{process.pid}/status").read_text()
        if next(line for line in status.splitlines() if line.startswith("NSpid")).split()[-1] == str(inside):
            return process
    raise AssertionError(f"no process {inside} in the container")


def pair(bucket: str, **more: object) -> dict[str, object]:
    return {"name": "it", "bucket": bucket, "folder": "/data", "mode": "push", "every": "1h", **more}


def test_stuck_worker_is_red_until_it_is_replaced(ground: Ground, bucket: str) -> None:
    container = ground.start(options=ground.config([pair(bucket)], supervisor={"heartbeat_timeout": "2s"}))
    worker = worker_of(container, "it")
    wait_until(container.is_healthy, "healthy")
    worker.send_signal(signal.SIGSTOP)
    out = container.shell("for n in $(seq 200); do runner healthcheck 2>&1 || exit 0; done")
    assert "stuck" in out
    wait_until(lambda: container.is_healthy() and container.pair("it")["restarts"] == 1, "a new worker, healthy")


def test_outage_is_green_and_ready_comes_with_hydration_and_stays(ground: Ground, bucket: str, gate: Gate) -> None:
    put(ground.server, bucket, "there.txt", b"there")
    volume = ground.volume("data")
    config = ground.config([pair(bucket, mode="pull", every="1s")], defaults={"endpoint_url": gate.url})
    container = ground.start(options=(*config, "-v", f"{volume}:/data"))
    wait_until(lambda: container.pair("it").get("health") == "failing", "the outage is seen")
    assert container.is_healthy()
    assert not container.is_healthy("--ready")
    gate.open()
    wait_until(lambda: container.is_healthy("--ready"), "ready", timeout_seconds=40)
    assert (volume / "there.txt").read_text() == "there"
    gate.shut()
    wait_until(lambda: container.pair("it").get("health") == "failing", "the second outage is seen")
    assert container.is_healthy("--ready")
    assert container.is_healthy()


def test_brake_is_green(ground: Ground, bucket: str) -> None:
    container = ground.start(options=ground.config([pair(bucket, mode="two-way", every="1s")]))
    wait_until(lambda: container.pair("it").get("health") == "in-sync", "running")
    container.shell("for n in $(seq 20); do echo $n > /data/$n; done")
    wait_until(lambda: len(objects(ground.server, bucket)) >= 20, "all are in the bucket")
    wait_until(lambda: container.pair("it").get("health") == "in-sync", "in sync")
    container.shell("rm /data/*")
    wait_until(lambda: container.pair("it").get("health") == "halted", "halted")
    assert container.is_healthy()
    assert container.is_healthy("--ready")


def test_orphans_are_reaped(ground: Ground, bucket: str) -> None:
    container = ground.start(options=ground.config([pair(bucket)]))
    wait_until(container.is_healthy, "healthy")
    container.shell("for n in $(seq 20); do (sleep 0.1 &) ; done")

    def dead() -> list[int]:
        family = psutil.Process(container.pid).children(recursive=True)
        return [one.pid for one in family if one.is_running() and one.status() == psutil.STATUS_ZOMBIE]

    wait_until(lambda: "sleep" not in container.shell("cat /proc/[0-9]*/comm 2>/dev/null", check=False), "all ended")
    wait_until(lambda: not dead(), "nobody is left a zombie")


def test_worker_that_the_kernel_kills_for_memory_comes_back(ground: Ground, bucket: str) -> None:
    container = ground.start(options=(*ground.config([pair(bucket)]), "--memory", "256m", "--memory-swap", "256m"))
    worker = worker_of(container, "it")
    wait_until(container.is_healthy, "healthy")
    Path(f"/proc/{worker.pid}/oom_score_adj").write_text("1000")  # the first that the kernel takes
    hog = container.exec("/opt/runner/bin/python", "-c", "x = bytearray(400 << 20)", check=False)
    assert hog.returncode != 0  # the second one
    wait_until(lambda: container.pair("it").get("restarts", 0) >= 1, "counted")
    container.shell("echo x > /data/after.txt")
    wait_until(lambda: "after.txt" in objects(ground.server, bucket), "the new worker works")
    assert not psutil.pid_exists(worker.pid)
    assert "SIGKILL" in container.logs()
