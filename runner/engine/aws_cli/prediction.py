"""The AWS CLI's own rule for what it transfers, so that we know beforehand what a run will do and what it will skip.

Pure. Source: awscli/customizations/s3/syncstrategy/base.py and exacttimestamps.py: both times as Python datetimes,
that is in whole microseconds; an upload replaces what is older, a download with --exact-timestamps what differs.
"""

from dataclasses import dataclass

from runner.config.settings import Pair


@dataclass(frozen=True, slots=True)
class Rule:
    """How this pair's runs compare. size_only, exact_times: the CLI's flags of these names."""

    size_only: bool = False
    exact_times: bool = True

    @classmethod
    def of(cls, pair: Pair) -> "Rule":
        size_only = "--size-only" in pair.aws_args
        return cls(size_only=size_only, exact_times=not size_only)

    def uploads(self, size: int, mtime_ns: int, remote_size: int, remote_modified: float) -> bool:
        """A push run replaces the object. remote_modified: LastModified, seconds since the epoch."""
        if size != remote_size:
            return True
        return not self.size_only and _micro(mtime_ns) > round(remote_modified * 1e6)

    def downloads(self, size: int, mtime_ns: int, remote_size: int, remote_modified: float) -> bool:
        """A pull run replaces the file."""
        if size != remote_size:
            return True
        return self.exact_times and _micro(mtime_ns) != round(remote_modified * 1e6)


def in_place(size: int, mtime_ns: int, remote_size: int, remote_modified: float) -> bool:
    """The file is that object as a pull leaves it: its mtime is LastModified, in whole seconds as the CLI sets it."""
    return size == remote_size and mtime_ns // 1_000_000_000 == int(remote_modified)


def _micro(nanoseconds: int) -> int:
    return round(nanoseconds / 1000)
