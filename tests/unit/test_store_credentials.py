"""Snapshots that never show a secret, requests, and what the service may answer from memory."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from runner.config.settings import EngineName, Mode, Pair, Symlinks
from runner.model.passes import Requests
from runner.store import credential_process, credential_service
from runner.store.config_files import FileState, config_files, is_racy, states_of
from runner.store.credential_service import CredentialService, Kept, identity_of
from runner.store.credentials import CredentialClient, CredentialRequest, Credentials, CredentialsError
from runner.store.price import is_aws, usd
from runner.wire.channel import Channel

SECRET = "canary-secret"


def test_secrets_are_in_no_repr() -> None:
    credentials = Credentials("AKIA", SECRET, SECRET)
    request = CredentialRequest(environment={"AWS_SECRET_ACCESS_KEY": SECRET})
    kept = Kept((), {"secret_key": SECRET}, None, None)
    assert SECRET not in f"{credentials!r} {credentials} {request!r} {request} {kept!r}"


def test_request_of_a_pair_takes_only_aws_variables() -> None:
    pair = Pair(
        name="test", bucket="buck", folder=Path("/nowhere"), mode=Mode.PUSH, engine=EngineName.AWS_CLI, every=None,
        watch=False, symlinks=Symlinks.FOLLOW, required=False, profile="p", aws_args=("--no-sign-request",),
    )  # fmt: skip
    request = CredentialRequest.of(pair, {"AWS_PROFILE": "x", "HOME": "/h", "SECRET": "s"})
    assert dict(request.environment) == {"AWS_PROFILE": "x"}
    assert (request.profile, request.anonymous) == ("p", True)


def test_endpoint_defaults_to_amazon_in_the_region() -> None:
    assert Credentials("k", "s", region="eu-west-1").endpoint == "https://s3.eu-west-1.amazonaws.com"
    assert Credentials("k", "s", endpoint_url="http://h:1").endpoint == "http://h:1"


def test_lookup_reads_the_answer_with_its_own_number() -> None:
    mine, theirs = Channel.pair()
    theirs.send({"type": "credentials", "id": 99, "access_key": "other"})
    theirs.send({"type": "credentials", "id": 1, "access_key": "k", "secret_key": "s", "expires_at": 5, "region": "r"})
    client = CredentialClient(lambda _name: mine)
    assert client.lookup(CredentialRequest(), 10.0) == Credentials("k", "s", expires_at=5.0, region="r")
    client.close()
    theirs.close()


def test_failure_keeps_reason_hint_and_permanence() -> None:
    mine, theirs = Channel.pair()
    theirs.send({"type": "credentials-failed", "id": 1, "reason": "r", "hint": "h", "permanent": True})
    client = CredentialClient(lambda _name: mine)
    with pytest.raises(CredentialsError, match="r; h") as caught:
        client.lookup(CredentialRequest(), 10.0)
    assert caught.value.permanent
    client.close()
    theirs.close()


def test_service_that_is_gone_twice_is_an_error_that_is_not_permanent() -> None:
    ends: list[Channel] = []

    def connect(_name: str) -> Channel:
        mine, theirs = Channel.pair()
        theirs.close()
        ends.append(mine)
        return mine

    with pytest.raises(CredentialsError, match="did not answer") as caught:
        CredentialClient(connect).lookup(CredentialRequest(), 10.0)
    assert not caught.value.permanent
    assert len(ends) == 2


def test_kept_result_is_fresh_while_files_and_time_allow() -> None:
    files = (FileState(Path("/c"), 1, 1, 1, 1),)
    other = (FileState(Path("/c"), 1, 2, 1, 1),)
    static = Kept(files, {}, None, None)
    expiring = Kept(files, {}, refresh_at=100.0, expires_at=1000.0)
    assert static.is_fresh(files, 1e12)
    assert not static.is_fresh(other, 0.0)
    assert not static.is_usable(files, 0.0)
    assert expiring.is_fresh(files, 99.0)
    assert not expiring.is_fresh(files, 100.0)
    assert expiring.is_usable(files, 900.0)
    assert not expiring.is_usable(files, 950.0)


def test_file_states_tell_change_and_absence(tmp_path: Path) -> None:
    path = tmp_path / "credentials"
    absent = states_of((path,))
    path.write_text("a")
    first = states_of((path,))
    path.rename(tmp_path / "old")
    path.write_text("b")
    assert len({absent, first, states_of((path,))}) == 3


def test_config_files_follow_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/h")
    assert config_files({}) == (Path("/h/.aws/config"), Path("/h/.aws/credentials"))
    assert config_files({"AWS_CONFIG_FILE": "~/c", "AWS_SHARED_CREDENTIALS_FILE": "/s"}) == (Path("/h/c"), Path("/s"))


def test_file_of_this_moment_is_racy() -> None:
    states = (FileState(Path("/a")), FileState(Path("/b"), 0, int(100e9), 1, 1))
    assert is_racy(states, 100.5)
    assert is_racy(states, 50.0)
    assert not is_racy(states, 102.0)


def test_price_counts_lists_as_puts_and_deletes_as_free() -> None:
    assert usd(Requests(lists=1000, puts=1000, gets=1000, deletes=10**6)) == pytest.approx(0.0104)


@pytest.mark.parametrize(
    ("endpoint", "billed"),
    [(None, True), ("https://s3.eu-west-1.amazonaws.com", True), ("https://s3.cn-north-1.amazonaws.com.cn", True),
     ("http://127.0.0.1:9000", False), ("https://amazonaws.com.evil.example", False)],
)  # fmt: skip
def test_only_amazon_has_amazons_prices(endpoint: str | None, billed: bool) -> None:
    assert is_aws(endpoint) is billed


def test_expiring_keys_are_looked_up_again_a_quarter_of_an_hour_before_their_end() -> None:
    kept = credential_service._kept((), {"expires_at": 10_000.0}, 0.0)
    assert [kept.is_fresh((), now) for now in (9_099.0, 9_101.0)] == [True, False]
    assert [kept.is_usable((), now) for now in (9_939.0, 9_941.0)] == [True, False]


def test_key_that_was_refused_is_not_answered_from_memory(tmp_path: Path) -> None:
    """Revoked before its time: the same key again would be refused again, until it expires."""
    request = CredentialRequest(environment={"AWS_CONFIG_FILE": str(tmp_path / "config")})
    service = CredentialService(cast(Any, None), lambda: None, lambda _request: {})
    files = states_of(config_files(request.environment))
    service._kept[identity_of(request)] = Kept(files, {"access_key": "AKIA"}, None, None)
    told: list[Any] = []
    client = cast(Any, SimpleNamespace(send=told.append))
    service._asked(client, {"id": 1, "refused": "another"}, request)
    assert told == [{"access_key": "AKIA", "id": 1}]
    service._asked(client, {"id": 2, "refused": "AKIA"}, request)
    assert len(told) == 1
    assert list(service._queue) == [identity_of(request)]


@pytest.mark.parametrize("name", ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"])
def test_reason_of_a_failed_look_up_does_not_quote_a_secret(name: str) -> None:
    request = CredentialRequest(environment={name: SECRET})
    told = credential_process._failure(ValueError(f"{SECRET} is odd"), request)
    assert told["reason"] == "no credentials: *** is odd"
