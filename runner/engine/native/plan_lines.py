"""`runner plan`: the steps of a pass that is not going to run, each by name."""

from collections.abc import Iterator

from runner.engine.interface import PlannedAction
from runner.engine.native.decide import Action
from runner.engine.native.facts import Kind
from runner.engine.native.reconciliation import Reconciliation
from runner.engine.native.steps import Step
from runner.files.scan import INDEX_NAME

_VERBS = {
    Action.UPLOAD: "upload",
    Action.DOWNLOAD: "download",
    Action.DELETE_LOCAL: "delete-local",
    Action.DELETE_REMOTE: "delete-remote",
    Action.KEEP_BOTH: "keep-both",
    Action.SET_LOCAL_MODE: "set-mode",
    Action.SET_REMOTE_MODE: "set-mode",
}
_DELETIONS = frozenset({Action.DELETE_LOCAL, Action.DELETE_REMOTE})


def actions(one: Reconciliation) -> Iterator[PlannedAction]:
    """After `prepare`. What could not be synced comes last, as `skip`."""
    halt = f"would halt the pair: {one.brake_found.reason}" if one.brake_found else ""
    for step in one.steps.all():
        yield _line(step, halt)
    for problem in one.account.problems:
        yield PlannedAction("skip", problem.path, None, problem.reason)
    for more in one.account.problems.more:
        yield PlannedAction("skip", "", None, f"{more.count} more: {more.code}")


def _line(step: Step, halt: str) -> PlannedAction:
    reason = step.decision.reason
    if step.source:
        return PlannedAction("rename", step.path, step.size_bytes, f"from {step.source}")
    if step.action in _DELETIONS and halt:
        reason = halt
    if step.kind is Kind.FOLDER:
        if step.action is Action.DOWNLOAD:
            return PlannedAction("make-folder", step.path, None, reason)
        if step.action is Action.UPLOAD:
            return PlannedAction("upload", f"{step.path}/{INDEX_NAME}", 0, "placeholder of an empty folder")
    return PlannedAction(_VERBS[step.action], step.path, step.size_bytes, reason)
