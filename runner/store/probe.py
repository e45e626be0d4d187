"""Finds out what a server keeps of S3's promises, on keys of our own: `<prefix>.runner-probe-<id>`.

Amazon's endpoints are known and not tried. What could not be tried is taken not to hold, and the note says why. What
a probe made it removes again, also what an earlier one that was killed left behind.
Traps: servers that answer 200 and ignore the condition (research/s3servers.md), or do so only in a bucket with
versioning (radosgw 16): an answer is for one bucket as it is, not for a server.
"""

import re
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from runner.store.capabilities import AWS, NOTHING, Capabilities
from runner.store.errors import AccessDeniedError
from runner.store.price import is_aws
from runner.store.trial import Trial

if TYPE_CHECKING:
    from runner.store.client import Client

PROBE: Final = ".runner-probe-"
_LEFT_OVER_SECONDS = 3600.0  # by the server's own clock: no probe takes so long
_MOST_LEFT_OVERS = 20
_OURS = re.compile(r"[0-9a-f]{16}(-a!|-a/b)?")


def probe(client: "Client", prefix: str, now: float) -> Capabilities:
    """About 25 small requests. now: seconds since the epoch.

    Raises StoreError when the server cannot be asked at all (unreachable, wrong keys, asked to stop): ask again later.
    A right that is missing is no error: the note tells it, and what needs it is taken not to hold.
    """
    versioning = client.versioning()
    if is_aws(client.endpoint_url):
        return replace(AWS, versioning=versioning, probed_at=now)
    trial = Trial(client._bucket, f"{prefix}{PROBE}{secrets.token_hex(8)}")
    notes: list[str] = []
    try:
        found = _conditions(trial, notes)
        if found.create or trial.made:
            found = replace(found, byte_order=_byte_order(client, trial, prefix, notes))
        if found.delete:
            found = replace(found, delete=trial.deletes_right())
    finally:
        stays = trial.clean_up()
    if stays:
        notes.append(f"{trial.reason}; {', '.join(stays)} {'stays' if len(stays) == 1 else 'stay'}")
    return replace(found, versioning=versioning, probed_at=now, note="; ".join(notes))


def _conditions(trial: Trial, notes: list[str]) -> Capabilities:
    """`delete` is half the truth yet: the right ETag is tried last."""
    creates = trial.creates()
    if creates is None:
        trial.made.clear()
        notes.append(f"{trial.reason or 'nothing can be written'}: conditions could not be tried, none is relied on")
        return replace(NOTHING, writable=False)
    return replace(
        NOTHING,
        create=creates,
        delete=trial.deletes_wrong(),
        replace=trial.replaces(),
        checksums=trial.verifies_checksums(),
        complete=trial.completes(),
        copy=trial.copies(),
    )


def _byte_order(client: "Client", trial: Trial, prefix: str, notes: list[str]) -> bool | None:
    """Whether `-a!` is listed before `-a/b`, as UTF-8 bytes have it; removes what earlier probes left behind."""
    if not trial.may_delete or not (trial.put_beside("-a!") and trial.put_beside("-a/b")):
        return None
    beginning = f"{prefix}{PROBE}"
    try:
        listed = [info for info in client.list(beginning) if _OURS.fullmatch(info.key[len(beginning) :])]
    except AccessDeniedError as error:
        notes.append(f"{error}: the order of listings is not known")
        return None
    ours = [info.key for info in listed if info.key.startswith(trial.key)]
    fresh = max((info.last_modified for info in listed if info.key in ours), default=0.0)
    old = [info.key for info in listed if info.last_modified < fresh - _LEFT_OVER_SECONDS]
    for key in old[:_MOST_LEFT_OVERS]:
        trial.remove(key)
    return ours == sorted(ours) if len(ours) == 3 else None
