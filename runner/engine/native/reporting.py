"""A pass's account as the report that the worker shows. Pure."""

from runner.engine.native.account import Account
from runner.files.conflict_names import is_conflict_copy
from runner.model.passes import Halt, Outcome, PassReport, Requests, Scope
from runner.model.problem import CONFLICT_CODE, Problem, Side

_TEXT_CHARACTERS = 2000
_THROUGH = frozenset({Outcome.DONE, Outcome.DONE_WITH_PROBLEMS})


def report(account: Account, scope: Scope, requests: Requests, ending: PassReport) -> PassReport:
    """ending: outcome, message, halt, retry and permanent of the pass; everything else comes from the account."""
    hydrated = account.downloads_left == 0 if ending.outcome in _THROUGH and scope is Scope.FULL else None
    return PassReport(
        ending.outcome,
        ending.message[:_TEXT_CHARACTERS],
        uploaded=account.uploaded,
        downloaded=account.downloaded,
        deleted_local=account.deleted_local,
        deleted_remote=account.deleted_remote,
        bytes_up=account.bytes_up,
        bytes_down=account.bytes_down,
        files=account.files,
        files_bytes=account.files_bytes,
        requests=requests,
        problems=ending.problems or tuple(account.problems),
        more_problems=account.problems.more,
        halt=ending.halt,
        hydrated=hydrated,
        way="native",
        retry=ending.retry,
        permanent=ending.permanent,
        scope=scope,
        again=account.again_soon(),
        deferred_deletions=account.deferred_deletions,
    )


def through(account: Account, problems: tuple[Problem, ...] = ()) -> PassReport:
    """The end of a pass that went through. An open conflict copy is in sync; it only waits for a person."""
    codes = account.problems.codes
    del codes[CONFLICT_CODE]
    if not codes:
        return PassReport(Outcome.DONE, "; ".join(account.notes), problems=problems)
    message = "; ".join([f"{codes.total()} not in sync ({', '.join(sorted(codes)[:5])})", *account.notes])
    return PassReport(Outcome.DONE_WITH_PROBLEMS, message, problems=problems)


def halted(halt: Halt) -> PassReport:
    return PassReport(Outcome.HALTED, halt.reason, halt=halt)


def open_conflict(path: str, now: float) -> Problem:
    """The copy that a conflict left: it stays named until a person has merged and removed it."""
    original = is_conflict_copy(path) or path
    reason = f"the version of {original} that lost a conflict; merge the two, then remove this copy"
    return Problem(path, Side.LOCAL, CONFLICT_CODE, reason, now, permanent=True)
