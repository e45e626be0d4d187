"""The look-up that needs no library: keys in the environment, and nothing else that could have a say.

Importing botocore costs 0.35 s of CPU and 20 MB for the answer that the environment gives already. Whatever is more
than this (a profile, a file, a role, an expiry, FIPS, a region that botocore must be asked about) is left to it; that
both give the same answer is tests/unit/test_store_plain_environment.py's affair. Pure.
"""

import re
from collections.abc import Mapping

from runner.store.credentials import CredentialRequest

_SPEAKS = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_DATA_PATH",
)
# Regions of Amazon's commercial partition, whose endpoints are all spelled alike.
_COMMERCIAL = re.compile(r"(?:af|ap|ca|eu|il|me|mx|sa|us)-(?:central|(?:north|south)?(?:east|west)|north|south)-\d")


def plain_answer(request: CredentialRequest) -> dict[str, object] | None:
    """The fields of a `credentials` message, None when botocore must be asked. There are no config files."""
    environment = request.environment
    if request.profile or request.role_arn or any(name in environment for name in _SPEAKS):
        return None
    access_key, secret_key = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    if not request.anonymous and not (access_key and secret_key):
        return None
    region = request.region or environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or "us-east-1"
    configured = (
        request.endpoint_url or environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL") or None
    )
    if configured is None and not _COMMERCIAL.fullmatch(region):
        return None
    keys: dict[str, object] = {
        "access_key": access_key,
        "secret_key": secret_key,
        "token": environment.get("AWS_SECURITY_TOKEN") or environment.get("AWS_SESSION_TOKEN") or "",
        "expires_at": None,
    }
    return {
        "type": "credentials",
        "region": region,
        "endpoint_url": configured,
        "s3_endpoint": configured or f"https://s3.{region}.amazonaws.com",
        "ca_bundle": _ca_bundle(request, environment),
        "addressing_style": None,
        **({} if request.anonymous else keys),
        "cacheable": True,
    }


def _ca_bundle(request: CredentialRequest, environment: Mapping[str, str]) -> str | None:
    return request.ca_bundle or environment.get("AWS_CA_BUNDLE")
