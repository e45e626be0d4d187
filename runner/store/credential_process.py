"""Looks credentials, region and endpoint up as the AWS CLI does. The only module that imports botocore.

`serve` is the main loop of the service process; `resolve` is one look-up, run in a child of it (lookups.py) whose
environment is the request's own: botocore reads os.environ, the C environment and files wherever it likes, and a
look-up that hangs can be killed. Never writes a secret anywhere but into its answer.
"""

import configparser
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from runner.model.names import printable
from runner.store.config_files import config_files
from runner.store.credential_service import CredentialService
from runner.store.credentials import CredentialRequest
from runner.store.plain_environment import plain_answer
from runner.wire.channel import Channel

_STATIC_METHODS = frozenset({"env", "shared-credentials-file", "config-file"})


def serve(channel: Channel) -> None:
    """Answers until the supervisor says `stop` or is gone."""
    CredentialService(channel, prepare, resolve).run()


def prepare() -> None:
    """Imports what look-ups need, once, so that their processes share it."""
    import botocore.configprovider
    import botocore.credentials
    import botocore.regions
    import botocore.session  # noqa: F401


def resolve(request: CredentialRequest) -> dict[str, object]:
    """The fields of a `credentials` or `credentials-failed` message (without `id`), and `cacheable` for the service.

    Call it in a process of its own: it replaces the AWS_* variables of os.environ by the request's.
    """
    _take_environment(request.environment)
    try:
        is_there = [_is_readable(path) for path in config_files(os.environ)]
        plain = None if any(is_there) else plain_answer(request)
        return _resolved(request) if plain is None else plain
    except Exception as error:  # noqa: BLE001 (botocore's look-ups raise whatever their sources do)
        return _failure(error, request)


class _UnreadableFileError(Exception):
    """botocore takes an unreadable file for a missing one, and a person would look for the keys elsewhere."""


def _is_readable(path: Path) -> bool:
    """False when there is none. Raises _UnreadableFileError."""
    try:
        with path.open("rb") as file:
            file.read(1)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _UnreadableFileError(f"bad credentials file: {path} cannot be read: {error.strerror}") from error
    return True


def _take_environment(environment: Mapping[str, str]) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(environment)


def _resolved(request: CredentialRequest) -> dict[str, object]:
    import botocore.session

    session = botocore.session.Session(profile=request.profile)
    if request.ca_bundle:
        session.set_config_variable("ca_bundle", request.ca_bundle)
    region = request.region or os.environ.get("AWS_REGION") or session.get_config_variable("region")
    place = _place(session, request, region or "us-east-1")
    if request.anonymous:
        return {"type": "credentials", **place, "cacheable": True}
    found = session.get_credentials()
    if found is None:
        return _failed(
            "no AWS credentials found",
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile in ~/.aws/credentials, or a role",
        )
    keys = _assumed(session, found, request.role_arn, region or "us-east-1") if request.role_arn else _keys(found)
    return {"type": "credentials", **place, **keys}


def _keys(found: Any) -> dict[str, object]:
    frozen = found.get_frozen_credentials()
    expires = getattr(found, "_expiry_time", None)  # botocore has no public word for it
    return {
        "access_key": frozen.access_key,
        "secret_key": frozen.secret_key,
        "token": frozen.token or "",
        "expires_at": expires.timestamp() if isinstance(expires, datetime) else None,
        "cacheable": isinstance(expires, datetime) or found.method in _STATIC_METHODS,
    }


def _assumed(session: Any, found: Any, role_arn: str, region: str) -> dict[str, object]:
    from botocore.config import Config
    from botocore.credentials import AssumeRoleCredentialFetcher

    patience = Config(connect_timeout=10, read_timeout=20, retries={"total_max_attempts": 2})

    def client(service: str, **keys: Any) -> Any:
        return session.create_client(service, **{"region_name": region, **keys, "config": patience})

    fetcher = AssumeRoleCredentialFetcher(client, found, role_arn, extra_args={"RoleSessionName": "runner"})
    fetched = fetcher.fetch_credentials()
    return {
        "access_key": fetched["access_key"],
        "secret_key": fetched["secret_key"],
        "token": fetched["token"],
        "expires_at": datetime.fromisoformat(fetched["expiry_time"]).timestamp(),
        "cacheable": True,
    }


def _place(session: Any, request: CredentialRequest, region: str) -> dict[str, object]:
    from botocore.configprovider import ConfiguredEndpointProvider

    scoped = session.get_scoped_config()
    configured = request.endpoint_url
    if not configured and not session.get_config_variable("ignore_configured_endpoint_urls"):
        configured = ConfiguredEndpointProvider(session.full_config, scoped, "s3").provide()
    s3_options = scoped.get("s3")
    return {
        "region": region,
        "endpoint_url": configured or None,
        "s3_endpoint": configured or _amazon_endpoint(session, region),
        "ca_bundle": session.get_config_variable("ca_bundle"),
        "addressing_style": s3_options.get("addressing_style") if isinstance(s3_options, dict) else None,
    }


def _amazon_endpoint(session: Any, region: str) -> str:
    """From botocore's endpoint data; a region it does not know is spelled as all of them are."""
    from botocore.loaders import create_loader
    from botocore.regions import EndpointResolver

    data = create_loader(session.get_config_variable("data_path")).load_data("endpoints")
    found = EndpointResolver(data).construct_endpoint(
        "s3",
        region,
        use_dualstack_endpoint=bool(session.get_config_variable("use_dualstack_endpoint")),
        use_fips_endpoint=bool(session.get_config_variable("use_fips_endpoint")),
    )
    return f"https://{found['hostname']}" if found else f"https://s3.{region}.amazonaws.com"


def _failed(reason: str, hint: str = "", *, permanent: bool = False) -> dict[str, object]:
    return {"type": "credentials-failed", "reason": reason, "hint": hint, "permanent": permanent}


# What only a person can cure: the worker leaves with it and is tried again from time to time
_PERMANENT = frozenset({"ProfileNotFound", "PartialCredentialsError", "InvalidConfigError", "InfiniteLoopConfigError"})
_LOGIN = frozenset(
    {
        "UnauthorizedSSOTokenError",
        "SSOTokenLoadError",
        "TokenRetrievalError",
        "LoginRefreshRequired",
        "LoginTokenLoadError",
    }
)


def _failure(error: Exception, request: CredentialRequest) -> dict[str, object]:
    name = type(error).__name__
    if isinstance(error, _UnreadableFileError):
        return _failed(str(error), "make it readable for this user", permanent=True)
    if name == "ConfigParseError":
        return _failed(_parse_complaint(error), "correct the file", permanent=True)
    text = printable(f"{error}")[:500]
    for secret in (request.environment.get("AWS_SECRET_ACCESS_KEY"), request.environment.get("AWS_SESSION_TOKEN")):
        text = text.replace(secret, "***") if secret and len(secret) >= 8 else text
    if name == "ProfileNotFound":
        text = f"there is no profile {request.profile or os.environ.get('AWS_PROFILE')!r} in the AWS config files"
    hint = "log in again: `aws sso login` or `aws login`" if name in _LOGIN else ""
    reason = f"no credentials: {text}" if name != "ClientError" else f"the role {request.role_arn} was refused: {text}"
    return _failed(reason, hint, permanent=name in _PERMANENT)


def _parse_complaint(error: Exception) -> str:
    """File and line, never the line's text: it may be a key."""
    details: dict[str, Any] = getattr(error, "kwargs", {})
    path, cause = details.get("path", "the AWS config file"), details.get("error")
    line = getattr(cause, "lineno", None)
    if line is None and isinstance(cause, configparser.ParsingError) and cause.errors:
        line = cause.errors[0][0]
    what = {
        "MissingSectionHeaderError": "a line before the first [profile]",
        "DuplicateOptionError": "a key given twice",
        "DuplicateSectionError": "a profile given twice",
        "UnicodeDecodeError": "not UTF-8 text",
    }.get(type(cause).__name__, "not in the form `key = value`")
    return f"bad credentials file: {path}:{line}: {what}" if line else f"bad credentials file: {path}: {what}"
