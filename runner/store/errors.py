"""What S3 can answer, as errors with a sentence for the person: what, where, why, what to do.

Owns the table from (status, code) to error. Never decides whether to ask again: retry.py does, by type.
403 is never absence. Sources: "Error responses" in the S3 API reference; research notes on what servers really send.
"""

import re
from dataclasses import dataclass, field
from xml.etree import ElementTree

from runner.model.errors import UserError
from runner.model.names import printable

_BODY_BYTES = 64 * 1024  # an error document is a few hundred bytes; more is not one


class StoreError(UserError):
    """Something S3, the network or the settings refused.

    permanent: trying again soon cannot help, a person must change something here first (an unreadable CA bundle).
    Wrong keys, a missing bucket or a denied action are *not* permanent: they heal from outside and are retried with
    the pass's own backoff. status and code: as S3 sent them, 0 and "" when there was no answer.
    """

    def __init__(
        self, message: str, hint: str = "", *, permanent: bool = False, status: int = 0, code: str = ""
    ) -> None:
        super().__init__(message, hint)
        self.permanent = permanent
        self.retry_after = ""  # the header, as it came
        self.status = status
        self.code = code
        self.lost = 0  # attempts of this call that may have been carried out though no answer came


class AccessDeniedError(StoreError):
    """403 of a request whose signature was accepted (or of a HEAD, which carries no reason)."""


class CredentialsRejectedError(StoreError):
    """The key, secret or token is not (or no longer) accepted."""


class ClockSkewError(StoreError):
    """This machine's clock and S3's differ by more than 15 minutes."""


class NoSuchBucketError(StoreError):
    """The endpoint says that there is no such bucket."""


class NoSuchKeyError(StoreError):
    """A parsed NoSuchKey: the one proof that an object is absent."""


class UnreachableError(StoreError):
    """No answer: refused, no such host, TLS, or silence."""


class CertificateError(UnreachableError):
    """TLS failed; asking again at once changes nothing."""


class ThrottledError(StoreError):
    """SlowDown until our patience ended."""


class ServerFaultError(StoreError):
    """5xx until our patience ended, or an answer that is none."""


class WrongRegionError(StoreError):
    """The bucket is elsewhere. region: where, "" when S3 did not say."""

    region = ""


class PreconditionFailedError(StoreError):
    """412 (or 409): the object is not the one the condition named."""


class ArchivedObjectError(StoreError):
    """The object is in an archive class and must be restored first."""


class ObjectTooLargeError(StoreError):
    """The object is larger than the caller can take."""


class UnprovenListingError(StoreError):
    """An answer that cannot be believed as the bucket's complete listing: nothing may be concluded from it."""


class SourceChangedError(StoreError):
    """The local file changed while it was sent: nothing of it was published."""


class StoppedError(StoreError):
    """The caller's should_stop became true."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked; for the sentence."""

    operation: str  # S3's name, such as ListObjectsV2
    bucket: str
    endpoint: str
    key: str = ""

    @property
    def place(self) -> str:
        where = f"s3://{self.bucket}/{printable(self.key)}" if self.key else f"bucket {self.bucket}"
        return f"{where} at {self.endpoint}"


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """An answer that is not a success. headers: lower-case names."""

    status: int
    code: str = ""
    message: str = ""
    region: str = ""
    headers: dict[str, str] = field(default_factory=dict)


# The IAM action a person must allow (Service Authorization Reference, "Actions defined by Amazon S3")
_ACTIONS = {
    "ListObjectsV2": "s3:ListBucket",
    "HeadObject": "s3:GetObject",
    "GetObject": "s3:GetObject",
    "PutObject": "s3:PutObject",
    "DeleteObject": "s3:DeleteObject",
    "CopyObject": "s3:GetObject and s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "UploadPartCopy": "s3:GetObject and s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "GetObjectAcl": "s3:GetObjectAcl",
    "GetObjectTagging": "s3:GetObjectTagging",
    "PutObjectTagging": "s3:PutObjectTagging",
    "GetBucketVersioning": "s3:GetBucketVersioning",
    "GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
}

_REJECTED = {
    "InvalidAccessKeyId": "the access key is not known there",
    "SignatureDoesNotMatch": "the secret key is wrong",
    "ExpiredToken": "the session token has expired",
    "TokenRefreshRequired": "the session token must be refreshed",
    "InvalidToken": "the session token is not valid",
    "InvalidSecurity": "the security credentials are not valid",
    "AuthFailure": "the credentials are not valid",
    "UnauthorizedAccess": "the credentials are not valid",
    "InvalidClientTokenId": "the access key is not known there",
}

THROTTLES = frozenset({"SlowDown", "Throttling", "ThrottlingException", "TooManyRequests", "RequestLimitExceeded"})
FAULTS = frozenset({"InternalError", "ServiceUnavailable", "RequestTimeout", "OperationAborted"})


def parse_error(status: int, headers: dict[str, str], body: bytes) -> ErrorAnswer:
    """Reads an S3 error document; anything else (HTML, nothing) leaves code and message empty."""
    region = headers.get("x-amz-bucket-region", "")
    root = document(body)
    if root is None or local_name(root.tag) != "Error":
        return ErrorAnswer(status, "", "", region, headers)
    texts = {local_name(child.tag): (child.text or "").strip() for child in root}
    return ErrorAnswer(
        status, texts.get("Code", ""), texts.get("Message", ""), region or texts.get("Region", ""), headers
    )


def document(body: bytes) -> ElementTree.Element | None:
    """A small XML answer's root; None for anything else."""
    if not body or len(body) > _BODY_BYTES or b"<!" in body:  # no DTD, no entities
        return None
    try:
        return ElementTree.fromstring(body.decode("utf-8"))  # noqa: S314 (no DTD gets here)
    except (ElementTree.ParseError, ValueError):
        return None


def local_name(tag: str) -> str:
    """A tag without its namespace: servers differ in it."""
    return tag.rpartition("}")[2]


def error_of(answer: ErrorAnswer, asked: Asked) -> StoreError:
    """The error for an answer. Pure; every branch is a row of tests/unit/test_store_errors.py."""
    for decide in (_credentials, _absence, _condition, _pressure, _region):
        error = decide(answer, asked)
        if error is not None:
            error.status, error.code = answer.status, answer.code
            return error
    if answer.status in (401, 403):
        return _denied(answer, asked)
    said = printable(" ".join(part for part in (answer.code, answer.message) if part))[:300]
    message = f"{asked.operation} on {asked.place} was refused with {answer.status}"
    return StoreError(f"{message}: {said}" if said else message, status=answer.status, code=answer.code)


def _credentials(answer: ErrorAnswer, asked: Asked) -> StoreError | None:
    if answer.code in ("RequestTimeTooSkewed", "RequestExpired"):
        return ClockSkewError(
            f"{asked.endpoint} refuses requests: this machine's clock is off by more than 15 minutes", "set the clock"
        )
    why = _REJECTED.get(answer.code)
    if why is None:
        return None
    hint = "look at the profile, the AWS_* variables and ~/.aws/credentials of this user"
    return CredentialsRejectedError(f"{why} ({answer.code}) for {asked.place}", hint)


def _absence(answer: ErrorAnswer, asked: Asked) -> StoreError | None:
    if answer.code == "NoSuchBucket":
        return NoSuchBucketError(
            f"the bucket {asked.bucket} does not exist at {asked.endpoint}",
            "make it, or correct bucket or endpoint_url",
        )
    if answer.code == "NoSuchKey" and answer.status == 404:
        return NoSuchKeyError(f"there is no {asked.place}")
    return None


def _condition(answer: ErrorAnswer, asked: Asked) -> StoreError | None:
    if answer.status == 412 or answer.code in ("PreconditionFailed", "ConditionalRequestConflict"):
        return PreconditionFailedError(f"{asked.place} was changed by someone else meanwhile")
    if answer.code == "InvalidObjectState":
        return ArchivedObjectError(f"{asked.place} is archived", "restore it in S3 first")
    return None


def _pressure(answer: ErrorAnswer, asked: Asked) -> StoreError | None:
    if answer.status == 429 or answer.code in THROTTLES:
        return ThrottledError(f"{asked.endpoint} asks to slow down ({asked.operation} on {asked.bucket})")
    if answer.status in (500, 502, 503, 504) or answer.code in FAULTS:
        said = f"{answer.status} {answer.code}".strip()
        return ServerFaultError(f"{asked.endpoint} failed on {asked.operation} of {asked.bucket} ({said})")
    return None


def _region(answer: ErrorAnswer, asked: Asked) -> StoreError | None:
    moved = answer.status in (301, 307) or answer.code in ("PermanentRedirect", "TemporaryRedirect")
    malformed = answer.code in ("AuthorizationHeaderMalformed", "IllegalLocationConstraintException")
    if not (moved or malformed or (answer.status == 400 and answer.region)):
        return None
    where = f" in {answer.region}" if answer.region else " in another region or at another endpoint"
    error = WrongRegionError(f"the bucket {asked.bucket} is{where}, not at {asked.endpoint}", "set region of the pair")
    error.region = answer.region if re.fullmatch(r"[a-z0-9-]{2,40}", answer.region) else ""
    return error


def _denied(answer: ErrorAnswer, asked: Asked) -> StoreError:
    action = _ACTIONS.get(asked.operation, asked.operation)
    said = f" ({printable(answer.message)[:200]})" if answer.message and answer.message != "Access Denied" else ""
    hint = f"allow {action} in the policy of user, role or bucket"
    if not answer.code:
        hint += ", or look whether the key and secret are right (the answer gave no reason)"
    return AccessDeniedError(
        f"access denied: {action} on {asked.place}{said}", hint, status=answer.status, code=answer.code
    )
