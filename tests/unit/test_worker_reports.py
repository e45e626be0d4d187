"""What a worker says of its pair: health, problems, requests a day, and when."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from runner.config.settings import EngineName, Mode, Pair, Symlinks
from runner.model.passes import Halt, Outcome, PassReport, Requests, Trigger
from runner.model.problem import MoreProblems, Problem, Side
from runner.model.states import Activity, Health
from runner.wire.channel import MESSAGE_BYTES
from runner.worker.account import Account, Doing, endpoint_of
from runner.worker.hang_guard import HangGuard
from runner.worker.health import Evidence, activity, health
from runner.worker.pass_lines import answer, log_line
from runner.worker.problem_book import SAMPLE_BYTES, ProblemBook, Touched, sample
from runner.worker.reporter import Reporter
from runner.worker.request_rate import RequestRate

DONE = PassReport(Outcome.DONE)


def problem(path: str, since: float = 5.0, *, permanent: bool = False) -> Problem:
    return Problem(path, Side.LOCAL, "odd", "why", since, permanent)


def account(mode: Mode = Mode.PULL, endpoint_url: str | None = None) -> Account:
    pair = Pair(
        name="site",
        bucket="bucket",
        folder=Path("/data"),
        mode=mode,
        engine=EngineName.AWS_CLI,
        every=None,
        watch=False,
        symlinks=Symlinks.FOLLOW,
        required=True,
        endpoint_url=endpoint_url,
    )
    return Account(pair, endpoint_url, held=True)


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (Evidence(), Health.UNKNOWN),
        (Evidence(Outcome.DONE), Health.IN_SYNC),
        (Evidence(Outcome.DONE, pending=True), Health.BEHIND),
        (Evidence(Outcome.DONE, conflicts=1), Health.CONFLICTS),
        (Evidence(Outcome.DONE, conflicts=1, pending=True), Health.BEHIND),
        (Evidence(Outcome.DONE_WITH_PROBLEMS), Health.BEHIND),
        (Evidence(Outcome.STOPPED), Health.BEHIND),
        (Evidence(Outcome.FAILED), Health.FAILING),
        (Evidence(Outcome.HALTED), Health.HALTED),
        (Evidence(Outcome.DONE, unusable=True), Health.FAILING),
        (Evidence(Outcome.DONE, standby=True), Health.UNKNOWN),
    ],
)
def test_health_says_in_sync_only_when_true(evidence: Evidence, expected: Health) -> None:
    assert health(evidence) is expected


@pytest.mark.parametrize(
    ("evidence", "syncing", "paused", "retrying", "expected"),
    [
        (Evidence(), False, False, False, Activity.WAITING),
        (Evidence(), True, True, False, Activity.SYNCING),
        (Evidence(), False, True, True, Activity.PAUSED),
        (Evidence(Outcome.FAILED), False, False, True, Activity.RETRYING),
        (Evidence(unusable=True), False, False, False, Activity.RETRYING),
        (Evidence(Outcome.HALTED), False, False, False, Activity.HALTED),
        (Evidence(standby=True), False, True, False, Activity.STANDBY),
    ],
)
def test_activity_says_what_is_done_now(
    evidence: Evidence, syncing: bool, paused: bool, retrying: bool, expected: Activity
) -> None:
    assert activity(evidence, syncing=syncing, paused=paused, retrying=retrying) is expected


def test_problem_book_keeps_when_a_problem_was_first_seen() -> None:
    book = ProblemBook()
    book.update(PassReport(Outcome.DONE_WITH_PROBLEMS, problems=(problem("a", 5.0), problem("b", 5.0))))
    book.update(PassReport(Outcome.DONE_WITH_PROBLEMS, problems=(problem("a", 9.0), problem("c", 9.0))))
    assert {each.path: each.since for each in book.all} == {"a": 5.0, "c": 9.0}


def test_problem_book_failed_pass_cures_nothing() -> None:
    book = ProblemBook()
    book.update(PassReport(Outcome.DONE_WITH_PROBLEMS, problems=(problem("a"),)))
    book.update(PassReport(Outcome.FAILED, problems=(problem("b"),)))
    assert len(book) == 2
    book.update(DONE)
    assert len(book) == 0


def many(count: int, side: Side = Side.REMOTE, code: str = "odd", *, permanent: bool = True) -> MoreProblems:
    return MoreProblems(side, code, permanent, count)


def test_problem_book_counts_what_has_no_name() -> None:
    book = ProblemBook()
    waiting = many(5, Side.LOCAL, "busy", permanent=False)
    book.update(
        PassReport(
            Outcome.DONE_WITH_PROBLEMS,
            problems=(problem("a"),),
            more_problems=(many(100), waiting, many(3, Side.LOCAL, "conflict")),
        )
    )
    assert (len(book), book.conflicts_count, book.more_unpushed) == (109, 3, 5)
    assert book.more(conflicts=False) == "and 108 more: 100 odd, 5 busy, 3 conflict"
    assert book.more(conflicts=True) == "and 3 more: 3 conflict"
    book.update(PassReport(Outcome.DONE), Touched(local=True))
    assert (len(book), book.more_unpushed) == (103, 0)
    book.update(PassReport(Outcome.FAILED, more_problems=(many(40),)))
    assert len(book) == 103
    book.update(DONE)
    assert (len(book), book.more(conflicts=False)) == (0, "")


def test_problem_book_of_small_passes_is_bounded() -> None:
    book = ProblemBook()
    for number in range(30):
        found = tuple(problem(f"{number}-{n}") for n in range(1000))
        book.update(PassReport(Outcome.DONE_WITH_PROBLEMS, problems=found), Touched(frozenset({f"{number}"})))
    assert (len(book.all), len(book)) == (20_000, 30_000)


def test_problem_book_unpushed_leaves_out_what_can_never_be() -> None:
    book = ProblemBook()
    book.update(PassReport(Outcome.DONE_WITH_PROBLEMS, problems=(problem("a"), problem("b", permanent=True))))
    assert book.unpushed == ("a",)


def test_sample_of_long_names_fits_into_a_message() -> None:
    many = tuple(problem(f"{n}-" + "\udcff" * 1000) for n in range(500))
    kept = sample(many)
    assert 0 < len(kept) < 100
    assert len(json.dumps([asdict(each) for each in kept])) <= SAMPLE_BYTES


def test_report_and_answer_of_a_dreadful_pass_fit_into_a_message() -> None:
    many = tuple(problem(f"{n}-" + "\udcff" * 1000) for n in range(500))
    halt = Halt("max-delete", "too many", "token", 9, tuple("\udcff" * 100 for _ in range(5000)))
    report = PassReport(Outcome.HALTED, "m" * 100_000, problems=many, halt=halt)
    subject = account()
    subject.pass_ended(report, Trigger.START, 1.0, 2.0)
    assert len(json.dumps(asdict(subject.told(Doing())))) < MESSAGE_BYTES - 100
    assert len(json.dumps(answer(report))) < MESSAGE_BYTES - 100
    assert answer(report)["problems_count"] == 500


def test_account_hydrated_stays_and_push_always_is() -> None:
    subject = account()
    assert not subject.told(Doing()).hydrated
    subject.pass_ended(PassReport(Outcome.DONE, hydrated=True), Trigger.START, 1.0, 2.0)
    subject.pass_ended(PassReport(Outcome.FAILED, hydrated=False), Trigger.START, 1.0, 2.0)
    assert subject.told(Doing()).hydrated
    assert account(Mode.PUSH).told(Doing()).hydrated


def test_account_error_of_the_folder_goes_before_that_of_the_pass() -> None:
    subject = account()
    subject.pass_ended(PassReport(Outcome.FAILED, "no network"), Trigger.START, 1.0, 2.0)
    assert subject.told(Doing()).error == "no network"
    subject.error = "not mounted"
    assert subject.told(Doing()).error == "not mounted"


def test_account_last_success_counts_passes_that_went_through() -> None:
    subject = account()
    subject.pass_ended(PassReport(Outcome.DONE_WITH_PROBLEMS), Trigger.START, 1.0, 2.0)
    subject.pass_ended(PassReport(Outcome.FAILED), Trigger.RETRY, 3.0, 4.0)
    told = subject.told(Doing())
    assert told.last_success_at == 2.0
    assert (told.totals.passes, told.totals.failed_passes) == (2, 1)


def test_request_rate_leaves_out_the_first_pass() -> None:
    rate = RequestRate()
    rate.add(Requests(lists=1, puts=10_000), 0.0)
    assert rate.per_day() is None
    rate.add(Requests(lists=2), 3600.0)
    rate.add(Requests(lists=2), 7200.0)
    assert rate.per_day() == Requests(lists=48)
    assert rate.total.puts == 10_000


def test_account_trouble_names_the_halt_with_its_line_and_the_failure_until_a_pass_goes_through() -> None:
    subject = account()
    assert subject.trouble() == ""
    halt = Halt("emptied-folder", "the folder is empty", "t0k3n", 30)
    subject.pass_ended(PassReport(Outcome.HALTED, "the folder is empty", halt=halt), Trigger.START, 1.0, 2.0)
    assert subject.trouble() == "site: halted: the folder is empty; runner approve site t0k3n"
    subject.pass_ended(PassReport(Outcome.FAILED, "no such bucket"), Trigger.RETRY, 3.0, 4.0)
    assert subject.trouble() == "site: failing: no such bucket"
    subject.pass_ended(DONE, Trigger.RETRY, 5.0, 6.0)
    assert subject.trouble() == ""


def test_request_rate_of_a_few_seconds_says_nothing_of_a_day() -> None:
    rate = RequestRate()
    for started_at in (0.0, 5.0, 10.0):
        rate.add(Requests(lists=1, puts=30), started_at)
    assert rate.per_day() is None


def test_account_price_is_for_aws_only() -> None:
    for endpoint, billed in ((None, True), ("http://127.0.0.1:8333", False)):
        subject = account(endpoint_url=endpoint)
        for started_at in (0.0, 600.0):
            subject.pass_ended(PassReport(Outcome.DONE, requests=Requests(lists=1)), Trigger.START, started_at, 1.0)
        assert (subject.told(Doing()).totals.price_per_day_usd is not None) == billed


def test_endpoint_of_pair_goes_before_the_environment() -> None:
    pair = account(endpoint_url="http://a").pair
    assert endpoint_of(pair, {"AWS_ENDPOINT_URL_S3": "http://b"}) == "http://a"
    assert endpoint_of(account().pair, {"AWS_ENDPOINT_URL_S3": "http://b", "AWS_ENDPOINT_URL": "c"}) == "http://b"
    assert endpoint_of(account().pair, {}) is None


def test_reporter_changes_at_once_progress_twice_a_second() -> None:
    reporter = Reporter()
    assert reporter.due_at() == 0.0
    reporter.sent(10.0)
    assert reporter.due_at() is None
    reporter.progressed()
    assert reporter.due_at() == 10.5
    reporter.changed()
    assert reporter.due_at() == 10.0


def test_hang_guard_counts_silence_but_not_waiting_for_a_slot() -> None:
    guard = HangGuard(600.0)
    assert guard.hung_at() is None
    guard.begin(0.0)
    guard.alive(100.0)
    assert guard.hung_at() == 760.0
    guard.waiting(200.0, waits=True)
    assert guard.hung_at() is None
    guard.waiting(300.0, waits=False)
    assert guard.hung_at() == 960.0
    guard.end()
    assert guard.hung_at() is None


def test_hang_guard_without_stall_timeout_never_strikes() -> None:
    guard = HangGuard(None)
    guard.begin(0.0)
    assert guard.hung_at() is None


def test_log_line_of_a_pass_without_news_is_debug() -> None:
    level, message = log_line(DONE, None, Trigger.SCHEDULE, 0.5)
    assert (level, message) == ("DEBUG", "pass done (schedule, 0.5 s): nothing to do")
    changed = PassReport(Outcome.DONE, uploaded=3)
    assert log_line(changed, changed, Trigger.WATCH, 1.0)[0] == "INFO"
    odd = PassReport(Outcome.DONE_WITH_PROBLEMS, problems=(problem("a"),))
    assert log_line(odd, None, Trigger.SCHEDULE, 1.0)[0] == "WARNING"
    assert log_line(odd, odd, Trigger.SCHEDULE, 1.0)[0] == "DEBUG"
    failed = PassReport(Outcome.FAILED, "no network")
    assert log_line(failed, failed, Trigger.RETRY, 1.0)[0] == "ERROR"


def test_log_line_of_the_first_pass_is_news_and_a_failed_pass_never_had_nothing_to_do() -> None:
    assert log_line(DONE, None, Trigger.START, 0.5) == ("INFO", "pass done (start, 0.5 s): nothing to do")
    failed = PassReport(Outcome.FAILED, "no network")
    assert log_line(failed, None, Trigger.RETRY, 1.0) == ("ERROR", "pass failed (retry, 1.0 s): no network")
    stopped = PassReport(Outcome.STOPPED, uploaded=2, message="stopped on request")
    line = "pass stopped (schedule, 1.0 s): 2 uploaded: stopped on request"
    assert log_line(stopped, None, Trigger.SCHEDULE, 1.0) == ("INFO", line)
