"""A push pass: what the folder holds goes to the bucket through `aws s3 sync`, inside guard rails.

Order: look at both sides, ask the brakes, and only then change anything; deletions come last. The CLI never decides
deletions, and what its own rule would skip for good is found before and copied after (settling.py).
"""
# ruff: noqa: S608 - statements are put together from our own words only, values are bound

import os
from dataclasses import dataclass

from runner.config.settings import RemoteTrash
from runner.engine.aws_cli import orphans, placeholders, repeats, replaced, same_place, settling, temporaries
from runner.engine.aws_cli.argv import file_copy_argv, runs_in_folder, sync_argv
from runner.engine.aws_cli.memory import path_text
from runner.engine.aws_cli.one_pass import OnePass
from runner.engine.aws_cli.output import RunCounts
from runner.engine.aws_cli.verdict import Verdict
from runner.engine.aws_cli.walk import is_bounded, links_below
from runner.engine.outcomes import PassFailedError
from runner.files.scan_result import ScanResult
from runner.model.passes import Outcome
from runner.model.problem import Side

# What a link leads to that we leave out; the CLI must be kept from taking it.
_REFUSED_LINKS = frozenset({"link-outside", "link-loop", "too-deep"})
_NOT_A_PROBLEM = frozenset({"symlink"})  # `symlinks: skip` asks for it
_PERMANENT = frozenset({"impossible-name", "key-too-long", "special-file", "link-loop", "link-outside", "too-deep"})
_LINKED_FILES_A_PASS = 200
_NOT_UTF_8 = "--exclude=*[\udc80-\udcff]*"  # any name with a byte that is not UTF-8, as Python spells such bytes


@dataclass(frozen=True, slots=True)
class Exclusions:
    """What the run must not see. paths: literal, `dir/` for all below. follow_links: None as the pair says."""

    paths: tuple[str, ...]
    not_utf_8: bool
    follow_links: bool | None = None


def push(one: OnePass) -> None:
    """Raises what PassReport knows to say: PassHaltedError, PassFailedError, PassStoppedError, StoreError, OSError."""
    scan = look(one)
    if temporaries.sweep(one):
        scan = look(one)
    exclusions = exclude(one, scan)
    if placeholders.make_index_files(one, scan):
        one.progress("scanning")
    if needs_listing(one):
        orphans.read_listing(one)
    settling.find_skipped(one)
    if one.pair.delete and not one.first:
        orphans.choose(one, scan)
        orphans.brake(one, scan)
    if one.pair.remote_trash is RemoteTrash.ALL:
        replaced.keep_replaced(one)
    same_place.prove_owner(one)
    settling.mark_unsettled(one)
    _transfer(one, scan, exclusions)


def needs_listing(one: OnePass) -> bool:
    return (one.pair.delete and not one.first) or one.pair.remote_trash is RemoteTrash.ALL


def _transfer(one: OnePass, scan: ScanResult, exclusions: Exclusions) -> None:
    """Everything that changes something."""
    counts, verdict = _sync(one, scan, exclusions)
    # A file that is cut while it is sent fails in the CLI. As long as enough files changed, nothing else needs to have
    # failed: the same run again tells, now that they may stand still.
    only_busy = counts.failed > 0 and counts.failed <= settling.count_changed(one)
    if only_busy:
        counts, verdict = _sync(one, scan, exclusions)
        only_busy = counts.failed <= settling.count_changed(one)
    if verdict.outcome is Outcome.FAILED and not only_busy:
        raise PassFailedError(verdict.message, retry=verdict.retry, permanent=verdict.permanent)
    if exclusions.follow_links is False:
        _push_linked(one)
    placeholders.put(one, scan)
    settling.settle(one, scan, moved=counts.moved > 0 or only_busy, whole=counts.failed == 0)
    if counts.failed:
        reason = f"{verdict.message}: {counts.error_lines[-1]}" if counts.error_lines else verdict.message
        one.problem(Side.LOCAL, "", "transfer-failed", reason, permanent=not only_busy)
    if one.pair.delete and not one.first:
        orphans.remove(one)


def look(one: OnePass) -> ScanResult:
    """Scans; what is skipped becomes problems. Keys that cannot be are taken out again by `exclude`."""
    for table in ("here", "dirs", "links"):
        one.seen.execute(f"DELETE FROM temp.{table}")
    scan = one.scan("here", one.follow)
    for skipped in scan.skipped:
        if skipped.code not in _NOT_A_PROBLEM:
            one.problem(Side.LOCAL, skipped.path, skipped.code, skipped.reason, permanent=skipped.code in _PERMANENT)
    return scan


def exclude(one: OnePass, scan: ScanResult) -> Exclusions:
    """What the scan has found to be impossible or out of bounds, so that one bad name never fails the pass."""
    paths = sorted(one.impossible)
    refused = [skipped.path for skipped in scan.skipped if skipped.code in _REFUSED_LINKS]
    paths += [spelling for path in refused for spelling in (path, f"{path}/")]
    not_utf_8 = any(skipped.code == "impossible-name" for skipped in scan.skipped)
    fd = one.folder.fd
    one.walk_is_bounded = is_bounded(fd, [*refused, *links_below(fd, scan.pruned)])
    return Exclusions(tuple(paths), not_utf_8, None if one.walk_is_bounded else False)


def _sync(one: OnePass, scan: ScanResult, exclusions: Exclusions) -> tuple[RunCounts, Verdict]:
    argv = sync_argv(one.pair, extra_exclude=exclusions.paths, follow_links=exclusions.follow_links)
    if exclusions.not_utf_8:
        argv.append(_NOT_UTF_8)
    if runs_in_folder(argv) and "[" in os.readlink(f"/proc/self/fd/{one.folder.fd}"):
        raise PassFailedError(
            "the AWS CLI cannot filter in a folder whose path holds `[` while links are not followed; "
            "rename the folder or set `symlinks: follow`",
            retry=False,
            permanent=True,
        )
    counts, verdict = one.run(same_place.with_our_endpoint(one, argv), files_total=scan.files)
    one.count_listing(scan.files)
    repeats.notice_uploads(one, counts)
    return counts, verdict


def _push_linked(one: OnePass) -> None:
    """The run did not follow links, because it would have walked out of the folder; their files go one by one."""
    one.seen.execute("CREATE TEMP TABLE plain (path BLOB PRIMARY KEY) WITHOUT ROWID")
    behind = _behind_links(one)
    for number, path in enumerate(behind):
        if number >= _LINKED_FILES_A_PASS:
            one.problem(
                Side.LOCAL, path, "behind-link", "waits: another link leads out of the folder or in a circle, "
                "so files behind links go one by one; remove that link or exclude it"
            )  # fmt: skip
            one.seen.add("doubtful", path.encode("utf-8", "surrogateescape"))
            continue
        _counts, verdict = one.run(same_place.with_our_endpoint(one, file_copy_argv(one.pair, path)))
        if verdict.outcome is not Outcome.DONE:
            one.problem(Side.LOCAL, path, "transfer-failed", verdict.message)
            one.seen.add("doubtful", path.encode("utf-8", "surrogateescape"))


def _behind_links(one: OnePass) -> list[str]:
    """New or changed files that are only reached through a link."""
    from runner.files.scan import scan

    one.seen.execute("DELETE FROM temp.after")
    scan(
        one.folder,
        one.filters,
        follow="no",
        found=lambda entry: one.seen.add_file("after", entry) if entry.kind == "file" else None,
        should_stop=one.surroundings.should_stop,
    )
    one.check_stop()
    rows = one.seen.rows(
        "SELECT a.path FROM here a LEFT JOIN after f USING (path) LEFT JOIN main.files b ON b.path = a.path "
        "WHERE f.path IS NULL AND (b.path IS NULL OR a.size <> b.size OR a.mtime_ns <> b.mtime_ns "
        "OR a.ctime_ns <> b.ctime_ns OR a.inode <> b.inode) ORDER BY a.path"
    )
    found = [path_text(path) for (path,) in rows]
    one.seen.execute("DELETE FROM temp.after")
    return found
