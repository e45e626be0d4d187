"""What passes over a part may say of a pair, and what they leave as it was; a native pair's flush at the end."""

from pathlib import Path

import pytest

from runner.config.settings import EngineName, Mode, Pair, Symlinks
from runner.model.passes import Halt, Outcome, PassReport, Progress, Scope, Trigger, Work
from runner.model.problem import Problem, Side
from runner.model.states import Activity, Health
from runner.worker.account import Account, Doing
from runner.worker.pass_desk import is_work
from runner.worker.stopping import NativeLeftover

DONE = PassReport(Outcome.DONE)
FAILED = PassReport(Outcome.FAILED, "no network", retry=True)
HALTED = PassReport(Outcome.HALTED, halt=Halt("max-delete", "too many", "token", 12))


def account() -> Account:
    pair = Pair(
        name="site",
        bucket="bucket",
        prefix="p/",
        folder=Path("/data"),
        mode=Mode.TWO_WAY,
        engine=EngineName.NATIVE,
        every=None,
        watch=True,
        symlinks=Symlinks.PRESERVE,
        required=True,
    )
    return Account(pair, None, held=True)


def problem(path: str, side: Side = Side.LOCAL, code: str = "busy", since: float = 5.0) -> Problem:
    return Problem(path, side, code, "why", since)


def troubled(*problems: Problem) -> PassReport:
    return PassReport(Outcome.DONE_WITH_PROBLEMS, problems=problems)


def ended(subject: Account, report: PassReport, scope: Scope = Scope.FULL, *names: str) -> Health:
    """The health after a pass over these paths or keys."""
    keys = frozenset(names) if scope is Scope.KEYS else frozenset()
    paths = frozenset(names) if scope is Scope.PATHS else frozenset()
    subject.pass_ended(report, Trigger.WATCH, 100.0, 101.0, Work(scope, paths, keys))
    return subject.told(Doing()).health


@pytest.mark.parametrize(
    ("reports", "health"),
    [
        ([(DONE, Scope.FULL)], Health.IN_SYNC),
        ([(FAILED, Scope.FULL), (DONE, Scope.PATHS)], Health.FAILING),
        ([(HALTED, Scope.FULL), (DONE, Scope.LOCAL)], Health.HALTED),
        ([(HALTED, Scope.FULL), (FAILED, Scope.KEYS)], Health.HALTED),  # else the token to type would be hidden
        ([(DONE, Scope.FULL), (FAILED, Scope.PATHS)], Health.FAILING),
        ([(DONE, Scope.FULL), (FAILED, Scope.PATHS), (DONE, Scope.PATHS)], Health.IN_SYNC),
        ([(DONE, Scope.FULL), (HALTED, Scope.LOCAL)], Health.HALTED),
        ([(DONE, Scope.FULL), (HALTED, Scope.LOCAL), (DONE, Scope.FULL)], Health.IN_SYNC),
        ([(DONE, Scope.FULL), (PassReport(Outcome.STOPPED), Scope.PATHS)], Health.IN_SYNC),
        ([(troubled(), Scope.FULL), (DONE, Scope.PATHS)], Health.BEHIND),
        ([(DONE, Scope.PATHS)], Health.UNKNOWN),
    ],
)
def test_health_after_passes_over_parts(reports: list[tuple[PassReport, Scope]], health: Health) -> None:
    subject = account()
    assert [ended(subject, report, scope) for report, scope in reports][-1] is health


@pytest.mark.parametrize(
    ("progress", "native", "cli"),
    [
        (Progress("listing", 5000), False, False),
        (Progress("checking", 5), False, False),
        (Progress("transferring", 0, None), False, False),
        (Progress("transferring", 0, 3), True, False),  # what the AWS CLI has to compare, too
        (Progress("transferring", 3, 3), True, True),
        (Progress("transferring", 0, None, 0, 77), True, True),
        (Progress("deleting", 0, 1), True, True),
    ],
)
def test_pass_that_found_something_to_do_is_told_from_one_that_looks(
    progress: Progress, native: bool, cli: bool
) -> None:
    assert (is_work(progress, native=True), is_work(progress, native=False)) == (native, cli)


def test_whole_pass_hydrates_only_when_it_says_so() -> None:
    subject = account()
    ended(subject, troubled(problem("a")))
    assert not subject.told(Doing()).hydrated
    ended(subject, PassReport(Outcome.DONE, hydrated=True))
    assert subject.told(Doing()).hydrated


def test_part_neither_hydrates_nor_counts_as_the_last_success() -> None:
    subject = account()
    ended(subject, PassReport(Outcome.DONE, hydrated=True, files=3), Scope.LOCAL)
    assert (subject.hydrated, subject.last_success_at, subject.files) == (False, None, None)
    assert subject.last_pass is not None
    assert subject.last_pass.scope is Scope.LOCAL


@pytest.mark.parametrize(
    ("scope", "names", "left"),
    [
        (Scope.PATHS, ["a"], {"a/b/c", "d", "r", "copy"} - {"a/b/c"}),
        (Scope.PATHS, ["a/b"], {"d", "r", "copy"}),
        (Scope.PATHS, ["a/b/c/e", "copy"], {"a/b/c", "d", "r", "copy"}),
        (Scope.KEYS, ["p/r"], {"a/b/c", "d", "copy"}),
        (Scope.KEYS, ["q/r"], {"a/b/c", "d", "r", "copy"}),
        (Scope.LOCAL, [], {"r", "copy"}),
        (Scope.FULL, [], set()),
    ],
)
def test_problems_are_replaced_as_far_as_a_pass_looked(scope: Scope, names: list[str], left: set[str]) -> None:
    subject = account()
    remote, copy = problem("r", Side.REMOTE, "archived"), problem("copy", code="conflict")
    ended(subject, troubled(problem("a/b/c"), problem("d"), remote, copy))
    ended(subject, DONE, scope, *names)
    assert {one.path for one in subject.book.all} == left


def test_pushed_busy_file_makes_the_pair_in_sync_again() -> None:
    subject = account()
    assert ended(subject, troubled(problem("a"))) is Health.BEHIND
    assert ended(subject, DONE, Scope.PATHS, "a") is Health.IN_SYNC
    assert ended(subject, troubled(problem("b", since=7.0)), Scope.PATHS, "b") is Health.BEHIND
    assert ended(subject, FAILED, Scope.PATHS, "b") is Health.FAILING
    ended(subject, troubled(problem("b", since=9.0)), Scope.PATHS, "b")
    assert [one.since for one in subject.book.all] == [7.0]


def test_only_conflicts_left_is_conflicts() -> None:
    subject = account()
    assert ended(subject, troubled(problem("copy", code="conflict"), problem("a"))) is Health.BEHIND
    assert ended(subject, DONE, Scope.PATHS, "a") is Health.CONFLICTS


def test_told_names_halt_error_and_both_notes() -> None:
    subject = account()
    subject.watch_note, subject.queue_note = "no inotify", "no queue"
    ended(subject, DONE)
    ended(subject, HALTED, Scope.LOCAL)
    told = subject.told(Doing())
    assert told.halt is not None
    assert (told.halt.token, told.activity, told.watch_note) == ("token", Activity.HALTED, "no inotify; no queue")
    assert "runner approve site token" in subject.trouble()
    assert told.compared_by == "content"


@pytest.mark.parametrize(
    ("leftover", "flush"),
    [
        (NativeLeftover(None), (7.0, Scope.FULL)),
        (NativeLeftover(DONE), (7.0, Scope.LOCAL)),
        (NativeLeftover(DONE, named=True), (7.0, Scope.PATHS)),
        (NativeLeftover(DONE, named=True, flushes=1, scans=1), (7.0, Scope.PATHS)),
        (NativeLeftover(DONE, named=True, unseen=True), (7.0, Scope.LOCAL)),
        (NativeLeftover(DONE, again_at=9.0), (7.0, Scope.PATHS)),
        (NativeLeftover(DONE, again_at=9.0, flushes=1), (7.0, Scope.LOCAL)),
        (NativeLeftover(DONE, again_at=9.0, flushes=2, scans=1), (9.0, Scope.PATHS)),
        (NativeLeftover(DONE, unseen=True, flushes=2, scans=1), (7.0, Scope.LOCAL)),
        (NativeLeftover(DONE, flushes=1, scans=1), None),
        (NativeLeftover(FAILED, flushes=1, scans=1, earliest_at=8.0), (8.0, Scope.LOCAL)),
        (NativeLeftover(DONE, named=True, earliest_at=8.0), (8.0, Scope.PATHS)),
        (NativeLeftover(HALTED, halted=True, named=True), (7.0, Scope.LOCAL)),
        (NativeLeftover(HALTED, halted=True, named=True, scans=1), None),
        (NativeLeftover(PassReport(Outcome.STOPPED), flushes=1, scans=1), (7.0, Scope.LOCAL)),
    ],
)
def test_flush_of_a_native_pair_known_paths_then_one_scan(
    leftover: NativeLeftover, flush: tuple[float, Scope] | None
) -> None:
    assert leftover.flush(7.0) == flush


@pytest.mark.parametrize(
    ("leftover", "complete"),
    [
        (NativeLeftover(DONE), True),
        (NativeLeftover(troubled()), True),
        (NativeLeftover(None), False),
        (NativeLeftover(FAILED), False),
        (NativeLeftover(DONE, named=True), False),
        (NativeLeftover(DONE, unseen=True), False),
        (NativeLeftover(DONE, again_at=9.0), False),
    ],
)
def test_native_pair_is_complete_when_nothing_local_is_left(leftover: NativeLeftover, complete: bool) -> None:
    assert leftover.is_complete(0) is complete
    assert not leftover.is_complete(1)
