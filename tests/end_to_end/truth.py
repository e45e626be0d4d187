"""Is the status true? A native two-way pair as a user has it, changes on both sides, faults; `in-sync` is looked into.

One thread: it acts, asks for the status, and whenever that says `in-sync` compares folder and bucket at once, before it
acts again. What the status cannot know yet is allowed: a local change of the last moment, and what others did in the
bucket since the last whole pass began.
"""

import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

from runner.model.errors import UserError
from tests.end_to_end.harness import Runner
from tests.end_to_end.meddlers import NAMES, Meddlers, OwnServer, Told
from tests.end_to_end.sides import Row
from tests.witness import wait_until

EVENT_SECONDS = 0.6  # a gulp of events, and the way of a report
OUTAGE_SECONDS = 40.0  # a request that nobody answers ends after half a minute
EVERY_SECONDS = 1.0
PATIENCE_SECONDS = 4.0  # heartbeat_timeout
EQUAL = {"in-sync", "conflicts"}  # a conflict copy is on both sides, too


@dataclass
class Truth(Meddlers):
    """lies: what was said and was not so. unseen_seconds: ages of local changes that a status did not know of yet.
    listed_at: when the last whole pass that went through began, in seconds since the epoch."""

    lies: list[str] = field(default_factory=list)
    said: Counter[str] = field(default_factory=Counter)
    unseen_seconds: list[float] = field(default_factory=list)
    listed_at: float = float("-inf")

    # ── asking ──

    def row(self) -> Row:
        """The pair's row, with when it was asked for and how long that took."""
        began = time.monotonic()
        try:
            found: Row = self.ask("status")[0]["row"]["pairs"][0]
        except UserError:
            return {"health": None}
        last = found.get("last_pass") or {}
        if last.get("scope") == "full" and last.get("outcome") in {"done", "done-with-problems"}:
            self.listed_at = max(self.listed_at, last["started_at"])
        return {**found, "asked_at": began, "took": time.monotonic() - began}

    def look(self) -> Row:
        """Asks, and compares what is said with what is there."""
        row = self.row()
        self.said[str(row["health"])] += 1
        self._judge_words(row)
        if row["health"] in EQUAL:
            if self.away_since is None:
                self._judge_contents(row)
            elif time.monotonic() - self.away_since > OUTAGE_SECONDS:
                self.lies.append(f"in-sync {time.monotonic() - self.away_since:.0f} s after the server went away")
        return row

    def _judge_words(self, row: Row) -> None:
        """What one row says of itself."""
        if row["health"] not in EQUAL:
            return
        wrong = [name for name in ("halt", "error", "holder") if row.get(name)]
        if row["conflicts"] != row["problems_count"] or (row["health"] == "conflicts") != bool(row["conflicts"]):
            wrong.append("problems_count")
        progress = row["progress"] or {}
        if progress.get("stage") == "transferring" and progress.get("files_total"):
            wrong.append("progress")
        last = row["last_pass"]
        if wrong or last["outcome"] in {"failed", "halted"} or row["compared_by"] != "content":
            self.lies.append(f"in-sync, and {wrong} {last}")
        if self.frozen is not None and row["heartbeat_age_seconds"] > PATIENCE_SECONDS / 2:
            self.lies.append(f"in-sync by a worker that is silent for {row['heartbeat_age_seconds']:.1f} s")

    def _judge_contents(self, row: Row) -> None:
        here, there = self.here(), self.there()
        grace = EVENT_SECONDS + 4 * row["took"]
        for path in here.keys() | there.keys():
            if here.get(path) == there.get(path):
                continue
            told = self.told.get(path, Told())
            age = row["asked_at"] - max(told.here, self.thawed_at)
            if told.there < self.listed_at and age > grace and self.frozen is None:
                what = f"here {here.get(path)}, there {there.get(path)}, {age:.3f} s after the last change here"
                short = {name: row[name] for name in ("health", "activity", "last_pass", "paused")}
                self.lies.append(
                    f"{time.time():.3f}: in-sync, and {path} differs: {what}; {short}; {self.history[-8:]}"
                )
            elif told.there < self.listed_at:
                self.unseen_seconds.append(age)

    # ── the beginning and the end ──

    def begin(self) -> None:
        """The runner starts; what it calls ready is ready."""
        wanted = self.there()
        self.runner.start()
        wait_until(self._is_ready, "ready", 30)
        if missing := wanted.keys() - self.here().keys():
            self.lies.append(f"ready without {missing}")
        wait_until(lambda: self.look()["health"] in EQUAL, "in sync at first", 30)

    def _is_ready(self) -> bool:
        with suppress(UserError):
            self.look()
            return bool(self.ask("healthcheck", ready=True)[-1]["exit_code"] == 0)
        return False

    def calm(self) -> None:
        """Everything ends well: the status says so, and it is so."""
        self.back()
        self.thaw()
        self.end_hold_end()
        self.end_pipe_away()
        self.end_resume()
        wait_until(self._is_in_sync, f"in-sync in the end: {self.row()}", 60)

    def _is_in_sync(self) -> bool:
        self.end_merge()
        row = self.look()
        return row["health"] == "in-sync" and self.here() == self.there() and row["activity"] == "waiting"


def truth_of(runner: Runner, own: OwnServer, bucket: str, seed: int, **keys: str) -> Truth:
    """Not started; one writer or the other has put something under each name."""
    (runner.folder / "w").mkdir(parents=True)
    pair = {"name": "w", "bucket": bucket, "folder": "w", "mode": "two-way", "every": f"{EVERY_SECONDS}s", **keys}
    runner.write_config([pair], supervisor={"heartbeat_timeout": f"{PATIENCE_SECONDS}s"})
    subject = Truth(runner, bucket, own, seed)
    for name in NAMES:
        subject.do("write" if subject.random.random() < 0.5 else "put", name)
    return subject
