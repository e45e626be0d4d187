"""The same image through a Docker client's API, as orchestrators and testcontainers drive it."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.container import podman as engine
from tests.container.conftest import Ground
from tests.container.container import Container
from tests.container.reporter import app, assert_all_is_there, said
from tests.witness import objects, wait_until


@pytest.fixture
def client(ground: Ground, tmp_path: Path) -> Iterator[Any]:
    """A Docker client at podman's service, which speaks that API."""
    socket = tmp_path / "docker.sock"
    command = engine.command("system", "service", "--time", "0", f"unix://{socket}")
    with (tmp_path / "service.log").open("wb") as log:
        service = subprocess.Popen(command, env=engine.environment(), stdout=log, stderr=log)
    try:
        wait_until(socket.exists, "podman's service")
        client = docker.DockerClient(base_url=f"unix://{socket}", timeout=60)
        yield client
        client.close()
    finally:
        service.terminate()
        service.wait(20)


def test_container_of_the_docker_api_runs_is_asked_and_stops_clean(client: Any, ground: Ground, bucket: str) -> None:
    volume = ground.volume("data", owner=4321)
    container = client.containers.run(
        ground.image, detach=True, network_mode="host", read_only=True, cap_drop=["ALL"], user="4321",
        security_opt=["no-new-privileges"], volumes={str(volume): {"bind": "/data", "mode": "rw"}}, mem_limit="512m",
        environment={
            **ground.server.environment, "s3_bucket": bucket, "endpoint_url": ground.server.endpoint_url, "every": "1h",
        },
    )  # fmt: skip
    try:
        wait_until(lambda: container.exec_run(["runner", "healthcheck", "--ready"]).exit_code == 0, "ready")
        container.exec_run(["sh", "-c", "echo late > /data/late.txt"])
        container.stop(timeout=40)
        assert container.wait()["StatusCode"] == 0
        assert "late.txt" in objects(ground.server, bucket)
        assert b"control socket" in container.logs()
    finally:
        container.remove(force=True)


def test_app_killed_with_term_by_the_docker_api_has_every_line_in_the_bucket(
    client: Any, ground: Ground, bucket: str
) -> None:
    """`docker kill -s TERM`: a stop that nobody follows with a KILL."""
    container = client.containers.run(
        ground.image, ["exec", "--", *app()], detach=True, network_mode="host", read_only=True, cap_drop=["ALL"],
        environment={
            **ground.server.environment, "s3_bucket": bucket, "endpoint_url": ground.server.endpoint_url, "every": "1h",
            "RUNNER_STOP_TIMEOUT": "40s",
        },
    )  # fmt: skip
    try:
        same = Container(container.id)
        wait_until(lambda: len(said(same)) > 50, "the app is at work", timeout_seconds=40)
        container.kill(signal="TERM")
        assert container.wait()["StatusCode"] == 0
        assert_all_is_there(ground.server, bucket, said(same))
    finally:
        container.remove(force=True)
