"""What requests cost on Amazon S3: us-east-1, Standard class, https://aws.amazon.com/s3/pricing/ as of 2026-09-25.

An estimate for status and check, not a bill: other regions and classes differ, other providers have other prices.
"""

from urllib.parse import urlsplit

from runner.model.passes import Requests

USD_PER_PUT_OR_LIST = 0.005 / 1000  # PUT, COPY, POST, LIST
USD_PER_GET = 0.0004 / 1000  # GET, HEAD and the rest; DELETE is free
PRICE_SOURCE = "us-east-1 Standard, aws.amazon.com/s3/pricing, 2026-09-25"


def usd(requests: Requests) -> float:
    """US dollars for these requests."""
    return (requests.lists + requests.puts) * USD_PER_PUT_OR_LIST + requests.gets * USD_PER_GET


def is_aws(endpoint_url: str | None) -> bool:
    """Whether requests there are billed by AWS; no endpoint means Amazon's own."""
    if not endpoint_url:
        return True
    host = (urlsplit(endpoint_url).hostname or "").lower().rstrip(".")
    return host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws")) or host == "amazonaws.com"
