"""The brakes: may a plan's deletions go on, or is a person needed first? Pure; both engines ask here.

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


def judge(plan: Deletions, max_delete: Share | int) -> Brake | None:
    """The brake that stops this plan, None when it may go on."""
    unlimited = isinstance(max_delete, Share) and max_delete.share >= 1.0
    if plan.count == 0:
        return None
    if plan.unmarked and plan.left == 0:
        return Brake(plan.emptied, "the folder is empty, and read-only: no marker in it can prove that it is the same")
    if unlimited:
        return None
    if plan.left == 0 and plan.remembered >= COUNTS_FROM:
        what = "the folder is empty" if plan.emptied == "emptied-folder" else "the bucket's listing is empty"
        return Brake(plan.emptied, f"{what}, but {plan.remembered} files were there at the last good pass")
    limit = max_delete.share * plan.remembered if isinstance(max_delete, Share) else max_delete
    if plan.count >= COUNTS_FROM and plan.count > limit:
        allowed = f"{max_delete.share:.0%} of " if isinstance(max_delete, Share) else f"{max_delete}, of "
        return Brake(
            "max-delete",
            f"{plan.count} deletions in one pass; max_delete allows {allowed}{plan.remembered} remembered files",
        )
    return None


def token(brake: str, paths: Iterable[bytes]) -> str:
    """What a person types to let this one plan through: a hash of the brake and its paths, in the given order."""
    digest = hashlib.sha256(brake.encode())
    for path in paths:
        digest.update(b"\0")
        digest.update(path)
    return digest.hexdigest()[:_TOKEN_DIGITS]
