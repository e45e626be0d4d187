"""What a worker knows of its pair, kept over its passes, and the report made of it. Reads no clock, sends nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from runner.config.settings import EngineName, Mode, Pair
from runner.model.passes import WHOLE, Outcome, PassReport, Progress, Scope, Trigger, Work
from runner.model.states import Health
from runner.model.worker_report import LastPass, Totals, WorkerReport
from runner.store import price
from runner.worker import health
from runner.worker.message_size import TEXT_CHARACTERS, short_halt
from runner.worker.problem_book import EVERYTHING, ProblemBook, Touched
from runner.worker.request_rate import RequestRate

_THROUGH = frozenset({Outcome.DONE, Outcome.DONE_WITH_PROBLEMS})


@dataclass(frozen=True, slots=True)
class Doing:
    """What the worker is at right now. Times are seconds since the epoch; trigger is None between passes."""

    trigger: Trigger | None = None
    started_at: float | None = None
    progress: Progress | None = None
    pending: bool = False
    paused: bool = False
    retrying: bool = False
    next_pass_at: float | None = None
    failures: int = 0


@dataclass(slots=True)
class Account:
    """error: why the pair cannot be used now. holder: who else holds it. report: of the last pass over everything;
    trouble_of_events: of a smaller pass after it that failed or halted, None when the last one went through.
    last_scan: of the last pass that looked at the whole folder. queue_note: why events of the bucket are not heard."""

    pair: Pair
    endpoint_url: str | None
    held: bool = False
    error: str = ""
    holder: str = ""
    holder_hydrated: bool = False
    watching: str = "off"
    watch_note: str = ""
    queue_note: str = ""
    hydrated: bool = False
    report: PassReport | None = None
    trouble_of_events: PassReport | None = None
    last_scan: PassReport | None = None
    last_pass: LastPass | None = None
    last_success_at: float | None = None
    files: int | None = None
    files_bytes: int | None = None
    way: str = ""
    totals: Totals = field(default_factory=Totals)
    book: ProblemBook = field(default_factory=ProblemBook)
    rate: RequestRate = field(default_factory=RequestRate)

    def __post_init__(self) -> None:
        # Uploads never count for hydration.
        self.hydrated = self.pair.mode is Mode.PUSH

    def pass_ended(
        self, report: PassReport, trigger: Trigger, started_at: float, ended_at: float, work: Work = WHOLE
    ) -> None:
        """started_at, ended_at: seconds since the epoch. work: what the pass was asked to look at."""
        self._remember(report, work.scope)
        self.book.update(report, self._touched(work))
        self.rate.add(report.requests, started_at)
        self.way = report.way or self.way
        if work.scope is Scope.FULL:
            self.hydrated = self.hydrated or bool(report.hydrated)
            self.files = self.files if report.files is None else report.files
            self.files_bytes = self.files_bytes if report.files_bytes is None else report.files_bytes
            if report.outcome in _THROUGH:
                self.last_success_at = ended_at
        self.last_pass = LastPass(
            started_at=started_at,
            ended_at=ended_at,
            outcome=report.outcome,
            trigger=trigger,
            scope=work.scope,
            message=report.message[:TEXT_CHARACTERS],
            way=report.way,
            uploaded=report.uploaded,
            downloaded=report.downloaded,
            deleted_local=report.deleted_local,
            deleted_remote=report.deleted_remote,
            bytes_up=report.bytes_up,
            bytes_down=report.bytes_down,
        )
        self.totals = self._added(report)

    def evidence(self, *, pending: bool) -> health.Evidence:
        return health.Evidence(
            outcome=self._outcome(),
            pending=pending,
            conflicts=self.book.conflicts_count,
            unusable=bool(self.error),
            standby=bool(self.holder),
        )

    def told(self, doing: Doing) -> WorkerReport:
        """Everything in one report, at most about 64 KiB."""
        evidence = self.evidence(pending=doing.pending)
        state, worst = health.health(evidence), self._worst()
        return WorkerReport(
            activity=health.activity(
                evidence, syncing=doing.trigger is not None, paused=doing.paused, retrying=doing.retrying
            ),
            health=state,
            compared_by=self._compared_by(state),
            hydrated=self.hydrated,
            trigger=doing.trigger,
            pass_started_at=doing.started_at,
            progress=doing.progress,
            last_pass=self.last_pass,
            last_success_at=self.last_success_at,
            next_pass_at=doing.next_pass_at,
            consecutive_failures=doing.failures,
            halt=short_halt(worst.halt) if worst else None,
            holder=self.holder or None,
            holder_hydrated=bool(self.holder) and self.holder_hydrated,
            watching=self.watching,
            watch_note="; ".join(note for note in (self.watch_note, self.queue_note) if note),
            way=self.way,
            files=self.files,
            files_bytes=self.files_bytes,
            conflicts=evidence.conflicts,
            problems_count=len(self.book),
            problems=self.book.sample(),
            totals=self.totals,
            error=(self.error or self._last_error())[:TEXT_CHARACTERS],
        )

    def trouble(self) -> str:
        """Why nothing of the pair is in sync, however few problems its last good pass left; "" when passes go on."""
        report, name = self._worst(), self.pair.name
        if report is not None and report.halt is not None:
            approve = f"; runner approve {name} {report.halt.token}" if report.halt.token else ""
            return f"{name}: halted: {report.halt.reason}{approve}"
        error = self.error or self._last_error()
        return f"{name}: failing: {error}" if error else ""

    def _last_error(self) -> str:
        worst = self._worst()
        return worst.message if worst and worst.outcome is Outcome.FAILED else ""

    def _remember(self, report: PassReport, scope: Scope) -> None:
        if scope is Scope.FULL:
            self.report, self.trouble_of_events = report, None
        elif report.outcome in _THROUGH:
            self.trouble_of_events = None
        elif report.outcome in {Outcome.FAILED, Outcome.HALTED}:
            self.trouble_of_events = report
        if scope in {Scope.FULL, Scope.LOCAL}:
            self.last_scan = report

    def _worst(self) -> PassReport | None:
        """The report that a person has to know of: a smaller pass never hides that a whole one failed or halted."""
        whole = self.report
        if whole is not None and whole.outcome in {Outcome.FAILED, Outcome.HALTED}:
            return whole
        return self.trouble_of_events or whole

    def _outcome(self) -> Outcome | None:
        """Smaller passes cure problems of a whole one, and find new ones."""
        worst = self._worst()
        if worst is None or worst.outcome not in _THROUGH or self.pair.engine is not EngineName.NATIVE:
            return worst.outcome if worst else None
        unnamed = worst.outcome is Outcome.DONE_WITH_PROBLEMS and not worst.problems
        named = len(self.book) > self.book.conflicts_count
        return Outcome.DONE_WITH_PROBLEMS if unnamed or named else Outcome.DONE

    def _touched(self, work: Work) -> Touched:
        if work.scope is Scope.FULL:
            return EVERYTHING
        prefix = self.pair.prefix
        below = {key.removeprefix(prefix).rstrip("/") for key in work.keys if key.startswith(prefix)}
        return Touched(frozenset(work.paths | below), local=work.scope is Scope.LOCAL)

    def _compared_by(self, state: Health) -> str | None:
        if self.report is None or state is Health.UNKNOWN:
            return None
        return "size-time" if self.pair.engine is EngineName.AWS_CLI else "content"

    def _added(self, report: PassReport) -> Totals:
        was, per_day = self.totals, self.rate.per_day()
        billed = price.is_aws(self.endpoint_url)
        return Totals(
            passes=was.passes + 1,
            failed_passes=was.failed_passes + (report.outcome is Outcome.FAILED),
            uploaded=was.uploaded + report.uploaded,
            downloaded=was.downloaded + report.downloaded,
            deleted=was.deleted + report.deleted_local + report.deleted_remote,
            bytes_up=was.bytes_up + report.bytes_up,
            bytes_down=was.bytes_down + report.bytes_down,
            requests=self.rate.total,
            requests_per_day=per_day,
            price_per_day_usd=price.usd(per_day) if per_day is not None and billed else None,
        )


def endpoint_of(pair: Pair, environment: Mapping[str, str]) -> str | None:
    """As the AWS CLI picks it, from most to least special (AWS CLI user guide, "Service-specific endpoints")."""
    return pair.endpoint_url or environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL") or None
