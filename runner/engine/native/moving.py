"""What was renamed in the bucket is renamed here, instead of fetched again and deleted (a local copy costs nothing)."""

from runner.engine.native import modes
from runner.engine.native.downloading import base_of
from runner.engine.native.facts import Local, Remote
from runner.engine.native.reading import entry_of, local_of
from runner.engine.native.result import Result
from runner.engine.native.steps import Step
from runner.engine.native.waiting import MovedOnError
from runner.engine.native.workshop import Workshop
from runner.model.problem import Side


def rename_local(shop: Workshop, step: Step) -> Result:
    """step.local: the file under its old name (`source`). Raises MovedOnError, OSError."""
    assert isinstance(step.local, Local)
    assert isinstance(step.remote, Remote)
    remote = shop.looker.head(step.path, step.remote)
    if remote.kind is not step.local.kind:
        raise MovedOnError(step.path, Side.REMOTE)  # the same bytes, but a link now, or no longer
    try:
        entry = shop.tree.set_aside(step.source, entry_of(step.source, step.local), step.path)
    except FileExistsError:
        raise MovedOnError(step.path, Side.LOCAL) from None
    if entry is None:
        raise MovedOnError(step.source, Side.LOCAL)
    parent = step.source.rpartition("/")[0]
    sha256 = step.base.sha256 if step.base else ""
    moved = base_of(entry, remote, sha256)
    emptied = (parent,) if parent else ()
    result = Result({step.path: moved, step.source: None}, emptied=emptied, downloaded=1)
    return modes.after_move(shop, step, result, local_of(entry), remote)
