"""The environment of a run and the AWS config that is generated for it."""

import configparser
from pathlib import Path

import pytest

from runner.config.settings import EngineName, Mode, Pair, Symlinks
from runner.engine.aws_cli.aws_config import aws_config_text, needs_config
from runner.engine.aws_cli.environment import run_environment
from runner.engine.endpoint import config_path
from runner.model.errors import PermanentFailureError

ROLE = "arn:aws:iam::123456789012:role/sync"


def pair(**changes: object) -> Pair:
    values: dict[str, object] = {
        "name": "p", "bucket": "bkt", "folder": Path("/data"), "mode": Mode.PUSH,
        "engine": EngineName.AWS_CLI, "every": None, "watch": False, "symlinks": Symlinks.FOLLOW, "required": False,
    }  # fmt: skip
    return Pair.model_validate(values | changes)


def config(
    user_text: str, environment: dict[str, str] | None = None, **changes: object
) -> configparser.RawConfigParser:
    nowhere = {"HOME": "/nonexistent"}
    parser = configparser.RawConfigParser()
    parser.read_string(aws_config_text(user_text, pair(**changes), nowhere | (environment or {})))
    return parser


def test_environment_keeps_aws_and_drops_what_changes_programs() -> None:
    base = {"AWS_ACCESS_KEY_ID": "k", "PATH": "/bin", "PYTHONINSPECT": "1", "RUNNER_AWS": "x", "BASH_ENV": "/x",
            "AWS_CLI_AUTO_PROMPT": "on", "BASH_FUNC_aws%%": "() { :; }", "NOTIFY_SOCKET": "/s"}  # fmt: skip

    environment = run_environment(pair(), base, None)

    assert environment["AWS_ACCESS_KEY_ID"] == "k"
    assert environment["BOTO_EXPERIMENTAL__NO_EMPTY_CONTINUE"] == "true"
    assert (environment["AWS_PAGER"], environment["AWS_CLI_AUTO_PROMPT"]) == ("", "off")
    assert not {"PYTHONINSPECT", "RUNNER_AWS", "BASH_ENV", "BASH_FUNC_aws%%", "NOTIFY_SOCKET"} & set(environment)
    assert "AWS_CONFIG_FILE" not in environment
    assert base["RUNNER_AWS"] == "x"


def test_environment_follows_the_pairs_keys() -> None:
    base = {"AWS_PROFILE": "other", "AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL_S3": "http://x"}

    environment = run_environment(
        pair(profile="me", region="eu-west-1", endpoint_url="http://h", ca_bundle=Path("/ca")), base, "/proc/1/fd/5"
    )

    assert not {"AWS_PROFILE", "AWS_ENDPOINT_URL_S3"} & set(environment)
    assert (environment["AWS_REGION"], environment["AWS_DEFAULT_REGION"]) == ("eu-west-1", "eu-west-1")
    assert (environment["AWS_CONFIG_FILE"], environment["AWS_CA_BUNDLE"]) == ("/proc/1/fd/5", "/ca")


@pytest.mark.parametrize(
    ("changes", "needed"),
    [
        ({}, False),
        ({"profile": "x", "region": "eu-west-1"}, False),
        ({"bandwidth_bytes_per_second": 1000}, True),
        ({"concurrency": 10}, False),  # the CLI's own default: the user's own AWS config keeps its say
        ({"concurrency": 3}, True),
        ({"addressing_style": "path"}, True),
        ({"role_arn": ROLE}, True),
    ],
)
def test_config_is_generated_only_when_needed(changes: dict[str, object], needed: bool) -> None:
    assert needs_config(pair(**changes)) is needed


def test_transfer_settings_go_into_the_default_profile() -> None:
    found = config("", bandwidth_bytes_per_second=10_240_000, concurrency=3, addressing_style="path")

    assert found.get("default", "s3").split("\n") == [
        "",
        "max_bandwidth = 10000KB/s",
        "max_concurrent_requests = 3",
        "addressing_style = path",
    ]


def test_users_own_words_stay_and_ours_replace_only_their_keys() -> None:
    user = (
        "[default]\nregion = eu-west-1\n[profile me]\nsso_session = s\ns3 =\n  max_queue_size = 5\n"
        "  max_concurrent_requests = 20\n[sso-session s]\nsso_start_url = https://x\n"
    )
    found = config(user, profile="me", concurrency=2)

    assert found.get("profile me", "s3") == "\nmax_queue_size = 5\nmax_concurrent_requests = 2"
    assert found.get("default", "region") == "eu-west-1"
    assert not found.has_option("default", "s3")
    assert found.get("sso-session s", "sso_start_url") == "https://x"
    assert found.get("profile me", "sso_session") == "s"


def test_profile_of_the_environment_gets_the_settings() -> None:
    assert config("", {"AWS_PROFILE": "env"}, concurrency=2).has_option("profile env", "s3")


@pytest.mark.parametrize(
    ("environment", "changes", "key", "value"),
    [
        ({"AWS_ACCESS_KEY_ID": "k"}, {}, "credential_source", "Environment"),
        ({"AWS_ACCESS_KEY_ID": "k"}, {"profile": "me"}, "source_profile", "me"),
        ({"AWS_PROFILE": "env"}, {}, "source_profile", "env"),
        ({"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/x"}, {}, "credential_source", "EcsContainer"),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://x"}, {}, "credential_source", "EcsContainer"),
        ({"AWS_WEB_IDENTITY_TOKEN_FILE": "/t", "AWS_ROLE_ARN": "arn:x"}, {}, "source_profile", "runner-web-identity"),
        ({}, {}, "credential_source", "Ec2InstanceMetadata"),
    ],
)
def test_role_takes_its_first_credentials_from_where_they_are(
    environment: dict[str, str], changes: dict[str, object], key: str, value: str
) -> None:
    found = config("", environment, role_arn=ROLE, **changes)

    section = found["profile runner-assumed-role"]
    assert (section["role_arn"], section[key]) == (ROLE, value)
    assert section["role_session_name"] == "runner-p"


def test_role_takes_the_default_profile_when_it_has_credentials() -> None:
    found = config("[default]\nregion = r\ncredential_process = /x\n", role_arn=ROLE, concurrency=2)

    section = found["profile runner-assumed-role"]
    assert (section["source_profile"], section["region"]) == ("default", "r")
    assert "max_concurrent_requests = 2" in section["s3"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("region = x\n", 1),
        ("[default]\nregion = x\n[default]\n", 3),
        ("[a]\nb = 1\n[profile x]\nnonsense\n", 4),
        ("[a]\nb = 1\nb = 2\n", 3),
    ],
)
def test_malformed_config_is_named_with_file_and_line(text: str, line: int) -> None:
    with pytest.raises(PermanentFailureError, match=rf"/home/u/\.aws/config:{line}: ") as caught:
        aws_config_text(text, pair(), {}, path="/home/u/.aws/config")
    assert "\n" not in str(caught.value)


def test_config_path_is_where_the_cli_looks() -> None:
    assert config_path({"AWS_CONFIG_FILE": "/x/c"}) == Path("/x/c")
    assert config_path({"AWS_CONFIG_FILE": "~/c", "HOME": "/h"}) == Path("/h/c")
    assert config_path({"HOME": "/h"}) == Path("/h/.aws/config")
