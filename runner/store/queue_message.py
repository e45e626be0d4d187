"""What an SQS message says of the bucket: which keys to look at. Pure; believes nothing.

Reads S3's own notifications, those wrapped by SNS, and EventBridge's ("Event message structure" in the S3 user guide;
EventBridge: "Amazon S3 events"). A key is only ever a hint: a forged, doubled or lost message costs a look, never data.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

MESSAGE_BYTES = 1 << 20  # SQS's own limit
KEYS_A_MESSAGE = 1000
KEY_BYTES = 1024  # S3's own limit
_DEEPEST = 3  # EventBridge through SNS through a queue
_OURS = ".runner-"  # trash and probes: written by runners, never synced


@dataclass(frozen=True, slots=True)
class Hint:
    """keys: whole, of our bucket and prefix. nonsense: why this is no message about a bucket, or ""."""

    keys: frozenset[str] = frozenset()
    nonsense: str = ""


def read(body: str, bucket: str, prefix: str) -> Hint:
    """bucket: a name; an ARN (an access point) accepts any bucket, for messages name the one behind it."""
    if len(body) > MESSAGE_BYTES:
        return Hint(nonsense="a message larger than SQS allows")
    try:
        pairs = list(_named(_object(body), 0))
    except (ValueError, RecursionError):
        return Hint(nonsense="a message that is no notification of S3, SNS or EventBridge")
    keys = {key for name, key in pairs if name == bucket or bucket.startswith("arn:")}
    wanted = sorted(key for key in keys if _is_wanted(key, prefix))
    return Hint(frozenset(wanted[:KEYS_A_MESSAGE]))


def _is_wanted(key: str, prefix: str) -> bool:
    below = key.removeprefix(prefix)
    return key.startswith(prefix) and bool(below) and len(key.encode()) <= KEY_BYTES and not below.startswith(_OURS)


def _object(text: object) -> Mapping[str, object]:
    """Raises ValueError."""
    value = json.loads(text) if isinstance(text, str) else text
    if not isinstance(value, dict):
        raise ValueError("no JSON object")
    return value


def _named(message: Mapping[str, object], depth: int) -> Iterator[tuple[str, str]]:
    """Bucket and key of everything the message is about. Raises ValueError for what is no notification."""
    if depth > _DEEPEST:
        raise ValueError("envelopes in envelopes")
    if isinstance(message.get("Records"), list):
        yield from _records(message["Records"])
    elif "detail" in message and message.get("source") == "aws.s3":
        yield from _event_bridge(_object(message["detail"]))
    elif message.get("Type") == "Notification" or ("Message" in message and "TopicArn" in message):
        yield from _named(_object(message.get("Message")), depth + 1)
    elif message.get("Event") != "s3:TestEvent":  # sent once when notifications are switched on
        raise ValueError("unknown shape")


def _records(records: object) -> Iterator[tuple[str, str]]:
    assert isinstance(records, list)
    for record in records:
        s3 = _object(_object(record).get("s3"))
        bucket, entry = _object(s3.get("bucket")), _object(s3.get("object"))
        # URL-encoded as in a form: a space is "+".
        yield _text(bucket.get("name")), _decoded(_text(entry.get("key")).replace("+", " "))


def _event_bridge(detail: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Keys are plain here."""
    yield _text(_object(detail.get("bucket")).get("name")), _text(_object(detail.get("object")).get("key"))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("no text")
    value.encode()  # a lone surrogate is no key; UnicodeEncodeError is a ValueError
    return value


def _decoded(text: str) -> str:
    return unquote_to_bytes(text).decode("utf-8")
