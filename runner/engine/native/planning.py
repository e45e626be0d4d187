"""From the two looks to the steps of a pass: every candidate is decided, moves are recognised, the brakes are asked.

Changes nothing outside the tables of this pass. Decisions that need a look (a hash, a HEAD) run side by side.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field

from runner.engine.native import moves
from runner.engine.native.acting import ends_pass
from runner.engine.native.candidate import Candidate
from runner.engine.native.decide import Action, Decision
from runner.engine.native.ends import Ends
from runner.engine.native.facts import Kind, Local, Remote
from runner.engine.native.looking import Looker
from runner.engine.native.observation import Observation, Placeholder
from runner.engine.native.second_look import Ended, book
from runner.engine.native.steps import REMOVED_THERE, Phase, Step, Steps
from runner.engine.native.waiting import BusyError, MovedOnError, NotQuietError, StepProblemError
from runner.files.filters import Filters, always_excluded
from runner.model.problem import Side
from runner.store.errors import StoreError

BOOKED = frozenset({Action.NOTHING, Action.WAIT, Action.RECORD, Action.FORGET, Action.PROBLEM})
_STEPS = frozenset(
    {
        Action.UPLOAD,
        Action.DOWNLOAD,
        Action.DELETE_LOCAL,
        Action.DELETE_REMOTE,
        Action.KEEP_BOTH,
        Action.SET_LOCAL_MODE,
        Action.SET_REMOTE_MODE,
    }
)
_TICK_SECONDS = 0.5
_WINDOW = 64  # candidates that are looked at side by side or wait for their turn


@dataclass(slots=True)
class Planner:
    """done: what needs no step (memory is told, or a person); called in the pass's thread."""

    seen: Observation
    steps: Steps
    looker: Looker
    filters: Filters
    pool: Executor
    check_stop: Callable[[], None]
    done: Callable[[Ended], None]
    read_only: bool = False
    decided: int = field(default=0)
    _contested: list[Step] = field(default_factory=list)

    def plan(self) -> None:
        """Raises PassStoppedError, StoreError, OSError."""
        for ended in self._settled(self.seen.candidates()):
            self.take(ended)
        for step in self._contested:
            late = self.in_the_place_of_a_folder(step)
            self.steps.add(late, phase=Phase.LATE_UPLOADS if late is step else None)

    def left_to_the_scan(self) -> int:
        """Files where the bucket has a folder: only who has looked at all of it knows whether that one is gone."""
        return len(self._contested)

    def in_the_place_of_a_folder(self, step: Step) -> Step:
        """A new file under the name of a folder in the bucket: it takes the name when all below is on its way out."""
        if not self.seen.has_below_remote(step.path, REMOVED_THERE):
            return step
        decision = Decision(Action.KEEP_BOTH, "a folder of that name came from the bucket", loser=Side.LOCAL)
        return Step(step.path, decision, step.base, step.local, None)

    def take(self, ended: Ended) -> None:
        step = ended.step
        if isinstance(ended.error, StoreError) and ends_pass(ended.error):
            raise ended.error  # every other look would end so
        if ended.error is not None or step is None:
            self.done(ended)
        elif step.action in _STEPS:
            self._add(step)
        else:
            try:
                self.done(Ended(step.path, step.base, book(step), None, step))
            except StepProblemError as error:
                self.done(Ended(step.path, step.base, error=error, step=step))

    def settle(self, candidate: Candidate, *, snapshot: bool = False) -> Ended:
        """In any thread."""
        path, base, local, remote = candidate
        try:
            step = self.looker.settle(path, base, local, remote, snapshot=snapshot)
        except (BusyError, NotQuietError, MovedOnError, StepProblemError, StoreError, OSError) as error:
            return Ended(path, base, error=error, step=None)
        return Ended(path, base, step=step)

    def _settled(self, candidates: Iterator[Candidate]) -> Iterator[Ended]:
        ends: Ends[Ended] = Ends(self.pool)
        try:
            while True:
                while len(ends) < _WINDOW and (candidate := next(candidates, None)) is not None:
                    self.decided += 1
                    step = self._decided(candidate)
                    if step is not None:
                        yield Ended(candidate.path, candidate.base, step=step)
                    else:
                        ends.call(self.settle, candidate)
                    if self.decided % _WINDOW == 0:
                        self.check_stop()
                if not ends:
                    return
                self.check_stop()
                yield from ends.take(_TICK_SECONDS)
        finally:
            ends.drop()

    def _decided(self, candidate: Candidate) -> Step | None:
        """Without a look; None when one is needed."""
        path, base, local, remote = candidate
        if not self._wanted(path):
            return Step(path, Decision(Action.FORGET), base, None, None)  # what leaves a filter, on both sides
        return self.looker.decided(path, base, local, remote)

    def _wanted(self, path: str) -> bool:
        return not self.filters.excludes(path) and not always_excluded(path)

    def _add(self, step: Step) -> None:
        if step.is_new_locally and step.kind is not Kind.FOLDER and self.seen.has_below_remote(step.path):
            reason = "a folder of that name has files in the bucket: a file cannot stand beside it here"
            error = StepProblemError(Side.REMOTE, "folder-and-file", reason, permanent=True)
            self.done(Ended(step.path, step.base, error=error, step=step))
            return
        if step.is_new_remotely and step.kind is not Kind.FOLDER and self.seen.has_below_remote(step.path):
            self._contested.append(step)
            return
        self.steps.add(step, _content(step))
        if step.action is Action.DELETE_REMOTE and step.kind is Kind.FOLDER and isinstance(step.remote, Remote):
            # A folder may have more than one placeholder: one that stayed would bring it back.
            self._remove_placeholders(step, besides=step.remote.key)
        elif step.action is Action.UPLOAD and step.base is not None and step.kind is not step.base.kind is Kind.FOLDER:
            self._remove_placeholders(step)  # a file took the place of a folder that memory knows

    def _remove_placeholders(self, step: Step, besides: str = "") -> None:
        known = [Placeholder(step.base.key, step.base.etag)] if step.base is not None else []
        for mark in self.seen.placeholders(step.path) or known:
            if mark.key != besides:
                remote = Remote(Kind.FOLDER, mark.key, 0, mark.etag, 0.0)
                decision = Decision(Action.DELETE_REMOTE, "its folder is gone")
                self.steps.add(Step(step.path, decision, step.base, None, remote))

    # ── moves ──

    def find_moves(self, *, can_copy: bool) -> tuple[int, int]:
        """Steps that delete what goes on under another name, (in the bucket, here): they count for no brake.

        can_copy: the server holds a copy's condition, so that a renamed file need not be uploaded again.
        """
        return self._moves_here_to_there(can_copy=can_copy), self._moves_there_to_here()

    def _moves_here_to_there(self, *, can_copy: bool) -> int:
        self._hash_possible_moves()
        found = moves.moves(self._rows(Action.DELETE_REMOTE), self._rows(Action.UPLOAD))
        count = 0
        for move in list(found):
            count += 1
            if not can_copy or self.read_only:
                continue
            old, new = self.steps.of(move.old.path, Action.DELETE_REMOTE), self.steps.of(move.new.path, Action.UPLOAD)
            if old is None or new is None or not isinstance(old[1].remote, Remote):
                continue
            number, step = new
            moved = Step(step.path, step.decision, old[1].base, step.local, old[1].remote, source=move.old.path)
            self.steps.replace(number, moved, Phase.TRANSFERS)
        return count

    def _moves_there_to_here(self) -> int:
        found = list(moves.moves(self._rows(Action.DELETE_LOCAL), self._rows(Action.DOWNLOAD)))
        renames = [move for move in found if self._can_be_renamed(move)]
        for move in renames:
            old, new = self.steps.of(move.old.path, Action.DELETE_LOCAL), self.steps.of(move.new.path, Action.DOWNLOAD)
            if old is None or new is None or not isinstance(old[1].local, Local):
                continue
            number, step = new
            moved = Step(step.path, step.decision, old[1].base, old[1].local, step.remote, source=move.old.path)
            self.steps.replace(number, moved, Phase.LOCAL_MOVES)
            self.steps.drop(old[0])
        return len(found) - len(renames)

    def _can_be_renamed(self, move: moves.Move) -> bool:
        """A name that is free only when something else has gone (a folder's name for what lies in it, or the other way
        round) cannot be had so: the file is fetched under its new name, the old one goes first, by the trash.
        """
        old, new = move.old.path, move.new.path
        if not self.looker.reader.tree.abilities.case_sensitive and old.casefold() == new.casefold():
            return False  # one name to the file system
        return not self.steps.is_crossed(new, Action.DELETE_LOCAL)

    def _hash_possible_moves(self) -> None:
        """New files of the size of one that is gone are read: the same bytes are a move."""
        numbers = self.steps.same_size(Action.UPLOAD, Action.DELETE_REMOTE)
        for start in range(0, len(numbers), _WINDOW):
            self.check_stop()
            found = [(number, self.steps.get(number)) for number in numbers[start : start + _WINDOW]]
            futures = [(number, step, self.pool.submit(self._hashed, step)) for number, step in found]
            for number, step, future in futures:
                local = future.result()
                if local is not None:
                    hashed = Step(step.path, step.decision, step.base, local, step.remote, snapshot=step.snapshot)
                    content = moves.local_content(local.sha256, local.size)
                    self.steps.replace(number, hashed, Phase.TRANSFERS, content)

    def _hashed(self, step: Step) -> Local | None:
        assert isinstance(step.local, Local)
        if step.local.sha256:
            return step.local
        try:
            return self.looker.reader.sha256(step.path, step.local)
        except (BusyError, NotQuietError, MovedOnError, OSError):
            return None

    def _rows(self, action: Action) -> Iterator[moves.Row]:
        for content, path, size in self.steps.contents(action):
            yield moves.Row(content, path, Kind.FILE, size)


def _content(step: Step) -> str:
    """What equal contents of a move share, as far as it is known without a look; "" for what can be no end of one."""
    if step.kind is not Kind.FILE:
        return ""
    if step.action is Action.DELETE_REMOTE and step.base is not None:
        return moves.local_content(step.base.sha256, step.base.size)
    if step.is_new_remotely and isinstance(step.local, Local) and step.local.sha256:
        return moves.local_content(step.local.sha256, step.local.size)
    if step.action is Action.DELETE_LOCAL and step.base is not None:
        return moves.remote_content(step.base.etag, step.base.remote_size)
    if step.is_new_locally and isinstance(step.remote, Remote):
        return moves.remote_content(step.remote.etag, step.remote.size)
    return ""
