"""Takes a changed config over: only pairs that changed are touched; a bad file changes nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.config.reload import ReloadPlan, diff
from runner.config.settings import Pair, Settings
from runner.model.errors import UserError
from runner.model.exit_codes import ExitCode
from runner.model.states import Wanted
from runner.supervisor.pair_worker import PairWorker

if TYPE_CHECKING:
    from runner.supervisor.supervisor import Supervisor


@dataclass(frozen=True, slots=True)
class ReloadResult:
    """row: pair names by what happens to them."""

    exit_code: int
    message: str
    row: Mapping[str, object]


_NOTHING = "nothing is different"


class Reloader:
    """read: gives the new settings or raises UserError."""

    def __init__(self, supervisor: "Supervisor", read: Callable[[], Settings]) -> None:
        self._supervisor = supervisor
        self._read = read
        self.last: dict[str, object] | None = None

    def reload(self, *, dry_run: bool = False) -> ReloadResult:
        house = self._supervisor
        try:
            new = self._read()
        except UserError as error:
            return self._refused(str(error), int(error.exit_code), dry_run=dry_run)
        except OSError as error:
            return self._refused(f"{error.filename}: {error.strerror}", ExitCode.CONFIG, dry_run=dry_run)
        plan = diff(house.settings, new)
        message = _sentence(plan)
        if not dry_run:
            self.last = {"at": house.wall(), "ok": True, "message": message}
            house.log("INFO", None, f"config read again: {message}")
            self._apply(plan, new)
        return ReloadResult(ExitCode.OK, _would(message) if dry_run else message, _row(plan))

    def _refused(self, message: str, code: int, *, dry_run: bool) -> ReloadResult:
        if not dry_run:
            self.last = {"at": self._supervisor.wall(), "ok": False, "message": message}
            self._supervisor.log("ERROR", None, f"config not taken over, nothing is changed: {message}")
        return ReloadResult(code, message, {})

    def _apply(self, plan: ReloadPlan, new: Settings) -> None:
        house = self._supervisor
        pairs = {pair.name: pair for pair in new.pairs}
        house.take_settings(new, logging_changed=plan.logging_changed)
        for name in plan.removed:
            house.remove(name)
        for name in (*plan.restarted, *plan.live):
            self._change(house.workers.get(name), pairs[name])
        for name in plan.added:
            house.add(pairs[name])

    def _change(self, worker: PairWorker | None, pair: Pair) -> None:
        house = self._supervisor
        if worker is None:
            house.add(pair)
            return
        was_enabled = worker.pair.enabled
        worker.pair = pair
        if not pair.enabled:
            house.bring_down(worker, flush=True)
        elif worker.wanted is Wanted.UP or not was_enabled:
            house.restart(worker, "its config has changed")


def _row(plan: ReloadPlan) -> dict[str, object]:
    words = ("added", "removed", "restarted", "live", "unchanged")
    flags = {"supervisor_changed": plan.supervisor_changed, "logging_changed": plan.logging_changed}
    return {**{word: list(getattr(plan, word)) for word in words}, **flags}


def _sentence(plan: ReloadPlan) -> str:
    parts = [
        f"{word} {', '.join(names)}"
        for word, names in (
            ("adds", plan.added),
            ("removes", plan.removed),
            ("restarts", (*plan.restarted, *plan.live)),
        )
        if names
    ]
    parts += ["supervisor settings"] if plan.supervisor_changed else []
    parts += ["logging settings"] if plan.logging_changed else []
    return "; ".join(parts) or _NOTHING


def _would(message: str) -> str:
    return "nothing would change" if message == _NOTHING else f"would change: {message}"
