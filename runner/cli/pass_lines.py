"""What `once` and `sync --wait` show: progress while passes run (on a terminal), then a line for each pass.

The words are pure functions; PassLines holds the terminal. No thread: the one-shot supervisor forks in this process.
"""

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

from runner.cli import amounts
from runner.model.names import printable

if TYPE_CHECKING:
    from rich.live import Live

Row = dict[str, Any]
_COUNTS = (
    ("uploaded", "uploaded"),
    ("downloaded", "downloaded"),
    ("deleted_remote", "deleted in the bucket"),
    ("deleted_local", "deleted in the folder"),
)


class PassLines:
    """As a context manager; give its `show` each row of the answer."""

    def __init__(self) -> None:
        self._progress: dict[str, str] = {}
        self._live: Live | None = None

    def __enter__(self) -> "PassLines":
        if sys.stdout.isatty():
            from rich.live import Live

            self._live = Live(auto_refresh=False, transient=True)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.update("", refresh=True)
            self._live.stop()

    def show(self, row: Row) -> None:
        """A row with `progress` changes the moving part; one with `outcome` is a line that stays."""
        pair = str(row.get("pair", ""))
        if isinstance(row.get("progress"), dict):
            self._progress[pair] = progress_line(pair, row["progress"])
        elif "outcome" in row:
            self._progress.pop(pair, None)
        if self._live is not None:
            from rich.text import Text

            self._live.update(Text("\n".join(self._progress.values())), refresh=True)
        if "outcome" in row:
            self._print(summary_line(row))

    def _print(self, line: str) -> None:
        if self._live is None:
            click.echo(line)
        else:
            self._live.console.print(line, markup=False, highlight=False, soft_wrap=True)


def summary_line(row: Row) -> str:
    """`site: done: 3 uploaded (1.2MB), 1 deleted in the bucket; 2 problems: runner problems site`."""
    pair, outcome = str(row.get("pair", "")), str(row.get("outcome", ""))
    report = row.get("report")
    report = report if isinstance(report, dict) else row
    parts = [_counts(report)]
    problems = row.get("problems_count", len(report.get("problems") or ()))
    if problems:
        parts.append(f"{amounts.things(int(problems), 'problem')}: runner problems {pair}")
    message = str(row.get("message") or report.get("message") or "")
    if message:
        parts.append(message)
    halt = report.get("halt")
    approve = f"runner approve {pair} {halt['token']}" if isinstance(halt, dict) and halt.get("token") else ""
    if approve and approve not in message:
        parts.append(approve)
    return printable(f"{pair}: {outcome}: {'; '.join(part for part in parts if part)}")


def progress_line(pair: str, progress: Row) -> str:
    """`site: transferring 12 of 340 files, 3.4MB of 1.2GB, 10MB/s, 2m left`."""
    done, total = progress.get("files_done"), progress.get("files_total")
    parts = [_of(done, total, str) + " files"] if done or total else []
    if progress.get("bytes_done") or progress.get("bytes_total"):
        parts.append(_of(progress.get("bytes_done"), progress.get("bytes_total"), amounts.size))
    rate = progress.get("bytes_per_second")
    if rate:
        parts.append(f"{amounts.size(rate)}/s")
        if progress.get("bytes_total"):
            left = max(progress["bytes_total"] - progress.get("bytes_done", 0), 0)
            parts.append(f"{amounts.span(left / rate)} left")
    return printable(f"{pair}: {progress.get('stage', '')} {', '.join(parts)}".rstrip())


def _of(done: Any, total: Any, shown: Any) -> str:
    return f"{shown(done or 0)} of {shown(total)}" if total is not None else str(shown(done or 0))


def _counts(report: Row) -> str:
    parts = []
    for key, words in _COUNTS:
        count = report.get(key)
        if count:
            moved = report.get({"uploaded": "bytes_up", "downloaded": "bytes_down"}.get(key, ""), 0)
            parts.append(f"{count} {words}" + (f" ({amounts.size(moved)})" if moved else ""))
    return ", ".join(parts) or "nothing to do" * (report.get("outcome", "done") in ("done", "done-with-problems"))
