"""The brakes: may a plan's deletions and changes go on, or is a person needed first? Pure; both engines ask here.

Never deletes and never remembers: what was shown to a person is kept by the caller.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from runner.config.settings import Share

COUNTS_FROM = 10  # fewer deletions than this never brake (contract, `max_delete`)
SAMPLE_PATHS = 10
_TOKEN_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Deletions:
    """What a plan would delete.

    count: deletions that are no moves. remembered: files of the last good pass. left: files that the side that
    decides (the folder of a push, the listing of a pull) still shows. emptied: the brake for a side without files.
    unmarked: that side carries no marker (a read-only source): nothing but its files proves that it is the same.
    """

    count: int
    remembered: int
    left: int
    emptied: str = "emptied-folder"
    unmarked: bool = False


@dataclass(frozen=True, slots=True)
class Brake:
    """Why a plan must not go on. name: as in model.passes.Halt."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a native pass would take away, in both directions.

    here: deletions in the folder, because objects vanished (left: of the listing; emptied-listing). there: deletions in
    the bucket, because files vanished (left: of the folder; emptied-folder). changes: remembered files, on either side,
    whose content another would replace; creations and moves are none. remembered: files of the last good pass.
    """

    here: Deletions
    there: Deletions
    changes: int
    remembered: int


def judge(plan: Deletions, max_delete: Share | int) -> Brake | None:
    """The brake that stops this plan, None when it may go on."""
    return _emptied(plan, max_delete) or _too_many_deletions(plan.count, plan.remembered, max_delete)


def judge_both(plan: Plan, max_delete: Share | int, max_change: Share | int | None) -> Brake | None:
    """The brake that stops this plan of a native pass; max_change None is off.

    A side that lost everything is named first: it says more than a number. Then deletions count together, whichever
    side they hit: half of the files are half of the files.
    """
    return (
        _emptied(plan.there, max_delete)
        or _emptied(plan.here, max_delete)
        or _too_many_deletions(plan.here.count + plan.there.count, plan.remembered, max_delete)
        or _too_many_changes(plan.changes, plan.remembered, max_change)
    )


def _emptied(plan: Deletions, max_delete: Share | int) -> Brake | None:
    if plan.count == 0 or plan.left > 0:
        return None
    if plan.unmarked:
        return Brake(plan.emptied, "the folder is empty, and read-only: no marker in it can prove that it is the same")
    if plan.remembered < COUNTS_FROM or _is_unlimited(max_delete):
        return None
    what = "the folder is empty" if plan.emptied == "emptied-folder" else "the bucket's listing is empty"
    return Brake(plan.emptied, f"{what}, but {plan.remembered} files were there at the last good pass")


def _too_many_deletions(count: int, remembered: int, max_delete: Share | int) -> Brake | None:
    if not _is_above(count, remembered, max_delete):
        return None
    return Brake("max-delete", f"{count} deletions in one pass; max_delete allows {_allowed(max_delete, remembered)}")


def _too_many_changes(count: int, remembered: int, max_change: Share | int | None) -> Brake | None:
    if max_change is None or not _is_above(count, remembered, max_change):
        return None
    text = f"{count} files would change their content in one pass; max_change allows {_allowed(max_change, remembered)}"
    return Brake("max-change", text)


def _is_unlimited(limit: Share | int) -> bool:
    return isinstance(limit, Share) and limit.share >= 1.0


def _is_above(count: int, remembered: int, limit: Share | int) -> bool:
    if count < COUNTS_FROM or _is_unlimited(limit):
        return False
    return count > (limit.share * remembered if isinstance(limit, Share) else limit)


def _allowed(limit: Share | int, remembered: int) -> str:
    allowed = f"{limit.share:.0%} of" if isinstance(limit, Share) else f"{limit}, of"
    return f"{allowed} {remembered} remembered files"


def token(brake: str, paths: Iterable[bytes]) -> str:
    """What a person types to let this one plan through: a hash of the brake and its paths, in the given order."""
    digest = hashlib.sha256(brake.encode())
    for path in paths:
        digest.update(b"\0")
        digest.update(path)
    return digest.hexdigest()[:_TOKEN_DIGITS]
