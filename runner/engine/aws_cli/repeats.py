"""Files that `aws s3 sync` sends again in each pass, because it trusts byte-ordered listings (hazard D14, harmless).

Only a note, once per pass: the contents are in sync all the same. Never decides what is transferred.
"""

from runner.engine.aws_cli import settling
from runner.engine.aws_cli.one_pass import OnePass
from runner.engine.aws_cli.output import RunCounts
from runner.model.problem import Side
from runner.store.errors import StoppedError, StoreError


def notice_uploads(one: OnePass, counts: RunCounts) -> None:
    """After a push run. Without our own listing, memory says how many files were new; only beyond that it is asked."""
    foretold = _foretold(one) if one.listed else settling.count_new(one)
    if counts.uploaded > foretold and (one.unordered if one.listed else not _lists_in_order(one)):
        _note(one, counts.uploaded - foretold)


def notice_downloads(one: OnePass, counts: RunCounts, incoming: int) -> None:
    """After a pull run. incoming: how many downloads were foretold."""
    if one.unordered and counts.downloaded > incoming:
        _note(one, counts.downloaded - incoming)


def _foretold(one: OnePass) -> int:
    """How many files the CLI's rule sends, by our own listing."""
    return one.seen.number(
        "SELECT count(*) FROM here h LEFT JOIN there t USING (path) "
        "WHERE CASE WHEN t.path IS NULL THEN 1 ELSE run_uploads(h.size, h.mtime_ns, t.size, t.modified) END"
    )


def _lists_in_order(one: OnePass) -> bool:
    """Ends at the first key that says no. True where nobody knows: it is only for a note."""
    last = b""
    try:
        for info in one.client.list(one.pair.prefix):
            key = info.key.encode("utf-8", "surrogateescape")
            if key < last:
                return False
            last = key
    except StoppedError:
        raise
    except StoreError:
        return True
    return True


def _note(one: OnePass, again: int) -> None:
    one.problem(
        Side.REMOTE,
        "",
        "unordered-listing",
        f"the server does not list keys in byte order, so the AWS CLI moved {again} unchanged files again; "
        "`engine: native` does not",
    )
