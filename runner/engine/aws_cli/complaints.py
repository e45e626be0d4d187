"""The AWS CLI's own sentences, v1 and v2, and what they mean for a person; a table."""

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Complaint:
    """pattern: searched in one line. permanent: only a person can help; such patterns begin at the line's start."""

    pattern: re.Pattern[str]
    message: str
    permanent: bool = False


_TABLE: tuple[tuple[str, str], ...] = (
    (r"No space left on device|\[Errno (?:28|122)\]", "the disk is full"),
    (r"Read-only file system|\[Errno 30\]", "the folder's file system is read-only"),
    (r"ExpiredToken|token (?:included in the request )?is expired|[Tt]oken has expired", "credentials have expired"),
    (r"InvalidAccessKeyId|InvalidClientTokenId|UnrecognizedClientException", "the server does not know the access key"),
    (r"SignatureDoesNotMatch", "the server refuses the signature: a wrong secret key, or a clock that is off"),
    (r"RequestTimeTooSkewed", "this machine's clock is off by more than 15 minutes"),
    (r"Unable to locate credentials|NoCredentials|Partial credentials found", "no AWS credentials were found"),
    (r"config profile \(.*\) could not be found|ProfileNotFound", "the AWS profile does not exist"),
    (r"Error when retrieving (?:credentials|token)|Error loading SSO Token", "AWS credentials could not be fetched"),
    (r"Unable to parse config file", "the AWS config file cannot be read"),
    (r"NoSuchBucket", "the bucket does not exist"),
    (r"You must specify a region|NoRegion", "no AWS region is set"),
    (
        r"PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraint",
        "the bucket is in another region; set `region`",
    ),
    (r"AccessDenied|AllAccessDisabled|\(403\)", "access is denied by the server"),
    (
        r"Could not connect to the endpoint URL|Connection was closed|Connect timeout|Read timeout|timed out"
        r"|Name or service not known|Connection aborted|Connection reset|Connection broken|IncompleteRead",
        "the endpoint cannot be reached",
    ),
    (r"SSL validation failed|CERTIFICATE_VERIFY_FAILED", "the endpoint's certificate is not trusted; set `ca_bundle`"),
    (r"SlowDown|Throttl|ServiceUnavailable|InternalError|\(50[0234]\)", "the server is overloaded or failing"),
)

_PREFIX = r"^(?:aws: \[ERROR\]: |aws: error: |aws s3 \w+: error: |Error: )?"
_PERMANENT_TABLE: tuple[tuple[str, str], ...] = (
    (r"Unknown options?:", "the AWS CLI does not know an option; look at aws_args"),
    (
        r"(?:unrecognized arguments|ambiguous option|the following arguments are required"
        r"|argument \S+: (?:invalid|expected|Invalid))",
        "the AWS CLI cannot read its arguments; look at aws_args",
    ),
    (r"Invalid endpoint", "the endpoint URL is not valid"),
    (r"(?:Parameter|Param) ?[Vv]alidation failed", "the AWS CLI refuses a parameter"),
    (r"Argument list too long", "there are more exclusions than fit on a command line; the warm AWS CLI has no limit"),
)

USAGE = tuple(Complaint(re.compile(_PREFIX + text), message, permanent=True) for text, message in _PERMANENT_TABLE)
CURABLE = tuple(Complaint(re.compile(text), message) for text, message in _TABLE)


def meaning(lines: Sequence[str], known: tuple[Complaint, ...]) -> Complaint | None:
    """The latest line that means something decides."""
    for line in reversed(lines):
        for complaint in known:
            if complaint.pattern.search(line):
                return complaint
    return None
