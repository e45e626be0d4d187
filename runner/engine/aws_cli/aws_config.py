"""The AWS config file a run gets when its pair needs one: the user's own, with this pair's words merged in.

Pure text to text; the user's file is never written. Read and written with the parser botocore itself uses
(botocore/configloader.py: RawConfigParser), so nothing changes its meaning on the way.
"""

import configparser
import io
from collections.abc import Mapping
from pathlib import Path

from runner.config.settings import Pair
from runner.engine.aws_cli.argv import ASSUMED_ROLE_PROFILE
from runner.model.errors import PermanentFailureError
from runner.model.names import printable

CLI_CONCURRENCY = 10  # the CLI's own default (max_concurrent_requests)
_WEB_IDENTITY_PROFILE = "runner-web-identity"


def needs_config(pair: Pair) -> bool:
    """Whether something of this pair can only be said in a config file."""
    return bool(
        pair.bandwidth_bytes_per_second or pair.addressing_style or pair.role_arn or pair.concurrency != CLI_CONCURRENCY
    )


def aws_config_text(user_text: str, pair: Pair, environment: Mapping[str, str], *, path: str = "") -> str:
    """The whole text of the config for a run.

    user_text: the user's file, "" when there is none; path: its name, for the error. environment: the run's AWS_*
    variables; they decide where an assumed role takes its first credentials from. PermanentFailureError when the
    user's file cannot be parsed, with file and line.
    """
    parser = _parse(user_text, path)
    profile = pair.profile or environment.get("AWS_PROFILE") or environment.get("AWS_DEFAULT_PROFILE") or "default"
    section = _section(parser, profile)
    if pair.role_arn:
        section = _assume_role(parser, pair, environment, profile)
    wanted = _s3_settings(pair)
    if wanted:
        nested = _nested(parser.get(section, "s3", fallback="")) | wanted
        parser.set(section, "s3", "".join(f"\n{key} = {value}" for key, value in nested.items()))
    out = io.StringIO()
    parser.write(out)
    return out.getvalue()


def _parse(text: str, path: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error as error:
        line = _line_of(error)
        where = f"{printable(path)}:{line}" if line else printable(path)
        reason = printable(str(error.message).splitlines()[0].replace("<string>", "the file"))
        raise PermanentFailureError(f"{where}: the AWS config file cannot be read: {reason}", "correct it") from None
    return parser


def _line_of(error: configparser.Error) -> int | None:
    if isinstance(error, configparser.ParsingError) and getattr(error, "errors", None):
        return int(error.errors[0][0])
    line = getattr(error, "lineno", None)
    return int(line) if line else None


def _section(parser: configparser.RawConfigParser, profile: str) -> str:
    """The section of this profile, made when missing. `[profile default]` is a spelling of `[default]` in botocore."""
    names = [f"profile {profile}", f'profile "{profile}"']
    if profile == "default":
        names.insert(0, "default")
    for name in names:
        if parser.has_section(name):
            return name
    parser.add_section(names[0])
    return names[0]


def _assume_role(parser: configparser.RawConfigParser, pair: Pair, environment: Mapping[str, str], profile: str) -> str:
    """A profile of our own that assumes the pair's role; returns its section."""
    section = f"profile {ASSUMED_ROLE_PROFILE}"
    parser.remove_section(section)
    parser.add_section(section)
    base = f"profile {profile}" if parser.has_section(f"profile {profile}") else profile
    for key in ("region", "s3", "ca_bundle", "endpoint_url", "services", "retry_mode", "max_attempts"):
        if parser.has_option(base, key):
            parser.set(section, key, parser.get(base, key))
    parser.set(section, "role_arn", str(pair.role_arn))
    parser.set(section, "role_session_name", f"runner-{pair.name}"[:64])
    key, value = _first_credentials(parser, pair, environment, profile)
    parser.set(section, key, value)
    return section


def _first_credentials(
    parser: configparser.RawConfigParser, pair: Pair, environment: Mapping[str, str], profile: str
) -> tuple[str, str]:
    """Where the role's own credentials come from, in the order of AWS's chain (botocore/credentials.py)."""
    if pair.profile:
        return "source_profile", pair.profile
    if environment.get("AWS_ACCESS_KEY_ID"):
        return "credential_source", "Environment"
    if environment.get("AWS_PROFILE") or environment.get("AWS_DEFAULT_PROFILE"):
        return "source_profile", profile
    if environment.get("AWS_WEB_IDENTITY_TOKEN_FILE") and environment.get("AWS_ROLE_ARN"):
        return "source_profile", _web_identity(parser, environment)
    if _has_credentials(parser, environment):
        return "source_profile", profile
    if environment.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") or environment.get(
        "AWS_CONTAINER_CREDENTIALS_FULL_URI"
    ):
        return "credential_source", "EcsContainer"
    return "credential_source", "Ec2InstanceMetadata"


def _web_identity(parser: configparser.RawConfigParser, environment: Mapping[str, str]) -> str:
    section = f"profile {_WEB_IDENTITY_PROFILE}"
    parser.remove_section(section)
    parser.add_section(section)
    parser.set(section, "web_identity_token_file", environment["AWS_WEB_IDENTITY_TOKEN_FILE"])
    parser.set(section, "role_arn", environment["AWS_ROLE_ARN"])
    parser.set(section, "role_session_name", environment.get("AWS_ROLE_SESSION_NAME") or "runner")
    return _WEB_IDENTITY_PROFILE


def _has_credentials(parser: configparser.RawConfigParser, environment: Mapping[str, str]) -> bool:
    """The default profile says where credentials are, here or in the credentials file."""
    keys = ("aws_access_key_id", "credential_process", "sso_session", "sso_start_url", "role_arn")
    if any(parser.has_option(section, key) for section in ("default", "profile default") for key in keys):
        return True
    home = environment.get("HOME") or str(Path("~").expanduser())
    named = environment.get("AWS_SHARED_CREDENTIALS_FILE") or f"{home}/.aws/credentials"
    credentials = configparser.RawConfigParser()
    try:
        credentials.read(named, encoding="utf-8")
    except (configparser.Error, OSError, UnicodeDecodeError):
        return False
    return credentials.has_section("default")


def _s3_settings(pair: Pair) -> dict[str, str]:
    wanted: dict[str, str] = {}
    if pair.bandwidth_bytes_per_second:
        # v1 reads no plain bytes a second; its KB is 1024 (customizations/s3/transferconfig.py)
        wanted["max_bandwidth"] = f"{max(1, pair.bandwidth_bytes_per_second // 1024)}KB/s"
    if pair.concurrency != CLI_CONCURRENCY:  # the default leaves the user's own config its say
        wanted["max_concurrent_requests"] = str(pair.concurrency)
    if pair.addressing_style:
        wanted["addressing_style"] = pair.addressing_style
    return wanted


def _nested(value: str) -> dict[str, str]:
    """A nested section as botocore reads it: `key = value` lines."""
    pairs = (line.partition("=") for line in value.splitlines() if "=" in line)
    return {key.strip(): text.strip() for key, _, text in pairs}
