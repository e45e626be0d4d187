"""One pass of the native engine: observe, decide, brake, act, remember. Its scope says how far it looks.

FULL: scan and listing. LOCAL: scan only. PATHS and KEYS: what events named. Deletions are decided from a complete scan
and a proven listing alone, never from an event.
"""

import time
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from itertools import islice

from runner.config.settings import Mode
from runner.engine import approval, brakes
from runner.engine.native import reporting, sessions
from runner.engine.native.account import Account, is_permanent
from runner.engine.native.acting import Feed, run_phase, transfer_order
from runner.engine.native.decide import Action, Decision
from runner.engine.native.facts import Kind, Local, Remote
from runner.engine.native.hints import Hints, assumed
from runner.engine.native.memory import Memory
from runner.engine.native.observation import Observation
from runner.engine.native.observing import Observer
from runner.engine.native.open_files import may_snapshot
from runner.engine.native.planning import BOOKED, Planner
from runner.engine.native.reading import local_of
from runner.engine.native.recorder import Recorder
from runner.engine.native.refusals import Refusals
from runner.engine.native.second_look import Ended
from runner.engine.native.steps import Phase, Step, Steps
from runner.engine.native.tidying import Tidying
from runner.engine.native.waiting import BusyError
from runner.engine.native.workshop import Workshop
from runner.engine.outcomes import PassFailedError, PassHaltedError, PassStoppedError
from runner.files.filters import Filters
from runner.files.folder import Folder
from runner.files.scan_result import Entry
from runner.model.passes import Progress, Scope, Work
from runner.model.problem import Side
from runner.store.errors import AccessDeniedError, StoreError

_UNPUSHED_LOOKED_AT = 10_000
_DOWN = frozenset({Action.DOWNLOAD, Action.KEEP_BOTH})


@dataclass
class Reconciliation:
    """read_only: for plans and comparisons; nothing outside the pass's own tables changes. tries_refused: some of what
    was forbidden before is tried again."""

    shop: Workshop
    memory: Memory
    seen: Observation
    folder: Folder
    account: Account
    pool: Executor
    read_only: bool = False
    approved: tuple[str, ...] = ()
    deadline: float | None = None
    tries_refused: bool = False
    _total: int = 0
    _done: int = 0
    _bytes: int = 0
    _bytes_total: int = 0
    brake_found: brakes.Brake | None = None
    _emptied: set[str] = field(default_factory=set)
    _stranded: set[str] = field(default_factory=set)
    _hurried: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        pair = self.shop.pair
        self.filters = Filters(pair.exclude, pair.include)
        self.steps = Steps(self.seen.connection)
        self.recorder = Recorder(self.memory, self.shop.tree, time.monotonic)
        self.shop.on_bytes = self._count_bytes
        makes = None if self.read_only or pair.mode is Mode.PULL else self._make_index_file
        self.observer = Observer(
            pair, self.seen, self.filters, self._must_stop, self._progress, self.account.problem, makes
        )
        self.tidying = Tidying(self.shop, self.memory, self.seen)
        self.refusals = Refusals(self.memory, self.steps, self.account)
        self.planner = Planner(
            self.seen,
            self.steps,
            self.shop.looker,
            self.filters,
            self.pool,
            self.check_stop,
            self._planned,
            read_only=self.read_only,
        )

    # ── the whole ──

    def run(self, work: Work) -> None:
        """Raises PassStoppedError, PassHaltedError, PassFailedError, StoreError, OSError, sqlite3.Error."""
        try:
            self.prepare(work)
            self.shop.surroundings.slot_release()
            self._act()
        except PassHaltedError:
            raise
        except BaseException:
            self.recorder.write()
            self._name_unpushed()
            raise
        finally:
            self.recorder.write()
        if work.scope is Scope.FULL:
            busy = {one.path for one in self.account.problems if one.code == "busy" and one.side is Side.LOCAL}
            self.tidying.finish(busy)

    def _name_unpushed(self) -> None:
        """The pass ended early: whoever stops the runner now has to know which files wait."""
        for step in islice(self.steps.run_order(Phase.TRANSFERS), _UNPUSHED_LOOKED_AT):
            if step.action is not Action.UPLOAD or not isinstance(step.local, Local):
                continue
            base = self.memory.get(step.path)
            if base is None or (base.size, base.ctime_ns) != (step.local.size, step.local.ctime_ns):
                reason = "it is not pushed yet: the pass ended before"
                self.account.problem(Side.LOCAL, step.path, "unpushed", reason)

    def prepare(self, work: Work) -> None:
        """Looks and decides; raises PassHaltedError before the first change."""
        if work.scope in {Scope.FULL, Scope.LOCAL}:
            self._look_at_all(work.scope)
        else:
            self._look_at_some(work)
        if self.steps.is_empty:
            return  # at rest: no move, nothing that was refused, nothing for the brakes
        moved_there, moved_here = self.planner.find_moves(can_copy=self.shop.capabilities.copy)
        if work.scope in {Scope.FULL, Scope.LOCAL}:
            self.refusals.drop(try_some=self.tries_refused)
            self._brake(moved_there, moved_here)

    # ── looking ──

    def _look_at_all(self, scope: Scope) -> None:
        result = self.observer.scan(self.folder)
        self.account.files, self.account.files_bytes = result.files, result.bytes
        if scope is Scope.LOCAL:
            self.seen.assume_remote()
        else:
            self._list()
        self._progress("checking", 0)
        self.planner.plan()

    def _list(self) -> None:
        """A push that may not list goes by memory and by conditional writes. Raises StoreError."""
        try:
            self.observer.list(self.shop.store)
        except AccessDeniedError as error:
            self.seen.flush()
            if self.shop.pair.mode is not Mode.PUSH or self.seen.remote_files:
                raise
            self.seen.assume_remote()
            reason = f"what others change in the bucket cannot be seen, this push goes by its memory: {error}"
            self.account.problem(Side.REMOTE, "", "unlisted", reason, permanent=True)

    def _look_at_some(self, work: Work) -> None:
        self.seen.assume_remote()
        hints = Hints(self.shop, self.memory, self.filters)
        found = [*hints.paths(work.paths), *hints.keys(work.keys)]
        self.check_stop()
        for ended in list(self.pool.map(self.planner.settle, found)):
            step = ended.step
            if step is not None and step.action in {Action.DELETE_LOCAL, Action.DELETE_REMOTE}:
                self.account.deferred_deletions += 1
            else:
                self.planner.take(ended if step is None else replace(ended, step=hints.as_move(step)))
        self.account.deferred_deletions += hints.for_the_scan + self.planner.left_to_the_scan()

    def _make_index_file(self, path: str) -> Entry | None:
        """`empty_folders: index-file`: the placeholder is a file here, too."""
        try:
            with self.shop.tree.temporary() as empty:
                empty.finish()
                return self.shop.tree.place(path, empty)
        except OSError as error:
            self.account.problem(Side.LOCAL, path, "placeholder", f"the placeholder cannot be made: {error.strerror}")
            return None

    # ── brakes ──

    def _brake(self, moved_there: int, moved_here: int) -> None:
        """Deletions (in the bucket, here) of files that go on under another name are none. Raises PassHaltedError."""
        remembered = self.seen.remembered
        going_there = self.steps.count_verb(Action.DELETE_REMOTE) - moved_there
        going_here = self.steps.count_verb(Action.DELETE_LOCAL) - moved_here
        plan = brakes.Plan(
            here=brakes.Deletions(going_here, remembered, self.seen.remote_files, "emptied-listing"),
            there=brakes.Deletions(going_there, remembered, self.seen.local_files, "emptied-folder"),
            changes=self.steps.count_changes(),
            remembered=remembered,
        )
        pair = self.shop.pair
        self.brake_found = brakes.judge_both(plan, pair.max_delete, pair.max_change)
        if self.read_only:
            return
        verbs = (Action.DELETE_REMOTE, Action.DELETE_LOCAL)
        if self.brake_found is not None and self.brake_found.name == "max-change":
            verbs = (Action.UPLOAD, Action.DOWNLOAD)
        self.approved = approval.brake(self.memory, self.shop.surroundings, self.brake_found, self.steps.paths(*verbs))

    # ── acting ──

    def _act(self) -> None:
        counts = self.steps.counts()
        self._total = sum(count for count, _bytes in counts.values())
        self._bytes_total = counts.get(Phase.TRANSFERS, (0, 0))[1]
        width = self.shop.pair.concurrency
        self._progress("transferring", 0)
        if counts and self.shop.pair.mode is Mode.TWO_WAY:
            sessions.begin(self.memory, self.shop.store.session)
        for phase in Phase:
            if phase not in counts:
                continue
            order = transfer_order(self.steps, width) if phase is Phase.TRANSFERS else self.steps.run_order(phase)
            if phase is Phase.LATE_UPLOADS:  # a removal that failed leaves its folder in the bucket
                order = iter([self.planner.in_the_place_of_a_folder(step) for step in order])
            order = (step for step in order if step.path not in self._stranded)
            if phase is Phase.TRANSFERS:
                order = Feed(order, self._urgent)
            for ended in run_phase(self.shop, self.pool, order, width, self._tick):
                self._took(ended)
                self.check_stop()
            if phase in {Phase.LOCAL_MOVES, Phase.LOCAL_REMOVALS}:
                self.tidying.remove_emptied(self._emptied)
                self._emptied.clear()

    def _urgent(self) -> list[Step]:
        """Uploads of what changed here while transfers run. A path that has a step of this pass waits for its end."""
        names = self.shop.surroundings.more_paths()
        if not names:
            return []
        self.recorder.write()  # what was just uploaded is no foreign change
        hints = Hints(self.shop, self.memory, self.filters)
        steps = []
        for candidate in hints.paths(names):
            if candidate.path in self._hurried or self.steps.has(candidate.path):
                self.account.again[candidate.path] = 0.0
                continue
            ended = self.planner.settle(candidate)
            step = ended.step
            if step is None or step.action in BOOKED:
                self.planner.take(ended)
            elif step.action is Action.UPLOAD:
                self._hurried.add(step.path)
                steps.append(step)
            else:
                self.account.again[candidate.path] = 0.0
        self.account.deferred_deletions += hints.for_the_scan
        return steps

    def _planned(self, ended: Ended) -> None:
        """Called for what needs no step: memory is told, a person is told, or it is looked at again."""
        if isinstance(ended.error, BusyError) and not self.read_only and self._snapshot(ended):
            return
        self.account.took(ended)
        if isinstance(ended.error, StoreError) and not is_permanent(ended.error):
            self.account.downloads_left += 1  # it could not be looked at: nobody knows whether it is in place
        elif ended.step is not None and isinstance(ended.step.remote, Remote) and ended.step.action is Action.WAIT:
            self.account.downloads_left += self.observer.may_yet_be_seen(ended.path)
        if not self.read_only:
            self.recorder.take(ended.result.records)

    def _snapshot(self, ended: Ended) -> bool:
        """A file that stays open is published as it is, when it has been open for long enough."""
        since = self.memory.busy_since(ended.path, self.shop.now)
        wait = may_snapshot(self.shop.pair.open_files, ended.path, self.shop.now - since)
        if wait is None:
            return False
        if wait > 0:
            self.account.again[ended.path] = wait
            return False
        entry = self.shop.tree.look(ended.path)
        local = local_of(entry) if entry is not None else None
        if local is None or local.kind is not Kind.FILE:
            return False
        base = ended.base
        decision = Decision(Action.UPLOAD, "open for writing since long: its state of now")
        self.steps.add(Step(ended.path, decision, base, local, assumed(base), snapshot=True))
        return True

    def _took(self, ended: Ended) -> None:
        self._done += 1
        self._hurried.discard(ended.path)
        self.account.took(ended)
        for copy in ended.result.conflict_copies:
            self.account.problems.add(reporting.open_conflict(copy, self.account.now))
        self.recorder.take(ended.result.records)
        self._emptied.update(ended.result.emptied)
        self.refusals.took(ended)
        error = ended.error
        if error is not None:
            if ended.step is not None and ended.step.action is Action.DELETE_REMOTE:
                self.steps.drop_of(ended.path, Action.DELETE_REMOTE)
            if isinstance(error, BusyError):
                self.memory.busy_since(ended.path, self.shop.now)
            if ended.step is not None and ended.step.source:
                self._stranded.add(ended.step.source)  # the old name goes when the new one has arrived
            if ended.step is not None and ended.step.action in _DOWN and not is_permanent(error):
                self.account.downloads_left += 1
        self._progress("transferring", self._done)

    # ── stopping and telling ──

    def check_stop(self) -> None:
        if self._must_stop():
            raise PassStoppedError
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise PassFailedError(f"the pass was stopped by `timeout` after {self.shop.pair.timeout_seconds:.0f} s")

    def _must_stop(self) -> bool:
        return self.shop.surroundings.should_stop()

    def _tick(self) -> None:
        self._progress("transferring", self._done)

    def _count_bytes(self, count: int) -> None:
        with self.shop.lock:
            self._bytes += count

    def _progress(self, stage: str, done: int) -> None:
        total = self._total or None
        self.shop.surroundings.report_progress(Progress(stage, done, total, self._bytes, self._bytes_total or None))
