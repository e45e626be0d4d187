"""The CLI's runs and our own requests must mean the same bucket: same endpoint, same owner. Looks, moves nothing.

An AWS CLI before 2.13 (1.29) knows nothing of AWS_ENDPOINT_URL and of `endpoint_url` in the AWS config file: without
help it would send to Amazon what we have compared with another server. And no AWS CLI has a flag for
`expected_bucket_owner`: a push that needs no listing of ours would never have asked.
"""

import os
from collections.abc import Sequence

from runner.engine.aws_cli.one_pass import OnePass
from runner.engine.endpoint import endpoint_may_be_elsewhere


def with_our_endpoint(one: OnePass, argv: Sequence[str]) -> list[str]:
    """The arguments with the endpoint that our own requests use, where a CLI may not find it by itself."""
    found = one.client.endpoint_url if endpoint_may_be_elsewhere(one.pair, os.environ) else None
    return [*argv, f"--endpoint-url={found}"] if found else list(argv)


def prove_owner(one: OnePass) -> None:
    """With `expected_bucket_owner`: one page of a listing, which another owner's bucket refuses. Raises StoreError."""
    if one.pair.expected_bucket_owner and not one.listed:
        next(iter(one.client.list(one.pair.prefix)), None)
