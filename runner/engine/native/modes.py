"""A changed mode, carried without the content: chmod here, a conditional copy onto itself in the bucket.

What may not be set is told once and remembered as it is on each side: it is no difference that is tried again.
"""

import stat

from runner.engine.native.facts import Base, Kind, Local, Remote
from runner.engine.native.reading import entry_of
from runner.engine.native.result import Result
from runner.engine.native.rules import SET_LOCAL_MODE
from runner.engine.native.steps import Step
from runner.engine.native.waiting import MovedOnError
from runner.engine.native.workshop import Workshop
from runner.model.problem import Side
from runner.store.errors import AccessDeniedError, NoSuchKeyError, ObjectTooLargeError, PreconditionFailedError


def set_local(shop: Workshop, step: Step) -> Result:
    """Raises MovedOnError, OSError."""
    assert isinstance(step.local, Local)
    assert isinstance(step.remote, Remote)
    assert step.remote.mode is not None
    mode = step.remote.mode & 0o777
    try:
        entry = shop.tree.set_mode(step.path, entry_of(step.path, step.local), mode)
    except PermissionError:
        note = f"{step.path}: the mode {mode:04o} of the bucket cannot be set here: not my file"
        return Result({step.path: recorded(step.base, step.local, step.remote)}, note=note)
    if entry is None:
        raise MovedOnError(step.path, Side.LOCAL)
    local = step.local._replace(mode=entry.mode, ctime_ns=entry.ctime_ns)
    return Result({step.path: recorded(step.base, local, step.remote)})


def set_remote(shop: Workshop, step: Step) -> Result:
    """Raises MovedOnError, StoreError."""
    assert isinstance(step.local, Local)
    assert isinstance(step.remote, Remote)
    octal = f"{stat.S_IFREG | stat.S_IMODE(step.local.mode) & 0o777:07o}"
    try:
        written = shop.store.set_metadata(
            step.remote.key, etag=step.remote.etag, changes={"file-permissions": octal, "mode": None}
        )
    except (PreconditionFailedError, NoSuchKeyError):
        raise MovedOnError(step.path, Side.REMOTE) from None
    except (AccessDeniedError, ObjectTooLargeError) as error:
        note = f"{step.path}: its new mode goes with its next change of content: {error.message}"
        return Result({step.path: recorded(step.base, step.local, step.remote)}, note=note)
    remote = step.remote._replace(etag=written.etag, modified=written.modified or 0.0, mode=step.local.mode)
    return Result({step.path: recorded(step.base, step.local, remote)}, uploaded=1)


def after_move(shop: Workshop, step: Step, result: Result, local: Local | None, remote: Remote) -> Result:
    """What was moved came along with the mode that it had on the other side; local, remote: under the new name.

    A mode that was changed here is the next thing to carry; one that only the object has is set. Raises as set_local.
    """
    moved = result.records[step.path]
    if not shop.pair.permissions or moved is None or step.base is None or moved.kind is not Kind.FILE:
        return result
    if moved.mode != step.base.mode:
        result.records[step.path] = moved._replace(mode=step.base.mode)
        result.follow_up = (step.path,)
    elif remote.mode is not None and remote.mode & 0o777 != moved.mode:
        result.add(set_local(shop, Step(step.path, SET_LOCAL_MODE, moved, local, remote)))
    return result


def recorded(base: Base | None, local: Local, remote: Remote) -> Base:
    """Memory's row for two sides that are equal. The content's hash is whichever is known."""
    # The object's own claim comes last: it may be left over from an older content.
    sha256 = local.sha256 or (base.sha256 if base else "") or remote.sha256
    mode = local.mode & 0o777 if local.kind is Kind.FILE else 0
    size = 0 if local.kind is Kind.FOLDER else local.size
    return Base(
        local.kind,
        size,
        local.mtime_ns,
        local.ctime_ns,
        local.inode,
        mode,
        sha256,
        remote.key,
        remote.etag,
        remote.size,
        remote.modified,
    )
