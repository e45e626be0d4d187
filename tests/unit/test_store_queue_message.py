"""What a message of a queue says of the bucket, whoever wrote it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.store.queue_message import KEYS_A_MESSAGE, MESSAGE_BYTES, read


def direct(*keys: str, bucket: str = "bucket") -> dict[str, Any]:
    records = [
        {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": bucket}, "object": one}}
        for one in ({"key": key, "size": 1} for key in keys)
    ]
    return {"Records": records}


def bridge(key: str, bucket: str = "bucket") -> dict[str, Any]:
    detail = {"bucket": {"name": bucket}, "object": {"key": key}}
    return {"version": "0", "source": "aws.s3", "detail-type": "Object Created", "detail": detail}


def topic(inner: dict[str, Any]) -> dict[str, Any]:
    return {"Type": "Notification", "TopicArn": "arn:aws:sns:eu-west-1:1:t", "Message": json.dumps(inner)}


@pytest.mark.parametrize(
    ("message", "keys"),
    [
        (direct("p/a"), {"p/a"}),
        (direct("p/a+b%2Bc%C3%A9"), {"p/a b+cé"}),
        (direct("p/a", "p/b"), {"p/a", "p/b"}),
        (topic(direct("p/a")), {"p/a"}),
        (bridge("p/a+b%20"), {"p/a+b%20"}),
        (topic(bridge("p/a")), {"p/a"}),
        (direct("p/a", bucket="other"), set()),
        (direct("q/a", "p/", "p/.runner-trash/x", "p/.runner-probe-1", "p/" + "x" * 1023), set()),
        ({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "bucket"}, set()),
        (direct(), set()),
    ],
)
def test_read_known_shapes_names_our_keys_only(message: dict[str, Any], keys: set[str]) -> None:
    hint = read(json.dumps(message), "bucket", "p/")
    assert hint.keys == keys
    assert not hint.nonsense


@pytest.mark.parametrize(
    "body",
    [
        "",
        "hello",
        "[]",
        "{}",
        "null",
        '{"Records": [1]}',
        '{"Records": [{"s3": null}]}',
        '{"Records": [{"s3": {"bucket": {"name": "bucket"}, "object": {"key": 7}}}]}',
        json.dumps(direct("p/%FF")),
        '{"Records": [{"s3": {"bucket": {"name": "bucket"}, "object": {"key": "p/\\ud800"}}}]}',
        json.dumps(topic(topic(topic(topic(direct("p/a")))))),
        "[" * 100_000,
        "x" * (MESSAGE_BYTES + 1),
    ],
)
def test_read_anything_else_is_nonsense(body: str) -> None:
    hint = read(body, "bucket", "p/")
    assert hint.nonsense
    assert not hint.keys


def test_read_access_point_accepts_the_bucket_behind_it() -> None:
    arn = "arn:aws:s3:eu-west-1:1:accesspoint/x"
    assert read(json.dumps(direct("p/a", bucket="behind")), arn, "p/").keys == {"p/a"}


def test_read_too_many_keys_are_cut() -> None:
    keys = [f"p/{number}" for number in range(KEYS_A_MESSAGE + 5)]
    assert len(read(json.dumps(direct(*keys)), "bucket", "p/").keys) == KEYS_A_MESSAGE


@given(
    st.recursive(
        st.none() | st.text() | st.integers(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["Records", "s3", "bucket", "name", "object", "key", "Message", "Type", "detail"]),
                inner,
            )
        ),
    )
)
def test_read_never_raises(value: Any) -> None:
    read(json.dumps(value), "bucket", "")
