"""What one pair's keys must be together, and what a key means when it is left out. Pure, but it looks for ca_bundle."""

from collections.abc import Iterator, Mapping
from typing import Any

from runner.config import places
from runner.config.settings import EngineName, Mode, Pair, Symlinks
from runner.config.values import is_off, shown

Finding = tuple[str, str]  # key, sentence

_WRITERS = (Mode.PUSH, Mode.TWO_WAY)
_SYMLINKS = {
    EngineName.NATIVE: (Symlinks.PRESERVE, Symlinks.SKIP),
    EngineName.AWS_CLI: (Symlinks.FOLLOW, Symlinks.FOLLOW_ALL, Symlinks.SKIP),
}


def filled_in(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a pair as typed, plus those whose default depends on other keys (contract, section 2)."""
    pair = dict(raw)
    mode = pair.get("mode")
    has_times = any(pair.get(key) and not is_off(pair[key]) for key in ("cron", "at"))
    engine = EngineName.NATIVE if mode == Mode.TWO_WAY else EngineName.AWS_CLI
    pair.setdefault("engine", str(engine))
    pair.setdefault("every", "none" if has_times else "60s")
    pair.setdefault("watch", mode in _WRITERS)
    pair.setdefault("required", mode in (Mode.PULL, Mode.TWO_WAY))
    pair.setdefault("symlinks", str(Symlinks.PRESERVE if pair["engine"] == EngineName.NATIVE else Symlinks.FOLLOW))
    return pair


def split_location(raw: Mapping[str, Any]) -> tuple[dict[str, Any], list[Finding]]:
    """`bucket: s3://name/prefix` becomes the two keys."""
    pair = dict(raw)
    bucket = pair.get("bucket")
    if not isinstance(bucket, str):
        return pair, []
    name, prefix = places.split_bucket(bucket.strip())
    if prefix is None:
        return pair, []
    pair["bucket"] = name
    if prefix and pair.get("prefix"):
        return pair, [("prefix", f"given twice: bucket already ends in {shown(prefix)}; leave one of them out")]
    if prefix:
        pair["prefix"] = prefix
    return pair, []


def findings(pair: Pair, given: frozenset[str]) -> Iterator[Finding]:
    """What cannot work. given: the keys that stand in the pair itself, not under `defaults`."""
    yield from _schedule(pair)
    yield from _engine(pair, given)
    yield from _location(pair)
    if pair.include and not pair.exclude:
        yield (
            "include",
            'does nothing alone, it only brings back what exclude left out; add exclude: "*" to sync nothing else',
        )
    if pair.sse_kms_key_id and pair.sse != "aws:kms":
        yield "sse_kms_key_id", "has no effect without sse: aws:kms; write that too"
    if pair.ca_bundle and not pair.ca_bundle.is_file():
        yield "ca_bundle", f"{shown(pair.ca_bundle)} is not a file; write the path of a PEM file"


def _schedule(pair: Pair) -> Iterator[Finding]:
    if pair.every is None and not pair.cron and not pair.at:
        yield "every", "none leaves the pair without any schedule; give every, cron or at"
    if pair.every and pair.every.min_seconds > pair.every.max_seconds:
        yield "every", "min is longer than max; swap them"


def _engine(pair: Pair, given: frozenset[str]) -> Iterator[Finding]:
    if pair.mode is Mode.TWO_WAY and pair.engine is EngineName.AWS_CLI:
        yield "engine", "aws-cli cannot do two-way; write engine: native, or mode: push or pull"
        return
    if pair.symlinks not in _SYMLINKS[pair.engine]:
        allowed = ", ".join(_SYMLINKS[pair.engine])
        yield "symlinks", f"'{pair.symlinks}' is not possible with engine {pair.engine}; allowed are {allowed}"
    if pair.aws_args and pair.engine is EngineName.NATIVE and "aws_args" in given:
        yield "aws_args", "engine native does not start the AWS CLI; leave them out or write engine: aws-cli"
    if pair.mode is Mode.TWO_WAY and not pair.delete and "delete" in given:
        yield "delete", "false is not possible with two-way, which carries deletions both ways; leave it out"


def _location(pair: Pair) -> Iterator[Finding]:
    if pair.bucket.startswith("arn:") and pair.engine is EngineName.NATIVE:
        yield "bucket", "an access point's ARN works with engine aws-cli only; write the access point's alias instead"
    if pair.engine is EngineName.AWS_CLI and pair.mode is Mode.PULL and set(pair.prefix) & set("*?["):
        why = "holds * ? or [, which the AWS CLI's filters take for a pattern"
        yield "prefix", f"{shown(pair.prefix)} {why}; write engine: native"
