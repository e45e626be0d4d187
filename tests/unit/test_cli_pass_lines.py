"""The words of `once` and `sync --wait`."""

from typing import Any

import pytest

from runner.cli.pass_lines import PassLines, progress_line, summary_line


def _row(outcome: str = "done", **report: Any) -> dict[str, Any]:
    message = report.pop("message", "")
    return {"pair": "site", "outcome": outcome, "message": message, "report": {"outcome": outcome, **report}}


def test_summary_counts_what_moved() -> None:
    row = _row(uploaded=3, bytes_up=1_200_000, downloaded=0, deleted_remote=1, deleted_local=0)
    assert summary_line(row) == "site: done: 3 uploaded (1.2MB), 1 deleted in the bucket"
    assert summary_line(_row()) == "site: done: nothing to do"


def test_summary_of_problems_names_the_command_that_lists_them() -> None:
    row = _row("done-with-problems", uploaded=1, problems=[{"path": "a"}, {"path": "b"}])
    assert summary_line(row) == "site: done-with-problems: 1 uploaded; 2 problems: runner problems site"


def test_summary_of_a_halt_shows_the_line_to_type() -> None:
    halt = {"brake": "max-delete", "reason": "r", "token": "abc", "count": 12, "sample": []}
    assert summary_line(_row("halted", message="12 deletions", halt=halt)) == (
        "site: halted: 12 deletions; runner approve site abc"
    )
    told = "12 deletions; type: runner approve site abc"
    assert summary_line(_row("halted", message=told, halt=halt)) == f"site: halted: {told}"


def test_summary_of_a_failure_without_a_report_is_its_message_made_harmless() -> None:
    row = {"pair": "site", "outcome": "failed", "message": "no\x1b[2J bucket", "report": None}
    assert summary_line(row) == r"site: failed: no\x1b[2J bucket"


def test_progress_says_what_is_left() -> None:
    progress = {
        "stage": "transferring", "files_done": 12, "files_total": 340, "bytes_done": 200_000_000,
        "bytes_total": 1_200_000_000, "bytes_per_second": 10_000_000.0,
    }  # fmt: skip
    assert progress_line("site", progress) == ("site: transferring 12 of 340 files, 200MB of 1.2GB, 10MB/s, 100s left")
    assert progress_line("site", {"stage": "scanning", "files_done": 7}) == "site: scanning 7 files"


def test_pipe_gets_one_line_a_pass_and_no_progress(capsys: pytest.CaptureFixture[str]) -> None:
    with PassLines() as lines:
        lines.show({"pair": "site", "progress": {"stage": "scanning", "files_done": 7}})
        lines.show(_row())
    assert capsys.readouterr().out == "site: done: nothing to do\n"


def test_progress_line_without_a_file_yet_is_the_stage_alone() -> None:
    assert progress_line("site", {"stage": "transferring", "files_done": 0, "files_total": 0}) == "site: transferring"
