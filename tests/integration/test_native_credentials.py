"""Credentials of a running pair: rotated, revoked, expired, refused. One sentence, no storm, and it heals."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.engine.native import server as native_server
from runner.model.passes import Outcome, Scope
from tests.bench.fake_web import WebS3
from tests.integration.native_engine import MakeRunner, credential_process, runner

__all__ = ["credential_process", "runner"]


@pytest.fixture
def bucket() -> str:
    return "bkt"


@pytest.fixture
def there() -> WebS3:
    """Keeps all conditions."""
    return WebS3()


@pytest.fixture
def url(there: WebS3) -> Iterator[str]:
    with there.served() as address:
        yield address


@pytest.fixture
def key_file(credential_process: object) -> Iterator[Path]:
    """The shared credentials file of the credential process, without keys in the environment."""
    place = Path(os.environ["AWS_SHARED_CREDENTIALS_FILE"])
    saved = {name: os.environ.pop(name) for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    yield place
    place.unlink(missing_ok=True)
    os.environ.update(saved)


def keys(file: Path, name: str) -> None:
    file.write_text(f"[default]\naws_access_key_id = {name}\naws_secret_access_key = {name}secret\n")


def test_rotated_keys_are_used_within_a_minute_or_after_the_old_ones_are_refused(
    runner: MakeRunner, there: WebS3, url: str, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys(key_file, "AKIAOLD")
    there.access_keys = {"AKIAOLD", "AKIANEW"}
    one = runner("a", endpoint_url=url)
    (one.path / "a").write_text("x")
    assert one.sync().uploaded == 1
    keys(key_file, "AKIANEW")
    there.access_keys = {"AKIANEW"}  # revoked before the minute is over
    (one.path / "b").write_text("x")
    refused = one.sync()
    assert (refused.outcome, refused.retry) == (Outcome.FAILED, True)
    assert "InvalidAccessKeyId" in refused.message
    assert one.sync().uploaded == 1

    keys(key_file, "AKIANEXT")
    there.access_keys = {"AKIANEXT"}
    monkeypatch.setattr(native_server, "_FRESH_SECONDS", 0.0)
    assert one.sync().outcome is Outcome.DONE


def test_session_revoked_before_its_time_is_not_used_until_its_end(
    runner: MakeRunner, there: WebS3, url: str, key_file: Path, home: Path
) -> None:
    helper, count = home / "helper", home / "count"
    helper.write_text(
        f"#!/bin/sh\necho x >> {count}\nn=$(wc -l < {count})\n"
        'printf \'{"Version": 1, "AccessKeyId": "ASIA%s", "SecretAccessKey": "s", "SessionToken": "t", "Expiration": '
        '"2099-01-01T00:00:00Z"}\' $n\n'
    )
    helper.chmod(0o755)
    config = Path(os.environ["AWS_CONFIG_FILE"])
    config.write_text(f"[default]\ncredential_process = {helper}\n")
    os.utime(config, (1e9, 1e9))
    there.access_keys = {"ASIA1"}
    one = runner("a", endpoint_url=url)
    try:
        assert one.sync().outcome is Outcome.DONE
        there.access_keys = {f"ASIA{number}" for number in range(2, 9)}
        refused = one.sync()
        assert "InvalidAccessKeyId" in refused.message, (refused.message, count.read_text())
        assert one.sync().outcome is Outcome.DONE
    finally:
        config.unlink()


def test_keys_revoked_while_files_are_pushed_end_the_pass_with_one_sentence(
    runner: MakeRunner, there: WebS3, url: str, key_file: Path
) -> None:
    keys(key_file, "AKIAOLD")
    one = runner("a", endpoint_url=url, concurrency=2)
    one.sync()
    for number in range(100):
        (one.path / f"f{number}").write_text("x")
    there.answers = {"PutObject": (403, "ExpiredToken")}
    there.asked.clear()
    for report in (one.sync(), one.sync(Scope.PATHS, *(f"f{number}" for number in range(100)))):
        assert report.outcome is Outcome.FAILED
        assert "ExpiredToken" in report.message
    assert there.asked.count("PutObject") < 10
    there.answers = {}
    assert one.sync().uploaded == 100


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("RequestTimeTooSkewed", "clock is off"),
        ("ExpiredToken", "token has expired"),
        ("SignatureDoesNotMatch", "secret key is wrong"),
    ],
)
def test_refusal_of_every_request_is_said_and_heals(
    runner: MakeRunner, there: WebS3, url: str, code: str, words: str
) -> None:
    one = runner("a", endpoint_url=url)
    (one.path / "a").write_text("x")
    assert one.sync().uploaded == 1
    there.answers = {"ListObjectsV2": (403, code), "PutObject": (403, code), "HeadObject": (403, code)}
    (one.path / "b").write_text("x")
    for report in (one.sync(), one.sync(Scope.PATHS, "b")):
        assert (report.outcome, report.retry) == (Outcome.FAILED, True)
        assert words in report.message
    there.answers = {}
    assert one.sync().uploaded == 1
    assert sorted(one.files()) == ["a", "b"]
