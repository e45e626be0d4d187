"""What S3 sends and what a person reads."""

import pytest

from runner.store import errors
from runner.store.errors import Asked, ErrorAnswer, StoreError, error_of, parse_error

ASKED = Asked("ListObjectsV2", "buck", "https://s3.example")
GET = Asked("GetObject", "buck", "https://s3.example", "k\ney")


@pytest.mark.parametrize(
    ("status", "code", "kind", "words"),
    [
        (404, "NoSuchBucket", errors.NoSuchBucketError, "the bucket buck does not exist at https://s3.example"),
        (403, "AccessDenied", errors.AccessDeniedError, "access denied: s3:ListBucket on bucket buck at"),
        (403, "", errors.AccessDeniedError, "the answer gave no reason"),
        (401, "", errors.AccessDeniedError, "access denied"),
        (403, "SignatureDoesNotMatch", errors.CredentialsRejectedError, "the secret key is wrong"),
        (403, "InvalidAccessKeyId", errors.CredentialsRejectedError, "the access key is not known"),
        (400, "ExpiredToken", errors.CredentialsRejectedError, "the session token has expired"),
        (403, "RequestTimeTooSkewed", errors.ClockSkewError, "clock is off by more than 15 minutes"),
        (503, "SlowDown", errors.ThrottledError, "slow down"),
        (429, "", errors.ThrottledError, "slow down"),
        (500, "InternalError", errors.ServerFaultError, "500 InternalError"),
        (502, "", errors.ServerFaultError, "502"),
        (200, "InternalError", errors.ServerFaultError, "200 InternalError"),
        (400, "RequestTimeout", errors.ServerFaultError, "RequestTimeout"),
        (412, "", errors.PreconditionFailedError, "changed by someone else"),
        (409, "ConditionalRequestConflict", errors.PreconditionFailedError, "changed by someone else"),
        (403, "InvalidObjectState", errors.ArchivedObjectError, "archived"),
        (301, "PermanentRedirect", errors.WrongRegionError, "another region"),
        (400, "AuthorizationHeaderMalformed", errors.WrongRegionError, "another region"),
        (400, "InvalidArgument", StoreError, "refused with 400: InvalidArgument m"),
        (404, "", StoreError, "refused with 404"),
    ],
)
def test_answer_becomes_a_sentence(status: int, code: str, kind: type[StoreError], words: str) -> None:
    error = error_of(ErrorAnswer(status, code, "m" if code else ""), ASKED)
    assert type(error) is kind
    assert words in str(error)
    assert (error.status, error.code, error.permanent) == (status, code, False)


def test_only_a_parsed_404_nosuchkey_is_absence() -> None:
    assert isinstance(error_of(ErrorAnswer(404, "NoSuchKey"), GET), errors.NoSuchKeyError)
    for answer in (ErrorAnswer(404), ErrorAnswer(403, "NoSuchKey"), ErrorAnswer(200, "NoSuchKey"), ErrorAnswer(403)):
        assert not isinstance(error_of(answer, GET), errors.NoSuchKeyError)


def test_hostile_names_and_messages_stay_on_one_line() -> None:
    text = str(error_of(ErrorAnswer(400, "X", "a\n\x1b[31m"), GET))
    assert "\n" not in text
    assert "\x1b" not in text


def test_error_document_is_parsed_whatever_its_namespace() -> None:
    body = b'<?xml version="1.0"?><Error xmlns="x"><Code>C</Code><Message>M</Message><Region>eu-west-1</Region></Error>'
    answer = parse_error(400, {}, body)
    assert (answer.code, answer.message, answer.region) == ("C", "M", "eu-west-1")
    assert parse_error(400, {"x-amz-bucket-region": "us-west-2"}, body).region == "us-west-2"


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"<!DOCTYPE html>", b"<Error><Code>C", b"\xff", b"<Error>" + b"x" * 70_000]
)
def test_other_bodies_give_no_code(body: bytes) -> None:
    assert parse_error(500, {}, body).code == ""


def test_region_that_is_no_region_is_not_followed() -> None:
    good = error_of(ErrorAnswer(301, "", "", "eu-west-1"), ASKED)
    evil = error_of(ErrorAnswer(301, "", "", "evil.example/"), ASKED)
    assert isinstance(good, errors.WrongRegionError)
    assert isinstance(evil, errors.WrongRegionError)
    assert (good.region, evil.region) == ("eu-west-1", "")
