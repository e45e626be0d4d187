"""Probes: red only where a restart can help, ready only after hydration and then for good; and what PID 1 reaps."""

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.container.conftest import Ground
from tests.container.container import Container
from tests.gate import Gate
from tests.witness import objects, put, wait_until


@pytest.fixture
def gate(ground: Ground) -> Iterator[Gate]:
    gate = Gate(ground.server.endpoint_url)
    yield gate
    gate.shut()


def worker_of(container: Container, name: str) -> psutil.Process:
    """The worker as the host sees it."""
    wait_until(lambda: container.pair(name).get("pid"), "a worker", timeout_seconds=40)
    inside = container.pair(name)["pid"]
    for process in psutil.Process(container.pid).children(recursive=True):
        status = Path(f"/proc/{process.pid}/status").read_text()
        if next(line for line in status.splitlines() if line.startswith("NSpid")).split()[-1] == str(inside):
            return process
    raise AssertionError(f"no process {inside} in the container")


def pair(bucket: str, **more: object) -> dict[str, object]:
    return {"name": "it", "bucket": bucket, "folder": "/data", "mode": "push", "every": "1h", **more}


def test_stuck_worker_is_red_until_it_is_replaced_and_orphans_are_reaped(ground: Ground, bucket: str) -> None:
    container = ground.start(options=ground.config([pair(bucket)], supervisor={"heartbeat_timeout": "2s"}))
    worker = worker_of(container, "it")
    container.shell("for n in $(seq 20); do (sleep 0.1 &) ; done")
    wait_until(lambda: not dead_or_asleep(container), "all ended, and nobody is left a zombie")
    worker.send_signal(signal.SIGSTOP)
    out = container.shell("for n in $(seq 200); do runner healthcheck 2>&1 || exit 0; done")
    assert "stuck" in out
    wait_until(lambda: container.is_healthy and container.pair("it")["restarts"] == 1, "a new worker, healthy")


def dead_or_asleep(container: Container) -> list[int]:
    with contextlib.suppress(psutil.NoSuchProcess):
        family = psutil.Process(container.pid).children(recursive=True)
        return [one.pid for one in family if one.name() == "sleep" or one.status() == psutil.STATUS_ZOMBIE]
    return [-1]


def test_outage_is_green_and_ready_comes_with_hydration_and_stays(ground: Ground, bucket: str, gate: Gate) -> None:
    put(ground.server, bucket, "there.txt", b"there")
    volume = ground.volume("data")
    config = ground.config([pair(bucket, mode="pull", every="1s")], defaults={"endpoint_url": gate.url})
    container = ground.start(options=(*config, "-v", f"{volume}:/data"))
    wait_until(lambda: container.pair("it").get("health") == "failing", "the outage is seen", timeout_seconds=40)
    assert container.is_healthy
    assert not container.is_ready
    gate.open()
    wait_until(lambda: container.is_ready, "ready", timeout_seconds=60)
    assert (volume / "there.txt").read_text() == "there"
    gate.shut()
    wait_until(lambda: container.pair("it").get("health") == "failing", "the second outage", timeout_seconds=40)
    assert container.runner("healthcheck", "--ready").returncode == 0
    assert container.runner("healthcheck").returncode == 0


def test_brake_is_green(ground: Ground, bucket: str) -> None:
    volume = ground.volume("data")
    for number in range(20):
        put(ground.server, bucket, str(number), b"x")
    config = ground.config([pair(bucket, mode="two-way", every="1s")])
    container = ground.start(options=(*config, "-v", f"{volume}:/data"))
    wait_until(lambda: container.pair("it").get("health") == "in-sync", "in sync", timeout_seconds=40)
    for number in range(20):
        (volume / str(number)).unlink()
    wait_until(lambda: container.pair("it").get("health") == "halted", "halted", timeout_seconds=40)
    assert container.is_healthy
    assert container.is_ready


def test_worker_that_the_kernel_kills_for_memory_comes_back(ground: Ground, bucket: str) -> None:
    container = ground.start(options=(*ground.config([pair(bucket)]), "--memory", "256m", "--memory-swap", "256m"))
    worker = worker_of(container, "it")
    Path(f"/proc/{worker.pid}/oom_score_adj").write_text("1000")  # the first that the kernel takes
    hog = container.exec("/opt/runner/bin/python", "-c", "x = bytearray(400 << 20)", check=False)
    assert hog.returncode != 0  # the second one
    wait_until(lambda: container.pair("it").get("restarts", 0) >= 1, "counted", timeout_seconds=40)
    (container.root / "data" / "after.txt").write_text("x\n")
    wait_until(lambda: "after.txt" in objects(ground.server, bucket), "the new worker works", timeout_seconds=40)
    assert not psutil.pid_exists(worker.pid)
    assert "SIGKILL" in container.logs()
