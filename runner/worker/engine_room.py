"""What the pass thread does: takes possession, runs passes, makes the rows of plan, verify and trash.

Everything here runs in that one thread; results are frozen facts for the loop. Turns whatever goes wrong into a
sentence, or, for a mistake of ours, into a traceback in the log.
"""

import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace

from runner.engine.interface import Engine, Surroundings, TellsConflicts
from runner.engine.registry import inspect
from runner.files.folder import Folder
from runner.files.lock import Holder
from runner.files.watch import Watcher
from runner.model.errors import PermanentFailureError, UserError
from runner.model.passes import WHOLE, Outcome, PassReport, Trigger, Work
from runner.worker.possession import (
    EngineFactory,
    Possession,
    is_watched,
    start_watcher,
    take_possession,
    take_scratch,
)

Row = dict[str, object]
INSPECT = "inspect"
ENGINE_COMMANDS = frozenset({"plan", "verify", "trash-list", "trash-restore", INSPECT})


@dataclass(frozen=True, slots=True)
class Opened:
    """held: the pair is ours. holder: another runner has it. error: why it cannot be had now; permanent: nor soon."""

    held: bool = False
    holder: str = ""
    holder_hydrated: bool = False
    error: str = ""
    permanent: bool = False
    watcher: Watcher | None = None


@dataclass(frozen=True, slots=True)
class PassResult:
    """watcher: the folder's path leads to another directory now, and this watches it instead."""

    report: PassReport
    watcher: Watcher | None = None


class EngineRoom:
    """scheduled: a worker that goes on; False for one request, which watches nothing."""

    def __init__(self, surroundings: Surroundings, make_engine: EngineFactory, *, scheduled: bool) -> None:
        self._surroundings = surroundings
        self._make_engine = make_engine
        self._watches = scheduled and is_watched(surroundings.pair)
        self._possession: Possession | None = None
        self._watched: Folder | None = None

    def wall_clock(self) -> float:
        return self._surroundings.wall_clock()

    def open(self) -> Opened:
        """Idempotent; gives up a stand-in first."""
        if self._possession and not self._possession.scratch:
            return Opened(held=True)
        self.close()
        return self._opened(
            lambda: take_possession(
                self._surroundings, self._make_engine, self._surroundings.wall_clock(), watch=self._watches
            )
        )

    def open_to_look(self) -> Opened:
        """For a request that changes nothing, in a worker that may end without a pass."""
        if self._possession:
            return Opened(held=True)
        looked = self._opened(lambda: take_scratch(self._surroundings, self._make_engine))
        return looked if looked.held or looked.error else self.open()

    def run_pass(self, trigger: Trigger, work: Work = WHOLE) -> PassResult:
        """The report's scope is what was asked for: nothing else may be concluded from it."""
        assert self._possession is not None
        watcher = self._renewed_watcher(self._possession)
        report = self._report(self._possession.engine, trigger, work)
        if report.hydrated:
            self._possession.tell_hydrated()
        return PassResult(replace(report, scope=work.scope), watcher)

    def rows(self, request: Mapping[str, object]) -> Iterator[Row]:
        """Raises UserError, and whatever the engine raises."""
        if request.get("command") == INSPECT:  # says something about a pair that cannot be had, too
            yield from (asdict(finding) for finding in inspect(self._surroundings))
            return
        if self._possession is None:
            raise UserError("the pair cannot be used now")
        engine, command = self._possession.engine, request.get("command")
        if command == "plan":
            yield from (asdict(action) for action in engine.plan())
        elif command == "verify":
            yield from (asdict(difference) for difference in engine.verify(content=bool(request.get("content"))))
        elif command == "conflicts":
            found = engine.conflicts() if isinstance(engine, TellsConflicts) else ()
            yield from (asdict(problem) for problem in found)
        elif command == "trash-list":
            yield from (asdict(item) for item in engine.trash_list())
        else:
            path = request.get("path")
            for name in engine.trash_restore(str(path) if path else None):
                yield {"path": name}

    def close(self) -> None:
        """Gives the pair up."""
        possession, self._possession, self._watched = self._possession, None, None
        if possession:
            possession.close()

    def _opened(self, take: Callable[[], Possession | Holder | None]) -> Opened:
        try:
            taken = take()
        except PermanentFailureError as error:
            return Opened(error=str(error), permanent=True)
        except UserError as error:
            return Opened(error=str(error))
        except OSError as error:
            return Opened(error=f"the folder cannot be used: {error}")
        except Exception as error:  # noqa: BLE001 (a mistake of ours must not end the worker)
            self._surroundings.log("ERROR", traceback.format_exc())
            return Opened(error=f"a mistake of the runner: {error!r}; the traceback is in its log")
        if isinstance(taken, Holder):
            return Opened(holder=str(taken), holder_hydrated=taken.hydrated)
        if taken is None:
            return Opened()
        self._possession, self._watched = taken, taken.folder
        return Opened(held=True, watcher=taken.watcher)

    def _renewed_watcher(self, possession: Possession) -> Watcher | None:
        """The engine follows a path that leads to its folder in another mount; the watches have to follow, too."""
        if not self._watches or self._watched is None or self._watched.is_same_now():
            return None
        pair = self._surroundings.pair
        try:
            folder = Folder.open(pair.folder, create=False, mountpoint=pair.mountpoint)
        except UserError:
            return None
        if self._watched is not possession.folder:
            self._watched.close()
        self._watched = folder
        return start_watcher(folder, pair)

    def _report(self, engine: Engine, trigger: Trigger, work: Work) -> PassReport:
        try:
            return engine.run_pass(trigger, work)
        except UserError as error:
            permanent = isinstance(error, PermanentFailureError)
            return PassReport(Outcome.FAILED, str(error), permanent=permanent, retry=not permanent)
        except Exception as error:  # noqa: BLE001 (a mistake of ours costs this pass, not the worker)
            self._surroundings.log("ERROR", traceback.format_exc())
            message = f"a mistake of the runner: {error!r}; the traceback is in its log"
            return PassReport(Outcome.FAILED, message, retry=True)
