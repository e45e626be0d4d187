"""`events`: what somebody else puts or deletes is carried over long before the next scheduled pass; a real queue."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.request import urlopen

import boto3
import pytest

from tests.end_to_end.harness import runner_in
from tests.witness import wait_until

KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture(scope="module")
def moto() -> Iterator[Any]:
    """S3 and SQS of moto, as far as the harness wants to know of a server."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    endpoint = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: _answers(endpoint), "moto", 60)
        yield SimpleNamespace(endpoint_url=endpoint, environment=KEYS)
    finally:
        server.kill()
        server.wait()


def _answers(endpoint: str) -> bool:
    try:
        with urlopen(f"{endpoint}/moto-api/", timeout=5) as answer:
            return int(answer.status) == 200
    except OSError:
        return False


def _client(service: str, endpoint: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
    )


def test_put_object_arrives_at_once_although_the_next_listing_is_far(moto: Any, tmp_path: Path) -> None:
    engine = "native"
    with closing(_client("s3", moto.endpoint_url)) as s3, closing(_client("sqs", moto.endpoint_url)) as sqs:
        s3.create_bucket(Bucket=engine)
        queue = sqs.create_queue(QueueName=engine)["QueueUrl"]
        arn = f"arn:aws:sqs:us-east-1:123456789012:{engine}"
        wanted = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
        s3.put_bucket_notification_configuration(Bucket=engine, NotificationConfiguration=wanted)
        (tmp_path / "r").mkdir()
        with runner_in(moto, tmp_path / "r") as runner:
            pair = {"name": "w", "bucket": engine, "folder": str(tmp_path / "w"), "mode": "pull", "engine": engine}
            runner.write_config([{**pair, "every": "1h", "events": queue, "delete": True}])
            runner.start()
            runner.wait_for("w", health="in-sync")
            s3.put_object(Bucket=engine, Key="a b/new.txt", Body=b"hello")
            arrived = tmp_path / "w" / "a b" / "new.txt"
            wait_until(arrived.exists, "the object")
            assert arrived.read_bytes() == b"hello"
            wait_until(lambda: _left(sqs, queue) == 0, "the message to be deleted")
            last = runner.pair("w")["last_pass"]
            assert (last["trigger"], last["scope"]) == ("event", "keys")
            assert os.listdir(arrived.parent) == ["new.txt"]
            s3.delete_object(Bucket=engine, Key="a b/new.txt")
            sqs.send_message(QueueUrl=queue, MessageBody=_removed(engine, "a+b/new.txt"))  # moto tells nobody
            wait_until(lambda: not arrived.exists(), "the deletion", 20)
            runner.wait_for("w", health="in-sync")
            assert runner.pair("w")["last_pass"]["trigger"] == "event"
            assert runner.stop() == 0


def _removed(bucket: str, key: str) -> str:
    """As S3 tells it (S3 User Guide, "Event message structure")."""
    told = {"bucket": {"name": bucket}, "object": {"key": key, "sequencer": "0055AED6DCD90281E5"}}
    record = {"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectRemoved:Delete", "s3": told}
    return json.dumps({"Records": [record]})


def _left(sqs: Any, queue: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return sum(int(attributes[name]) for name in names)
