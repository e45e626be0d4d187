"""One real S3 server for the whole run, and a fresh bucket for each test that asks."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from demo import seaweedfs


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[seaweedfs.Server]:
    """A SeaweedFS for the whole test run."""
    with seaweedfs.running(tmp_path_factory.mktemp("seaweed")) as server:
        yield server


@pytest.fixture
def bucket(seaweed: seaweedfs.Server) -> str:
    """The name of a fresh, empty bucket."""
    name = f"b-{uuid4().hex[:12]}"
    aws(seaweed, "s3api", "create-bucket", "--bucket", name)
    return name


def aws(server: seaweedfs.Server, *arguments: str) -> str:
    """The real AWS CLI beside this interpreter, as an independent witness; its standard output."""
    program = Path(sys.executable).parent / "aws"
    environment = {**os.environ, **server.environment, "BOTO_EXPERIMENTAL__NO_EMPTY_CONTINUE": "true"}
    command = [str(program), "--endpoint-url", server.endpoint_url, *arguments]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
