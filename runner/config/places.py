"""Where a pair's two sides are: bucket, prefix, endpoint and folder as text, by S3's and our own rules. Pure.

Sources: S3 user guide, "General purpose bucket naming rules", "Access points ARN"; the AWS CLI's s3 URI grammar.
"""

import ipaddress
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from runner.config import values
from runner.config.values import shown

_BUCKET = re.compile(r"[a-z0-9](?:[a-z0-9.-]{1,61})[a-z0-9]")
# `-s3alias` is the alias of an access point and is used as a bucket's name; `--x-s3` are directory buckets, which
# `aws s3 sync` cannot do
_FORBIDDEN_STARTS = ("xn--", "sthree-", "amzn-s3-demo-")
_FORBIDDEN_ENDS = (".mrap", "--x-s3", "--table-s3")
ACCESS_POINT = re.compile(
    r"arn:aws[a-z-]*:s3:[a-z0-9-]+:[0-9]{12}:accesspoint[/:][a-z0-9](?:[a-z0-9-]{1,48})[a-z0-9](?=/|$)"
)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_AWS_HOST = re.compile(r"(?:.*\.)?s3[.-].*amazonaws\.com(?:\.cn)?|s3\.amazonaws\.com")
_LONGEST_PREFIX_BYTES = 900  # a key has at most 1,024 bytes and the path below the folder needs room


def split_bucket(text: str) -> tuple[str, str | None]:
    """`s3://name/a/b` -> (name, "a/b"); a bare name or ARN -> (name, None)."""
    has_scheme = text.lower().startswith("s3://")
    rest = text[5:] if has_scheme else text
    arn = ACCESS_POINT.match(rest)
    if arn:
        tail = rest[arn.end() :]
        return arn[0], tail[1:] if tail else None
    if not has_scheme:
        return text, None
    name, _, prefix = rest.partition("/")
    return name, prefix


def bucket(value: Any) -> str:
    """A bucket's bare name, or the ARN of an access point."""
    name = values.text(value)
    if ACCESS_POINT.fullmatch(name):
        return name
    if name.startswith("arn:"):
        raise ValueError(
            f"{shown(name)} is not the ARN of an access point; "
            "write a bucket's name or arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME"
        )
    bare, _, rest = name.partition("/")
    if rest or bare != name:
        advice = f"write s3://{name} or give prefix a line of its own" if rest else f"did you mean '{bare}'?"
        raise ValueError(f"{shown(name)} is not a bucket's name; {advice}")
    reason = _refused_bucket(name)
    if reason:
        raise ValueError(f"{shown(name)} is not a bucket's name: {reason}")
    return name


def _refused_bucket(name: str) -> str:
    if not _BUCKET.fullmatch(name):
        lower = name.lower()
        did_you_mean = f"; did you mean '{lower}'?" if lower != name and _BUCKET.fullmatch(lower) else ""
        return f"allowed are 3 to 63 of a-z 0-9 . -, a letter or digit at both ends{did_you_mean}"
    if ".." in name:
        return "two dots in a row are not allowed"
    if re.fullmatch(r"[0-9]+(\.[0-9]+){3}", name):
        return "an IP address is not allowed"
    if name.startswith(_FORBIDDEN_STARTS) or name.endswith(_FORBIDDEN_ENDS):
        return "S3 keeps this beginning or end for itself"
    return ""


def prefix(value: Any) -> str:
    """Normalised: empty, or with one `/` at the end."""
    if value == "" and not isinstance(value, values.Plain):
        return ""
    text = values.text(value)
    if text.startswith("/"):
        bare = text.lstrip("/")
        advice = f"write {shown(bare)}" if bare else "leave it out for the whole bucket"
        raise ValueError(f"{shown(text)} starts with '/', which no key does here; {advice}")
    if text.lower().startswith("s3://"):
        raise ValueError(f"{shown(text)} is a whole URL; write it as bucket, or only the part behind the bucket here")
    normal = text if text.endswith("/") else text + "/"
    if any(part in ("", ".", "..") for part in normal[:-1].split("/")):
        raise ValueError(f"{shown(text)} has an empty, '.' or '..' part; write a plain prefix such as a/b/")
    if len(normal.encode()) > _LONGEST_PREFIX_BYTES:
        raise ValueError(f"is longer than {_LONGEST_PREFIX_BYTES} bytes; a key has 1024 at most")
    return normal


def web_address(value: Any) -> str:
    """An http or https URL with a host."""
    text = values.text(value)
    _split_url(text)
    return text


def endpoint(value: Any) -> str:
    """The address of an S3 server, without a trailing slash."""
    text = values.text(value)
    parts = _split_url(text)
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError(f"{shown(text)} holds more than an address; write for example https://s3.example.com:9000")
    return text.rstrip("/")


def _split_url(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        good = parts.scheme in _DEFAULT_PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or re.search(r"\s", text):
        hint = f"; did you mean 'http://{text}'?" if re.fullmatch(r"[\w.-]+(:[0-9]+)?", text) else ""
        raise ValueError(f"{shown(text)} is not a web address; write http://... or https://...{hint}")
    return parts


def normal_endpoint(url: str | None) -> str:
    """One spelling for one server: case, default port and slashes do not count; "" is AWS itself."""
    if not url:
        return ""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    if _AWS_HOST.fullmatch(host):
        return ""
    if host == "localhost" or _is_loopback(host):
        host = "localhost"
    port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    return f"{host}:{port}{parts.path.rstrip('/')}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def local_path(value: Any) -> Path:
    """A path as typed; `~` is refused, because whose home it means differs between a shell and a container."""
    text = values.text(value)
    if text.startswith("~"):
        raise ValueError(f"{shown(text)}: '~' is not expanded; write ${{HOME}}/... or a full path")
    return Path(text)


def absolute(path: Path, directory: Path) -> Path:
    """Relative to the directory, `..` taken as the kernel would: through links, not by the text."""
    joined = directory / path
    if ".." not in joined.parts:
        return joined
    last = len(joined.parts) - joined.parts[::-1].index("..")
    return Path(os.path.realpath(Path(*joined.parts[:last])), *joined.parts[last:])


def default_name(folder: Path) -> str:
    """The last part of the folder, in the letters a name may have."""
    return re.sub(r"[^a-z0-9_-]+", "-", folder.name.lower()).strip("-")[:63] or "pair"
