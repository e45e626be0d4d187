"""What a pass leaves behind in words: its line in the log, its answer to those who asked, its facts for `on_change`."""

from collections.abc import Mapping
from dataclasses import asdict, replace

from runner.config.settings import Pair
from runner.model.passes import Outcome, PassReport, Trigger
from runner.worker.message_size import TEXT_CHARACTERS, short_halt
from runner.worker.problem_book import sample

_COUNTS = (
    ("uploaded", "uploaded"),
    ("downloaded", "downloaded"),
    ("deleted_remote", "deleted in the bucket"),
    ("deleted_local", "deleted in the folder"),
)
_THROUGH = frozenset({Outcome.DONE, Outcome.DONE_WITH_PROBLEMS})
_LEVELS = {Outcome.FAILED: "ERROR", Outcome.HALTED: "ERROR", Outcome.DONE_WITH_PROBLEMS: "WARNING"}


def log_line(report: PassReport, before: PassReport | None, trigger: Trigger, seconds: float) -> tuple[str, str]:
    """Level and message. A pass that found nothing to do, or the problems or the halt of the one before, is no news;
    that the first one of a start has gone through is.
    """
    counts = [f"{getattr(report, name)} {words}" for name, words in _COUNTS if getattr(report, name)]
    if report.problems_count:
        counts.append(f"{report.problems_count} problems")
    if not counts and report.outcome in _THROUGH:
        counts = ["nothing to do"]
        level = "INFO" if trigger is Trigger.START else "DEBUG"
    else:
        level = _LEVELS.get(report.outcome, "INFO" if counts else "DEBUG")
    if before is not None and report.outcome is not Outcome.FAILED and _told(report) == _told(before):
        level = "DEBUG"
    said = ": ".join(part for part in (", ".join(counts), report.message) if part)
    return level, f"pass {report.outcome} ({trigger}, {seconds:.1f} s)" + (f": {said}" if said else "")


def _told(report: PassReport) -> tuple[object, ...]:
    moved = tuple(getattr(report, name) for name, _words in _COUNTS)
    # Two passes that each moved something are two pieces of news.
    return (report.outcome, report.message, report.problems_count, report.halt, any(moved) and object())


def answer(report: PassReport) -> Mapping[str, object]:
    """For `pass-done`: the report with a sample of its problems, and their exact number."""
    short = replace(
        report,
        message=report.message[:TEXT_CHARACTERS],
        problems=sample(report.problems),
        halt=short_halt(report.halt),
    )
    return {**asdict(short), "problems_count": report.problems_count}


def change_facts(pair: Pair, report: PassReport, trigger: Trigger, ended_at: float) -> Mapping[str, object]:
    """What `on_change` is told. ended_at: seconds since the epoch."""
    return {
        "pair": pair.name,
        "bucket": pair.bucket,
        "prefix": pair.prefix,
        "folder": str(pair.folder),
        "outcome": str(report.outcome),
        "trigger": str(trigger),
        "ended_at": ended_at,
        **{name: getattr(report, name) for name, _words in _COUNTS},
        "bytes_up": report.bytes_up,
        "bytes_down": report.bytes_down,
        "problems_count": report.problems_count,
    }
