"""The decision about one path: named cases as tables."""

from typing import Any

import pytest

from runner.config.settings import Mode
from runner.engine.native.decide import Action, Decision, Rules, decide, is_archived
from runner.engine.native.equality import link_sha256
from runner.engine.native.facts import UNKNOWN, Base, Kind, Local, LocalSide, Remote, RemoteSide
from runner.engine.native.rules import UPLOAD_OVER_OWN
from tests.unit.native_samples import (
    BASE,
    EDITED,
    FOLDER_BASE,
    FOLDER_HERE,
    FOLDER_THERE,
    GROWN,
    LOCAL,
    LONGER,
    MOVED,
    REMOTE,
    REWRITTEN,
    SECOND,
    TOUCHED,
    A,
    looked,
)

PUSH, PULL, TWO_WAY = Mode.PUSH, Mode.PULL, Mode.TWO_WAY

LINK_BASE = BASE._replace(kind=Kind.LINK, mode=0, sha256=link_sha256("t.txt"))
LINK_HERE = LOCAL._replace(kind=Kind.LINK, target="t.txt", mode=0o120777)


def rules(mode: Mode = TWO_WAY, *, delete: bool | None = None, **more: Any) -> Rules:
    return Rules(mode, delete=mode is TWO_WAY if delete is None else delete, **more)


def shown(decision: Decision) -> str:
    loser = f" loser={decision.loser}" if decision.loser else ""
    return f"{decision.action}{loser}{' ' + decision.code if decision.code else ''}"


Case = tuple[Base | None, LocalSide, RemoteSide, str, str, str]
CASES: dict[str, Case] = {  # base, here, there; then two-way, push without and pull without `delete`
    "all equal": (BASE, LOCAL, REMOTE, "nothing", "nothing", "nothing"),
    "nowhere": (None, None, None, "nothing", "nothing", "nothing"),
    "gone on both sides": (BASE, None, None, "forget", "forget", "forget"),
    "new here": (None, LOCAL, None, "upload", "upload", "nothing"),
    "new there": (None, None, REMOTE, "download", "nothing", "download"),
    "changed here": (BASE, EDITED, REMOTE, "upload", "upload", "download loser=local"),
    "grown here, hash not needed": (BASE, GROWN, REMOTE, "upload", "upload", "download loser=local"),
    "changed there, another size": (BASE, LOCAL, LONGER, "download", "upload loser=remote", "download"),
    "changed there, same size": (BASE, LOCAL, REWRITTEN, "look-remote", "look-remote", "look-remote"),
    "changed there, same size, looked": (BASE, LOCAL, looked(REWRITTEN), "compare", "compare", "compare"),
    "deleted here": (BASE, None, REMOTE, "delete-remote", "nothing", "download"),
    "deleted there": (BASE, LOCAL, None, "delete-local", "upload", "nothing"),
    "edit here beats deletion there": (BASE, EDITED, None, "upload", "upload", "nothing"),
    "edit there beats deletion here": (BASE, None, REWRITTEN, "download", "nothing", "download"),
    "changed on both sides": (
        BASE,
        GROWN,
        LONGER,
        "keep-both loser=local",
        "upload loser=remote",
        "download loser=local",
    ),
    "new on both sides": (
        None,
        GROWN,
        LONGER,
        "keep-both loser=local",
        "upload loser=remote",
        "download loser=local",
    ),
    "stamps differ": (BASE, TOUCHED, REMOTE, "look-local", "look-local", "look-local"),
    "stamps differ, content does not": (BASE, TOUCHED._replace(sha256=A), REMOTE, "record", "record", "record"),
    "racy": (BASE._replace(racy=True), LOCAL, REMOTE, "look-local", "look-local", "look-local"),
    "racy, then proven": (
        BASE._replace(racy=True),
        LOCAL._replace(sha256=A),
        REMOTE,
        "record",
        "record",
        "record",
    ),
    "racy, deleted there": (BASE._replace(racy=True), LOCAL, None, "look-local", "look-local", "look-local"),
    "another inode alone": (BASE, LOCAL._replace(inode=8), REMOTE, "look-local", "look-local", "look-local"),
    "written again, same bytes": (BASE, LOCAL, MOVED, "look-remote", "look-remote", "look-remote"),
    "written again, looked": (BASE, LOCAL, looked(MOVED), "record", "record", "record"),
    "written again, deleted here": (BASE, None, looked(MOVED), "delete-remote", "nothing", "download"),
    "time was not told": (BASE._replace(modified=0.0), LOCAL, REMOTE, "record", "record", "record"),
    "time in milliseconds": (BASE, LOCAL, REMOTE._replace(modified=200.123), "record", "record", "record"),
    "time in milliseconds, then in seconds": (
        BASE._replace(modified=200.123),
        LOCAL,
        REMOTE,
        "record",
        "record",
        "record",
    ),
    "another millisecond": (
        BASE._replace(modified=200.123),
        LOCAL,
        REMOTE._replace(modified=200.456),
        "look-remote",
        "look-remote",
        "look-remote",
    ),
    "a time soon after 1970": (BASE._replace(modified=1.0), LOCAL, REMOTE, "look-remote", "look-remote", "look-remote"),
    "a known link": (LINK_BASE, LINK_HERE, REMOTE, "nothing", "nothing", "nothing"),
    "here unknown": (BASE, UNKNOWN, None, "wait", "wait", "wait"),
    "there unknown": (BASE, None, UNKNOWN, "wait", "wait", "wait"),
    "a link where a file was": (
        BASE,
        LOCAL,
        looked(MOVED, kind=Kind.LINK),
        "download",
        "upload loser=remote",
        "download",
    ),
    "an empty folder here, a new file there": (None, FOLDER_HERE, REMOTE, "download", "nothing", "download"),
    "a new file here, a placeholder there": (None, LOCAL, FOLDER_THERE, "upload", "upload", "nothing"),
    "a known file became a folder here": (BASE, FOLDER_HERE, REMOTE, "delete-remote", "nothing", "download"),
    "a known file became a folder there": (BASE, LOCAL, FOLDER_THERE, "delete-local", "upload", "nothing"),
    "a file became a folder on both sides": (BASE, FOLDER_HERE, FOLDER_THERE, "record", "record", "record"),
    "file deleted there, folder here": (BASE, FOLDER_HERE, None, "upload", "upload", "nothing"),
    "a known folder became a file here": (FOLDER_BASE, LOCAL, FOLDER_THERE, "upload", "upload", "nothing"),
    "a known folder became a file there": (FOLDER_BASE, FOLDER_HERE, REMOTE, "download", "nothing", "download"),
    "folder, a file was edited there": (BASE, FOLDER_HERE, REWRITTEN, "download", "nothing", "download"),
    "folder known": (
        FOLDER_BASE,
        FOLDER_HERE._replace(mtime_ns=5, inode=3),
        FOLDER_THERE,
        "nothing",
        "nothing",
        "nothing",
    ),
    "folder new here": (None, FOLDER_HERE, None, "upload", "upload", "nothing"),
    "folder removed here": (FOLDER_BASE, None, FOLDER_THERE, "delete-remote", "nothing", "download"),
    "folder removed there": (FOLDER_BASE, FOLDER_HERE, None, "delete-local", "upload", "nothing"),
    "another placeholder": (
        FOLDER_BASE,
        FOLDER_HERE,
        FOLDER_THERE._replace(key="k/"),
        "record",
        "record",
        "record",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_decide_named_case_in_each_mode(name: str) -> None:
    base, local, remote, *expected = CASES[name]
    found = [shown(decide(base, local, remote, rules(mode))) for mode in (TWO_WAY, PUSH, PULL)]
    assert found == expected


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("base", [BASE, None])
@pytest.mark.parametrize(("equal", "expected"), [(None, {"compare"}), (True, {"record"})])
def test_decide_of_the_same_content_new_on_both_sides_is_no_conflict(
    mode: Mode, base: Base | None, equal: bool | None, expected: set[str]
) -> None:
    assert {shown(decide(base, EDITED, looked(REWRITTEN), rules(mode), equal))} == expected


@pytest.mark.parametrize("mode", list(Mode))
def test_decide_of_a_file_and_a_link_with_the_same_bytes_takes_them_for_different(mode: Mode) -> None:
    there = looked(REWRITTEN, kind=Kind.LINK)
    assert decide(None, LOCAL, there, rules(mode)).action in {Action.KEEP_BOTH, Action.UPLOAD, Action.DOWNLOAD}


@pytest.mark.parametrize(
    ("mode", "base", "local", "remote", "expected"),
    [
        (PUSH, BASE, None, REMOTE, "delete-remote"),
        (PUSH, None, None, REMOTE, "delete-remote loser=remote"),
        (PUSH, BASE, None, REWRITTEN, "delete-remote loser=remote"),
        (PUSH, BASE, LOCAL, None, "upload"),
        (PULL, BASE, LOCAL, None, "delete-local"),
        (PULL, None, LOCAL, None, "delete-local loser=local"),
        (PULL, BASE, GROWN, None, "delete-local loser=local"),
        (PULL, BASE, None, REMOTE, "download"),
        (PUSH, BASE, None, UNKNOWN, "wait"),
        (PULL, BASE, UNKNOWN, None, "wait"),
    ],
)
def test_decide_of_a_mirror_with_delete_removes_what_the_truth_does_not_have(
    mode: Mode, base: Base | None, local: LocalSide, remote: RemoteSide, expected: str
) -> None:
    assert shown(decide(base, local, remote, rules(mode, delete=True))) == expected
    first = decide(base, local, remote, rules(mode, delete=True, first=True))
    assert first.action not in {Action.DELETE_LOCAL, Action.DELETE_REMOTE}


@pytest.mark.parametrize(
    ("local", "remote", "expected"),
    [(LOCAL, None, "upload"), (None, REMOTE, "download"), (GROWN, None, "upload"), (None, REWRITTEN, "download")],
)
def test_decide_of_an_interrupted_first_pass_makes_a_union(local: LocalSide, remote: RemoteSide, expected: str) -> None:
    assert shown(decide(BASE, local, remote, rules(first=True))) == expected


@pytest.mark.parametrize(
    ("policy", "remote", "expected"),
    [
        ("keep-both", LONGER, "keep-both loser=local"),
        ("local", LONGER, "upload loser=remote"),
        ("remote", LONGER, "download loser=local"),
        ("newest", LONGER, "look-remote"),
        ("newest", looked(LONGER, mtime_ns=100 * SECOND), "keep-both loser=remote"),
        ("newest", looked(LONGER, mtime_ns=101 * SECOND), "keep-both loser=local"),
        ("newest", looked(LONGER, mtime_ns=102 * SECOND), "keep-both loser=local"),
        ("newest", looked(LONGER, modified=100.0), "keep-both loser=remote"),
        ("newest", looked(LONGER, modified=101.0), "keep-both loser=local"),
        ("newest", looked(LONGER, modified=0.0), "keep-both loser=local"),
        ("newest", looked(LONGER, modified=1.0), "keep-both loser=remote"),
        ("newest", looked(LONGER, mtime_ns=0), "keep-both loser=local"),  # unknown: by LastModified
        ("newest", looked(LONGER, mtime_ns=1), "keep-both loser=remote"),
    ],
)
def test_decide_of_a_conflict_follows_the_policy(policy: Any, remote: Remote, expected: str) -> None:
    for base in (BASE, None):
        assert shown(decide(base, GROWN, remote, rules(conflict=policy))) == expected


@pytest.mark.parametrize("mtime_ns", [0, -1, -SECOND])
@pytest.mark.parametrize("there", [looked(LONGER), looked(LONGER, modified=0.0), looked(LONGER, mtime_ns=1)])
def test_decide_newest_with_an_unknown_time_here_falls_back_to_keep_both(mtime_ns: int, there: Remote) -> None:
    decision = decide(BASE, GROWN._replace(mtime_ns=mtime_ns), there, rules(conflict="newest"))
    assert shown(decision) == "keep-both loser=local"


def test_decide_newest_within_the_second_of_last_modified_is_a_tie() -> None:
    here = GROWN._replace(mtime_ns=101 * SECOND + SECOND // 2)
    decision = decide(BASE, here, looked(LONGER, modified=101.0), rules(conflict="newest"))
    assert shown(decision) == "keep-both loser=local"


@pytest.mark.parametrize(
    ("first_pass", "first", "base", "expected"),
    [
        ("bucket", True, None, "download loser=local"),
        ("folder", True, None, "upload loser=remote"),
        ("union", True, None, "keep-both loser=local"),
        ("bucket", False, None, "keep-both loser=local"),
        ("bucket", True, BASE, "keep-both loser=local"),
    ],
)
def test_decide_of_a_first_meeting_follows_first_pass(
    first_pass: Any, first: bool, base: Base | None, expected: str
) -> None:
    assert shown(decide(base, GROWN, LONGER, rules(first_pass=first_pass, first=first))) == expected


@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE", "ARCHIVE_ACCESS", "DEEP_ARCHIVE_ACCESS"])
def test_decide_of_an_archived_object_that_must_be_read_is_a_problem(storage_class: str) -> None:
    for base, local, remote in (
        (None, None, REMOTE),
        (BASE, LOCAL, LONGER),
        (BASE, GROWN, LONGER),
        (BASE, None, LONGER),
    ):
        there = remote._replace(storage_class=storage_class)
        assert is_archived(there)
        assert shown(decide(base, local, there, rules())) == "problem archived"
    restored = REMOTE._replace(storage_class=storage_class, restored=True)
    assert shown(decide(None, None, restored, rules())) == "download"


@pytest.mark.parametrize(
    ("base", "local", "expected"),
    [
        (BASE, LOCAL, "nothing"),
        (BASE, GROWN, "upload"),
        (BASE, None, "delete-remote"),
        (None, LOCAL, "look-remote"),
    ],
)
def test_decide_of_an_archived_object_that_need_not_be_read_goes_on(
    base: Base | None, local: Local | None, expected: str
) -> None:
    assert shown(decide(base, local, REMOTE._replace(storage_class="GLACIER"), rules())) == expected


@pytest.mark.parametrize("storage_class", ["STANDARD", "GLACIER_IR", "STANDARD_IA", "INTELLIGENT_TIERING"])
def test_decide_of_a_class_that_can_be_read_at_once_downloads(storage_class: str) -> None:
    assert shown(decide(None, None, REMOTE._replace(storage_class=storage_class), rules())) == "download"


def test_decide_of_links_compares_targets() -> None:
    here = LINK_HERE._replace(ctime_ns=1)
    assert shown(decide(LINK_BASE, here, REMOTE, rules())) == "record"
    assert shown(decide(LINK_BASE, here._replace(target="u.txt"), REMOTE, rules())) == "upload"


@pytest.mark.parametrize("policy", ["keep-both", "newest", "local", "remote"])
@pytest.mark.parametrize(("base", "size"), [(BASE, 7), (None, 7), (BASE, 5)])
def test_decide_of_an_own_upload_that_memory_missed_is_no_conflict(policy: Any, base: Base | None, size: int) -> None:
    asked = rules(conflict=policy, lost_sessions=frozenset({"mine"}))
    there = REWRITTEN._replace(size=size)
    here = EDITED._replace(size=6)
    assert shown(decide(base, here, there, asked)) == "look-remote"
    mine = looked(there)._replace(session="mine")
    assert decide(base, here, mine, asked) == UPLOAD_OVER_OWN
    foreign = mine._replace(session="theirs")
    assert decide(base, here, foreign, asked) == decide(base, here, foreign, rules(conflict=policy))
    assert decide(base, here, foreign, asked) != UPLOAD_OVER_OWN


def test_decide_of_a_file_that_was_put_back_after_its_own_upload_keeps_what_is_here_now() -> None:
    asked = rules(lost_sessions=frozenset({"mine"}))
    mine = looked(LONGER)._replace(session="mine")
    back = TOUCHED._replace(sha256=A)  # the content of memory's row again
    assert decide(BASE, back, mine, asked) == UPLOAD_OVER_OWN
    assert shown(decide(BASE, LOCAL, mine, asked)) == "download"  # nobody touched it: a folder that was set back, say
    assert shown(decide(BASE, back, mine._replace(session="theirs"), asked)) == "download"


def test_decide_of_an_own_upload_whose_file_was_deleted_since_deletes_nothing() -> None:
    mine = looked(LONGER)._replace(session="mine")
    assert shown(decide(BASE, None, mine, rules(lost_sessions=frozenset({"mine"})))) == "download"
