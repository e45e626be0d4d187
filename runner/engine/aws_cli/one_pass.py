"""Everything that one pass holds: folder, memory, observation, S3, runs, and what is to be reported in the end.

The steps (push.py, pull.py and their kin) take it as their argument. It counts and looks; it decides nothing.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from runner.config.settings import EmptyFolders, Mode, Symlinks
from runner.engine.aws_cli.memory import Memory
from runner.engine.aws_cli.observation import Look, Observation
from runner.engine.aws_cli.output import RunCounts
from runner.engine.aws_cli.prediction import Rule, in_place
from runner.engine.aws_cli.run import RunResult, Runs
from runner.engine.aws_cli.verdict import ExitStatus, Verdict
from runner.engine.interface import Surroundings
from runner.engine.outcomes import PassFailedError, PassHaltedError, PassStoppedError
from runner.engine.problem_log import ProblemLog, counted_once
from runner.engine.proof import FolderProof
from runner.engine.trash_clock import tells_ages
from runner.files.filters import Filters, always_excluded
from runner.files.links import Follow
from runner.files.scan import INDEX_NAME, scan
from runner.files.scan_result import Entry, ScanResult
from runner.files.trash import Trash
from runner.model.passes import Halt, Outcome, Progress, Requests
from runner.model.problem import Problem, Side
from runner.store.client import Client, ObjectInfo
from runner.store.keys import KEY_BYTES, Refusal, key_of_path

_PAGE_KEYS = 1000
_PART_BYTES = 8 << 20  # the AWS CLI's default multipart size
_REPORT_EVERY = 1000


@dataclass
class Tally:
    """What has been changed so far; becomes the PassReport."""

    uploaded: int = 0
    downloaded: int = 0
    deleted_local: int = 0
    deleted_remote: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    files: int | None = None
    files_bytes: int | None = None
    way: str = ""
    hydrated: bool | None = None
    run_requests: Requests = field(default_factory=Requests)
    notes: list[str] = field(default_factory=list)


class OnePass:
    """One pass (or plan, or comparison) of a pair. `first`: nothing is deleted on either side."""

    def __init__(
        self,
        surroundings: Surroundings,
        proof: FolderProof[Memory],
        memory: Memory,
        connect: Callable[[], Client],
        *,
        read_only: bool = False,
    ) -> None:
        """read_only: for plans and comparisons: memory is looked at only."""
        self.surroundings = surroundings
        self.pair = surroundings.pair
        self.proof = proof
        self.folder = proof.folder
        self.memory = memory
        self.first = not memory.first_pass_done
        self.seen = Observation(memory)
        self.filters = Filters(self.pair.exclude, self.pair.include)
        self.rule = Rule.of(self.pair)
        memory.connection.create_function("run_uploads", 4, self.rule.uploads, deterministic=True)
        memory.connection.create_function("run_downloads", 4, self.rule.downloads, deterministic=True)
        memory.connection.create_function("in_place", 4, in_place, deterministic=True)
        self.trash = Trash(proof.folder, proof.private, self.pair.trash)
        self.runs = Runs(surroundings, proof.lock_fd)
        self.now = surroundings.wall_clock()
        self.trash.ages_are_told = not read_only and tells_ages(memory, self.now, self.trash.keep_seconds)
        self.tally = Tally()
        self.problems = ProblemLog(counted_once(memory.connection, "temp"))
        self.read_only = read_only
        self.impossible: set[str] = set()
        self.walk_is_bounded = True
        self.approved: list[str] = []  # the tokens by which this pass's deletions were let through
        self.listed = False
        self.unordered = False
        self.status = ExitStatus(code=0)  # of the last run
        self._connect = connect
        self._client: Client | None = None
        self._deadline = time.monotonic() + self.pair.timeout_seconds if self.pair.timeout_seconds else None

    def close(self) -> None:
        """Ends connections; the requests are counted by then."""
        self.trash.close()
        self.runs.close()
        if self._client is not None:
            self._client.close()

    # ── the world ──

    @property
    def client(self) -> Client:
        """S3, connected when first needed. Raises CredentialsError, ServiceUnavailableError."""
        if self._client is None:
            self._client = self._connect()
        return self._client

    @property
    def requests(self) -> Requests:
        """Ours exactly, those of the CLI as an estimate from what it moved."""
        own = self._client.requests if self._client is not None else Requests()
        return own + self.tally.run_requests

    @property
    def follow(self) -> Follow:
        """How a push reads links; a pull never follows one."""
        return {Symlinks.FOLLOW: "inside", Symlinks.FOLLOW_ALL: "all"}.get(self.pair.symlinks, "no")  # type: ignore[return-value]

    def check_stop(self) -> None:
        if self.surroundings.should_stop():
            raise PassStoppedError
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise PassFailedError(f"the pass was stopped by `timeout` after {self.pair.timeout_seconds:.0f} s")

    def progress(self, stage: str, done: int = 0, total: int | None = None) -> None:
        self.surroundings.report_progress(Progress(stage, done, total))

    def log(self, level: str, message: str) -> None:
        self.surroundings.log(level, message)

    # ── looking ──

    def scan(self, look: Look, follow: Follow) -> ScanResult:
        """Scans the folder into the table `look`. Raises PassStoppedError, PassHaltedError for an unreadable root."""
        index_is_mark = self.pair.empty_folders is EmptyFolders.INDEX_OBJECT
        seen = self.seen
        done = 0

        def found(entry: Entry) -> None:
            nonlocal done
            if entry.kind == "file":
                if (index_is_mark and entry.path.rpartition("/")[2] == INDEX_NAME) or self._cannot_be_a_key(entry.path):
                    return
                seen.add_file(look, entry)
                done += 1
                if done % _REPORT_EVERY == 0:
                    self.progress("scanning" if look == "here" else "checking", done)
            elif entry.kind == "dir":
                seen.add_dir(entry.path)
            elif entry.kind == "symlink":
                seen.add_link(entry.path)

        self.progress("scanning" if look == "here" else "checking")
        result = scan(self.folder, self.filters, follow=follow, found=found, should_stop=self.surroundings.should_stop)
        if not result.complete:
            self.check_stop()
            reason = next((skipped.reason for skipped in result.skipped if not skipped.path), "it cannot be read")
            raise PassHaltedError(Halt("folder-unreadable", f"the folder cannot be read: {reason}", "", 0))
        self.tally.files, self.tally.files_bytes = result.files, result.bytes
        return result

    def _cannot_be_a_key(self, path: str) -> bool:
        """Only length is left to be wrong: the scan gives no other impossible names."""
        if len(path) * 4 + len(self.pair.prefix) * 4 <= KEY_BYTES:
            return False
        key = key_of_path(path, self.pair.prefix)
        if not isinstance(key, Refusal):
            return False
        if self.pair.mode is Mode.PUSH:
            self.problem(Side.LOCAL, path, key.code, key.reason, permanent=True)
        self.impossible.add(path)
        return True

    def objects(self) -> Iterator[ObjectInfo]:
        """The proven listing, with progress. Absence is proven by its normal end only."""
        self.progress("listing")
        for number, info in enumerate(self.client.list(self.pair.prefix), 1):
            if number % _PAGE_KEYS == 0:
                self.check_stop()
                self.progress("listing", number)
            yield info
        self.listed = True
        self.unordered = self.client.lists_in_byte_order is False

    def wants(self, path: str) -> bool:
        return not self.filters.excludes(path) and not always_excluded(path)

    # ── running ──

    def run(self, argv: Sequence[str], *, files_total: int | None = None) -> tuple[RunCounts, Verdict]:
        """One run of the CLI. Failed files are in the verdict; raises PassFailedError, PassStoppedError otherwise."""
        self.check_stop()
        self.status = ExitStatus()  # nobody knows how it ends, until it has
        result = self.runs.run(
            argv,
            folder_fd=self.folder.fd,
            on_progress=lambda counts: self._run_progress(counts, files_total),
            deadline=self._deadline,
        )
        self.surroundings.slot_release()
        return self._counted(result)

    def _run_progress(self, counts: RunCounts, files_total: int | None) -> None:
        if counts.moved:
            self.surroundings.slot_release()
        left = counts.files_left
        total = counts.moved + left if left is not None else files_total
        self.surroundings.report_progress(
            Progress(
                "transferring",
                counts.moved,
                total,
                counts.bytes_done or 0,
                counts.bytes_total,
                counts.bytes_per_second,
            )
        )

    def _counted(self, result: RunResult) -> tuple[RunCounts, Verdict]:
        counts = result.counts
        self.status = result.status
        self.tally.way = result.way_and_version or self.tally.way
        self.tally.uploaded += counts.uploaded
        self.tally.downloaded += counts.downloaded
        self.tally.bytes_up += (counts.bytes_done or 0) if counts.uploaded else 0
        self.tally.bytes_down += (counts.bytes_done or 0) if counts.downloaded else 0
        self._count_transfers(counts)
        verdict = result.verdict()
        if verdict.outcome is Outcome.STOPPED:
            raise PassStoppedError
        return counts, verdict

    def count_listing(self, objects: int) -> None:
        """About what a run of `aws s3 sync` has asked for its comparison: one LIST a page."""
        self.tally.run_requests += Requests(lists=max(1, -(-objects // _PAGE_KEYS)))

    def _count_transfers(self, counts: RunCounts) -> None:
        """About what a run has sent: one PUT or GET a file, and one more for each part of a large one."""
        parts = (counts.bytes_done or 0) // _PART_BYTES
        puts = counts.uploaded + (parts if counts.uploaded else 0)
        gets = counts.downloaded + (parts if counts.downloaded else 0)
        self.tally.run_requests += Requests(puts=puts, gets=gets)

    # ── reporting ──

    def problem(self, side: Side, path: str, code: str, reason: str, *, permanent: bool = False) -> None:
        self.problems.add(Problem(path, side, code, reason, self.now, permanent))

    def dated_problems(self) -> tuple[Problem, ...]:
        """The problems with the time each was first seen; remembers it for the next pass."""
        return self.memory.dated(self.problems)
