"""The real AWS CLI beside this interpreter, as a witness that is not ours, and waiting for conditions."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from demo import seaweedfs


def aws(server: seaweedfs.Server, *arguments: str) -> str:
    """Runs `aws` against the server; its standard output. Raises CalledProcessError."""
    program = Path(sys.executable).parent / "aws"
    environment = {**os.environ, **server.environment, "BOTO_EXPERIMENTAL__NO_EMPTY_CONTINUE": "true"}
    command = [str(program), "--endpoint-url", server.endpoint_url, *arguments]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


def objects(server: seaweedfs.Server, bucket: str, prefix: str = "") -> dict[str, int]:
    """Key -> size of everything below the prefix."""
    out = aws(server, "s3api", "list-objects-v2", "--bucket", bucket, "--prefix", prefix, "--output", "json")
    return {row["Key"]: row["Size"] for row in json.loads(out or "{}").get("Contents", [])}


def put(server: seaweedfs.Server, bucket: str, key: str, body: bytes, folder: Path) -> None:
    """Writes one object; folder: where the body may wait."""
    source = folder / "body"
    source.write_bytes(body)
    aws(server, "s3api", "put-object", "--bucket", bucket, "--key", key, "--body", str(source))


def wait_until(holds: Callable[[], object], what: str, timeout_seconds: float = 20.0) -> None:
    """Waits for a condition; AssertionError that names it when it does not come."""
    deadline = time.monotonic() + timeout_seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {timeout_seconds} s: {what}"
        time.sleep(0.05)
