"""Deletions, carried from one side to the other: into the trash there, and only the version both sides agreed on."""

from runner.engine.native.facts import Kind, Local, Remote
from runner.engine.native.reading import entry_of
from runner.engine.native.result import Result
from runner.engine.native.steps import Step
from runner.engine.native.waiting import BusyError, MovedOnError, StepProblemError
from runner.engine.native.workshop import Workshop
from runner.files.removal import BusyError as FileBusyError
from runner.model.problem import Side
from runner.store.errors import AccessDeniedError, NoSuchKeyError, PreconditionFailedError

DELETE_REFUSED = "delete-forbidden"


def delete_local(shop: Workshop, step: Step) -> Result:
    """Raises BusyError, MovedOnError, StoreError, OSError."""
    assert isinstance(step.local, Local)
    # A listing may leave out what is there (garbled on its way, say): nothing is deleted on its word alone.
    if shop.store.head(_counterpart(shop, step, step.local)) is not None:
        raise MovedOnError(step.path, Side.REMOTE)
    parent = step.path.rpartition("/")[0]
    emptied = (parent,) if parent else ()
    if step.local.kind is Kind.FOLDER:
        shop.tree.remove_folder(step.path)
        return Result({step.path: None}, emptied=emptied, deleted_local=1)
    try:
        gone = shop.tree.remove(step.path, entry_of(step.path, step.local), shop.now)
    except FileBusyError:
        raise BusyError(step.path) from None
    if not gone:
        raise MovedOnError(step.path, Side.LOCAL)
    return Result({step.path: None}, emptied=emptied, deleted_local=1)


def _counterpart(shop: Workshop, step: Step, local: Local) -> str:
    """The key of what goes. A file that took an empty folder's place is none of the placeholder that memory knows."""
    known = step.base
    is_its_own = known is not None and (known.kind is Kind.FOLDER) == (local.kind is Kind.FOLDER)
    return known.key if known is not None and is_its_own else shop.key_of(step.path)


def delete_remote(shop: Workshop, step: Step) -> Result:
    """A copy to the bucket's trash first, where that is wanted. Raises MovedOnError, StepProblemError, StoreError."""
    assert isinstance(step.remote, Remote)
    here = shop.tree.look(step.path)
    if here is not None and here.kind != "dir" and step.remote.kind is not Kind.FOLDER:
        raise MovedOnError(step.path, Side.LOCAL)  # it came back since the scan; a folder of its name is none of it
    key, etag = step.remote.key, step.remote.etag
    try:
        if step.remote.kind is not Kind.FOLDER:
            shop.keeper().keep(key, etag, step.path)
        outcome = shop.store.delete(key, if_match=etag)
    except AccessDeniedError as error:
        raise StepProblemError(Side.REMOTE, DELETE_REFUSED, f"the deletion is not allowed: {error.message}") from None
    except (PreconditionFailedError, NoSuchKeyError):
        raise MovedOnError(step.path, Side.REMOTE) from None
    if outcome == "changed":
        raise MovedOnError(step.path, Side.REMOTE)
    if here is not None and here.kind != "dir":
        return Result(deleted_remote=1)  # a placeholder, whose folder became a file: the row is the file's
    return Result({step.path: None}, deleted_remote=1)
