"""Takes secrets out of log messages: the values this process knows, and what looks like one. Pure.

Access key ids are no secrets (AWS prints them itself); secret keys, session tokens and signatures are.
"""

import re
from collections.abc import Iterable, Mapping

SECRET_VARIABLES = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
)
MARK = "***"
_SHORTEST_SECRET = 8  # a shorter "secret" would blank out ordinary words

# Names of fields with a secret value (CLI config, JSON of the STS and IMDS answers, query strings), then one value.
_FIELDS = (
    r"secret_?access_?key|session_?token|security_?token|x-amz-security-token|x-amz-signature|x-amz-credential-token"
    r"|aws_container_authorization_token|client_?secret|access_?token|refresh_?token|passwd|password"
)
_FIELD = re.compile(rf"""((?:{_FIELDS})["']?\s*(?:%3D|[=:])\s*["']?)([^\s"'&,;}}]+)""", re.IGNORECASE)
_HEADER = re.compile(r"""((?:proxy-)?authorization["']?\s*[=:]\s*["']?)([^"'\r\n]+)""", re.IGNORECASE)
_SIGNATURE = re.compile(r"\b(Signature=)([0-9A-Za-z%+/=]{16,})")
_USERINFO = re.compile(r"([a-z][a-z0-9+.-]*://)[^\s/@]*:[^\s/@]*@", re.IGNORECASE)
# Each pattern below runs only on lines that hold one of these: searching for a plain word costs next to nothing.
_FIELD_WORDS = ("secret", "token", "x-amz-signature", "passw")


class Redactor:
    """Replaces secrets by `***`. values: secrets known from elsewhere; short ones are ignored."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        known = sorted({value for value in values if len(value) >= _SHORTEST_SECRET}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def redacted(self, message: str) -> str:
        if self._known is not None:
            message = self._known.sub(MARK, message)
        lowered = message.lower()
        if "authorization" in lowered:
            message = _HEADER.sub(rf"\1{MARK}", message)
        if any(word in lowered for word in _FIELD_WORDS):
            message = _FIELD.sub(rf"\1{MARK}", message)
        if "signature=" in lowered:
            message = _SIGNATURE.sub(rf"\1{MARK}", message)
        if "@" in message and "://" in message:
            message = _USERINFO.sub(rf"\1{MARK}@", message)
        return message


def secrets_of(environment: Mapping[str, str]) -> list[str]:
    """The secret values among the AWS variables of an environment."""
    return [environment[name] for name in SECRET_VARIABLES if environment.get(name)]
