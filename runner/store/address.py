"""Where a request goes: host, path and query of a bucket's objects, encoded exactly as they are signed. Pure.

Path style puts the bucket into the path, virtual style into the host name (AWS, "Virtual hosting of buckets").
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, urlsplit

from runner.store.errors import StoreError
from runner.store.price import is_aws

_VIRTUAL_NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")  # no dots: they break the certificate's wildcard
Style = Literal["auto", "path", "virtual"]


@dataclass(frozen=True, slots=True)
class Address:
    """host: with the port where it is not the scheme's own; root: path of the bucket, "" or "/bucket"."""

    scheme: str
    host: str
    root: str

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.host}"

    def target(self, key: str = "", query: Mapping[str, str] | None = None) -> str:
        """Path and query of a request line."""
        path = f"{self.root}/{encoded_key(key)}" if key else self.root or "/"
        return f"{path}?{encoded_query(query)}" if query else path


def encoded_key(key: str) -> str:
    """Every byte but unreserved ones and "/" percent-encoded: what SigV4 signs for S3 and no proxy normalises."""
    return quote(key.encode("utf-8", "surrogateescape"), safe="/-_.~")


def encoded_query(query: Mapping[str, str]) -> str:
    """Sorted, strict percent-encoding (a space is %20, never +)."""
    pairs = sorted((quote(name, safe="-_.~"), _encoded_value(value)) for name, value in query.items())
    return "&".join(f"{name}={value}" for name, value in pairs)


def _encoded_value(value: str) -> str:
    return quote(value.encode("utf-8", "surrogateescape"), safe="-_.~")


def address_of(endpoint_url: str, bucket: str, style: Style | None) -> Address:
    """Raises StoreError (permanent) when the endpoint is not an http(s) URL."""
    parts = urlsplit(endpoint_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise StoreError(
            f"{endpoint_url!r} is not an endpoint", "write https://HOST or http://HOST:PORT", permanent=True
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if parts.port and parts.port != {"http": 80, "https": 443}[parts.scheme]:
        host += f":{parts.port}"
    base = parts.path.rstrip("/")
    if _is_virtual(endpoint_url, bucket, style):
        return Address(parts.scheme, f"{bucket}.{host}", base)
    return Address(parts.scheme, host, f"{base}/{quote(bucket, safe='-_.~')}")


def _is_virtual(endpoint_url: str, bucket: str, style: Style | None) -> bool:
    if style in ("path", "virtual"):
        return style == "virtual"
    return is_aws(endpoint_url) and _VIRTUAL_NAME.fullmatch(bucket) is not None


def style_of(text: str | None) -> Style | None:
    """The AWS config file's `s3.addressing_style`; anything unknown is as if it were not there."""
    styles: dict[str | None, Style] = {"path": "path", "virtual": "virtual", "auto": "auto"}
    return styles.get(text)
