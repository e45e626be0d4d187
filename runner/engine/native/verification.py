"""`runner verify`: both sides compared now, by name and size or by content. Changes nothing, trusts no memory."""

from collections.abc import Iterator

from runner.config.settings import Symlinks
from runner.engine.interface import Difference
from runner.engine.native.candidate import Candidate
from runner.engine.native.facts import UNKNOWN, Kind, Local, Remote
from runner.engine.native.looking import LINK_BYTES
from runner.engine.native.reconciliation import Reconciliation
from runner.engine.native.waiting import BusyError, MovedOnError, NotQuietError
from runner.store.errors import ArchivedObjectError

_UNREADABLE = frozenset({"unreadable-file", "unreadable-folder"})


def differences(one: Reconciliation, *, content: bool) -> Iterator[Difference]:
    """One row a path. content: reads every file, and the objects whose ETag and metadata cannot tell."""
    one.observer.scan(one.folder)
    one.observer.list(one.shop.store)
    for found in one.seen.both_sides():
        one.check_stop()
        reason = _difference(one, found, content=content)
        if reason:
            yield Difference(found.path, reason)
    for problem in one.account.problems:
        if problem.code in _UNREADABLE:
            yield Difference(problem.path, "unreadable")
        elif problem.permanent:
            yield Difference(problem.path, f"only-{problem.side.value}")


def _difference(one: Reconciliation, found: Candidate, *, content: bool) -> str:
    local, remote = found.local, found.remote
    if local is UNKNOWN or remote is UNKNOWN:
        return ""  # named by its problem
    if local is None or remote is None:
        is_left = isinstance(remote, Remote) and _is_skipped_link(one, found.path, remote)
        return "" if is_left else "only-remote" if local is None else "only-local"
    assert isinstance(local, Local)
    assert isinstance(remote, Remote)
    if local.kind is Kind.FOLDER or remote.kind is Kind.FOLDER:
        return "" if local.kind is remote.kind else "content"
    if local.size != remote.size:
        return "size"
    if not content:
        return ""
    try:
        return "" if one.shop.looker.same_content(found.path, local, remote) else "content"
    except (OSError, BusyError, NotQuietError, MovedOnError, ArchivedObjectError):
        return "unreadable"


def _is_skipped_link(one: Reconciliation, path: str, remote: Remote) -> bool:
    """Only its metadata tells a link from a small file."""
    if one.shop.pair.symlinks is not Symlinks.SKIP or remote.kind is Kind.FOLDER or remote.size > LINK_BYTES:
        return False
    try:
        return one.shop.looker.head(path, remote).kind is Kind.LINK
    except MovedOnError:
        return False
