"""The parts of the queue's door that need no network."""

import pytest

from runner.store.sqs import Message, QueueError, messages_of, parsed, proxy_for, region_of


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://sqs.eu-central-1.amazonaws.com/123456789012/q", "eu-central-1"),
        ("https://sqs-fips.us-gov-west-1.amazonaws.com/1/q", "us-gov-west-1"),
        ("https://sqs.cn-north-1.amazonaws.com.cn/1/q", "cn-north-1"),
        ("https://sqs.eu-west-1.api.aws/1/q", "eu-west-1"),
        ("https://vpce-0a1-b2.sqs.eu-west-1.vpce.amazonaws.com/1/q", "eu-west-1"),
        ("https://eu-west-2.queue.amazonaws.com/1/q", "eu-west-2"),
        ("https://queue.amazonaws.com/1/q", "us-east-1"),
        ("http://127.0.0.1:5000/1/q", None),
        ("https://sqs.eu-west-1.amazonaws.com.evil.example/1/q", None),
    ],
)
def test_region_of_queue_url(url: str, region: str | None) -> None:
    assert region_of(url) == region


def test_parsed_error_tells_what_to_do() -> None:
    with pytest.raises(QueueError, match=r"QueueDoesNotExist: gone.*check `events`"):
        parsed(400, b'{"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "gone"}', "https://q")
    with pytest.raises(QueueError, match="sqs:ReceiveMessage"):
        parsed(403, b'{"__type": "com.amazon.coral.service#AccessDeniedException"}', "https://q")
    with pytest.raises(QueueError, match="status 200"):
        parsed(200, b"<html>", "https://q")


def test_messages_of_takes_only_what_can_be_deleted() -> None:
    assert messages_of({}) == []
    assert messages_of({"Messages": [{"Body": "b"}, {"Body": "b", "ReceiptHandle": "r"}, 7]}) == [Message("b", "r")]


@pytest.mark.parametrize(
    ("host", "environment", "proxy"),
    [
        ("sqs.x.amazonaws.com", {}, None),
        ("sqs.x.amazonaws.com", {"HTTPS_PROXY": "http://p:3"}, "http://p:3"),
        ("sqs.x.amazonaws.com", {"HTTPS_PROXY": "http://p:3", "NO_PROXY": "a, .amazonaws.com"}, None),
        ("sqs.x.amazonaws.com", {"https_proxy": "http://p:3", "no_proxy": "zonaws.com"}, "http://p:3"),
        ("sqs.x.amazonaws.com", {"HTTPS_PROXY": "http://p:3", "NO_PROXY": "*"}, None),
    ],
)
def test_proxy_for_heeds_the_environment(host: str, environment: dict[str, str], proxy: str | None) -> None:
    assert proxy_for(host, environment, secure=True) == proxy
