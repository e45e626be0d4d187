"""Witnesses that are not ours: boto3 for the common looks (quick), the real AWS CLI for all else; and waiting."""

import functools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from demo import seaweedfs


def aws(server: seaweedfs.Server, *arguments: str) -> str:
    """Runs `aws` against the server; its standard output. Raises CalledProcessError."""
    program = Path(sys.executable).parent / "aws"
    environment = {**os.environ, **server.environment, "BOTO_EXPERIMENTAL__NO_EMPTY_CONTINUE": "true"}
    command = [str(program), "--endpoint-url", server.endpoint_url, *arguments]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


@functools.cache
def s3(endpoint_url: str) -> Any:
    """A boto3 client of a test server."""
    return boto3.client(
        "s3",
        endpoint_url=endpoint_url,
        aws_access_key_id=seaweedfs.ACCESS_KEY,
        aws_secret_access_key=seaweedfs.SECRET_KEY,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 3, "mode": "standard"}),
    )


def objects(server: seaweedfs.Server, bucket: str, prefix: str = "") -> dict[str, int]:
    """Key -> size of everything below the prefix."""
    pages = s3(server.endpoint_url).get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return {row["Key"]: row["Size"] for page in pages for row in page.get("Contents", [])}


def put(
    server: seaweedfs.Server, bucket: str, key: str, body: bytes, _folder: Path | None = None, **options: str
) -> None:
    """Writes one object; options are those of boto3's put_object."""
    s3(server.endpoint_url).put_object(Bucket=bucket, Key=key, Body=body, **options)


def put_all(server: seaweedfs.Server, bucket: str, bodies: Mapping[str, bytes]) -> None:
    """Writes these objects."""
    for key, body in bodies.items():
        put(server, bucket, key, body)


def get(server: seaweedfs.Server, bucket: str, key: str) -> bytes:
    """The body of one object."""
    body: bytes = s3(server.endpoint_url).get_object(Bucket=bucket, Key=key)["Body"].read()
    return body


def delete(server: seaweedfs.Server, bucket: str, *keys: str) -> None:
    """Deletes these objects."""
    for key in keys:
        s3(server.endpoint_url).delete_object(Bucket=bucket, Key=key)


def make_bucket(server: seaweedfs.Server, bucket: str) -> str:
    """An empty bucket; its name."""
    s3(server.endpoint_url).create_bucket(Bucket=bucket)
    return bucket


def soon(seconds: float) -> float:
    """How long something may take here that takes at most so long on a quiet machine."""
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def wait_until(holds: Callable[[], object], what: str, timeout_seconds: float = 60.0) -> None:
    """Waits for a condition; AssertionError that names it when it does not come."""
    deadline = time.monotonic() + timeout_seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {timeout_seconds} s: {what}"
        time.sleep(0.05)
