"""The witness under the name that the integration tests use."""

from tests.witness import aws

__all__ = ["aws"]
