"""The look-up without botocore says what botocore says, or nothing."""

import os
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import create_loader

from runner.store import credential_process
from runner.store.credentials import CredentialRequest
from runner.store.plain_environment import plain_answer

KEYS = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "secret"}
PLACES: list[dict[str, str]] = [
    {},
    {"AWS_REGION": "eu-west-1"},
    {"AWS_DEFAULT_REGION": "eu-central-1"},
    {"AWS_REGION": "ap-south-2", "AWS_DEFAULT_REGION": "sa-east-1"},
    {"AWS_ENDPOINT_URL": "http://h:1"},
    {"AWS_ENDPOINT_URL": "http://h:1", "AWS_ENDPOINT_URL_S3": "http://h:2"},
    {"AWS_ENDPOINT_URL_S3": "", "AWS_REGION": "", "AWS_CA_BUNDLE": ""},
    {"AWS_CA_BUNDLE": "/ca.pem"},
]
TOKENS: list[dict[str, str]] = [
    {},
    {"AWS_SESSION_TOKEN": "t"},
    {"AWS_SECURITY_TOKEN": "old"},
    {"AWS_SECURITY_TOKEN": "old", "AWS_SESSION_TOKEN": "t"},
]
ASKED: list[dict[str, Any]] = [
    {},
    {"region": "us-west-2"},
    {"endpoint_url": "http://h:3"},
    {"ca_bundle": "/mine.pem", "region": "mx-central-1"},
    {"anonymous": True},
]


def botocores_answer(request: CredentialRequest, home: Path, patch: pytest.MonkeyPatch) -> dict[str, object]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    patch.setattr(os, "environ", {**environment, **request.environment, "HOME": str(home)})
    patch.setattr(credential_process, "plain_answer", lambda _request: None)
    return credential_process.resolve(request)


@pytest.mark.parametrize("number", range(3 * len(PLACES)))
def test_plain_answer_is_botocores(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, token = ASKED[number % len(ASKED)], TOKENS[number % len(TOKENS)]  # each place with three of each
    keys = {} if asked.get("anonymous") and number % 2 else KEYS
    environment = {**keys, **PLACES[number % len(PLACES)], **token}
    request = CredentialRequest(**asked, environment=environment)
    plain = plain_answer(request)
    assert plain is not None
    assert plain == botocores_answer(request, tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("asked", "environment"),
    [
        ({"profile": "p"}, KEYS),
        ({"role_arn": "arn:aws:iam::1:role/r"}, KEYS),
        ({}, {**KEYS, "AWS_PROFILE": "p"}),
        ({}, {**KEYS, "AWS_CREDENTIAL_EXPIRATION": "2030-01-01T00:00:00Z"}),
        ({}, {**KEYS, "AWS_USE_FIPS_ENDPOINT": "true"}),
        ({"endpoint_url": "http://h:1"}, {**KEYS, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}),
        ({"region": "cn-north-1"}, KEYS),
        ({"region": "us-gov-west-1"}, KEYS),
        ({"region": "us-iso-east-1"}, KEYS),
        ({}, {"AWS_ACCESS_KEY_ID": "AKIA"}),
        ({}, {}),
    ],
)
def test_whatever_is_more_than_plain_is_left_to_botocore(asked: dict[str, object], environment: dict[str, str]) -> None:
    assert plain_answer(CredentialRequest(**{**asked, "environment": environment})) is None  # type: ignore[arg-type]


def test_endpoint_of_every_region_that_botocore_knows_is_botocores() -> None:
    known = [
        (partition["dnsSuffix"], region)
        for partition in create_loader().load_data("endpoints")["partitions"]
        for region in partition["regions"]
    ]
    answered = 0
    for suffix, region in known:
        answer = plain_answer(CredentialRequest(region=region, environment=KEYS))
        if answer is not None:
            answered += 1
            assert answer["s3_endpoint"] == f"https://s3.{region}.{suffix}"
    assert answered > 30


def test_config_file_of_any_content_is_botocores_affair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config"
    config.write_text("[default]\nregion = eu-west-3\n")
    monkeypatch.setattr(os, "environ", {"HOME": str(tmp_path), "PATH": os.environ["PATH"]})
    answer = credential_process.resolve(CredentialRequest(environment={**KEYS, "AWS_CONFIG_FILE": str(config)}))
    assert answer["region"] == "eu-west-3"
