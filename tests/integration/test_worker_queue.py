"""Events of a bucket by a real queue (moto's S3 -> SQS): heard, deleted after the pass, harmless when wrong."""

import json
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from urllib.request import urlopen

import boto3
import pytest

from runner.store.credentials import Credentials
from runner.store.sqs import QueueClient, QueueError
from runner.worker.queue_watch import QueueWatch
from tests.witness import soon, wait_until

CREDENTIALS = Credentials("key", "secret", region="us-east-1")


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: _answers(f"{url}/moto-api/"), "moto", 60)
        yield url
    finally:
        server.kill()
        server.wait()


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=5) as answer:
            return int(answer.status) == 200
    except OSError:
        return False


@dataclass
class Place:
    """A bucket whose notifications go to a queue, and what a watch of it has told."""

    endpoint: str
    bucket: str = field(default_factory=lambda: f"b-{uuid.uuid4().hex[:8]}")
    heard: list[tuple[frozenset[str], tuple[str, ...]]] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.s3, self.sqs = self._client("s3"), self._client("sqs")
        self.s3.create_bucket(Bucket=self.bucket)
        self.queue = self.sqs.create_queue(QueueName=self.bucket, Attributes={"VisibilityTimeout": "1"})["QueueUrl"]
        arn = f"arn:aws:sqs:us-east-1:123456789012:{self.bucket}"
        wanted = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]}]}
        self.s3.put_bucket_notification_configuration(Bucket=self.bucket, NotificationConfiguration=wanted)

    def _client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="key",
            aws_secret_access_key="secret",
        )

    def watch(self, prefix: str = "", url: str = "") -> QueueWatch:
        return QueueWatch(
            self.bucket,
            prefix,
            lambda: QueueClient(url or self.queue),
            lambda: CREDENTIALS,
            lambda keys, receipts: self.heard.append((keys, receipts)),
            self.troubles.append,
            lambda _level, message: self.logged.append(message),
        )

    @property
    def keys(self) -> set[str]:
        return {key for keys, _receipts in self.heard for key in keys}

    def left(self) -> int:
        """Messages in the queue, waiting or handed out."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=names)["Attributes"]
        return sum(int(attributes[name]) for name in names)


@pytest.fixture
def place(moto: str) -> Iterator[Place]:
    place = Place(moto)
    yield place
    place.s3.close()
    place.sqs.close()


def test_queue_names_changed_keys_and_keeps_messages_until_the_pass_is_through(place: Place) -> None:
    watch = place.watch()
    watch.start()
    place.s3.put_object(Bucket=place.bucket, Key="a b/ü+1.txt", Body=b"x")
    wait_until(lambda: "a b/ü+1.txt" in place.keys, "the key")
    assert place.left() == 1
    place.heard.clear()
    wait_until(lambda: place.heard, "the same message again, for nobody said it was carried over")
    watch.done(place.heard[-1][1])
    wait_until(lambda: place.left() == 0, "the deletion")
    place.s3.delete_object(Bucket=place.bucket, Key="gone")
    watch.stop()


def test_queue_wrong_messages_are_deleted_and_named_once(place: Place) -> None:
    for body in ("poison", "more poison", json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent"})):
        place.sqs.send_message(QueueUrl=place.queue, MessageBody=body)
    place.s3.put_object(Bucket=place.bucket, Key="outside", Body=b"x")
    watch = place.watch(prefix="inside/")
    watch.start()
    wait_until(lambda: place.left() == 0, "the deletions")
    watch.stop()
    assert len(place.logged) == 1
    assert not place.heard
    assert not place.troubles


def test_queue_trouble_is_told_and_healed(place: Place) -> None:
    watch = place.watch(url=place.queue + "-later")
    watch.start()
    wait_until(lambda: place.troubles, "the trouble")
    assert "NonExistentQueue" in place.troubles[0] or "QueueDoesNotExist" in place.troubles[0]
    place.sqs.create_queue(QueueName=f"{place.bucket}-later")
    body = json.dumps({"Records": [{"s3": {"bucket": {"name": place.bucket}, "object": {"key": "k"}}}]})
    place.sqs.send_message(QueueUrl=f"{place.queue}-later", MessageBody=body)
    wait_until(lambda: place.keys == {"k"}, "the key")
    assert place.troubles[-1] == ""
    watch.stop()


def test_queue_stop_ends_a_long_poll_within_a_second(place: Place) -> None:
    before = set(threading.enumerate())
    watch = place.watch()
    watch.start()
    mine = [thread for thread in threading.enumerate() if thread not in before]
    assert len(mine) == 2
    time.sleep(0.5)
    began = time.monotonic()
    watch.stop()
    for thread in mine:
        thread.join(5)
    assert time.monotonic() - began < soon(1)
    assert not any(thread.is_alive() for thread in mine)


def test_queue_that_cannot_be_reached_is_an_error_not_a_hang() -> None:
    with closing(socket.socket()) as nobody:
        nobody.bind(("127.0.0.1", 0))
        client = QueueClient(f"http://127.0.0.1:{nobody.getsockname()[1]}/1/q")
        with pytest.raises(QueueError, match="cannot be reached"):
            client.receive(CREDENTIALS)
