"""Both versions of a conflict: one keeps the name on both sides, the other goes on beside it as a conflict copy.

The order makes a stop at any step harmless: the losing version has its second name before the winning one takes the
first, and what was put in place already is recognised as equal by the next pass.
"""

import os

from runner.engine.native.downloading import base_of, fetch, put_in_place
from runner.engine.native.facts import Base, Kind, Local, Remote
from runner.engine.native.reading import entry_of, local_of
from runner.engine.native.result import Result
from runner.engine.native.steps import Step
from runner.engine.native.waiting import BusyError, MovedOnError
from runner.engine.native.workshop import Workshop
from runner.files.conflict_names import conflict_name, is_conflict_copy
from runner.files.open_file import Quiet
from runner.model.problem import Side


def keep_both(shop: Workshop, step: Step) -> Result:
    """Raises waiting's errors, OSError, StoreError. The conflict copy itself is uploaded as the follow-up."""
    assert isinstance(step.local, Local)
    if step.remote is None:
        return _make_way(shop, step.path, step.local)
    assert isinstance(step.remote, Remote)
    if step.decision.loser is Side.LOCAL:
        return _local_steps_aside(shop, step.path, step.local, step.remote)
    return _remote_steps_aside(shop, step.path, step.local, step.remote)


def _local_steps_aside(shop: Workshop, path: str, local: Local, remote: Remote) -> Result:
    if remote.kind is Kind.FOLDER or local.kind is Kind.FOLDER:
        raise MovedOnError(path, Side.REMOTE)
    remote, sha256, temporary = fetch(shop, path, remote)
    with temporary:
        now = entry_of(path, local)
        _not_busy(shop, path, local)
        copy = None if _has_copy(shop, path, local) else _free_name(shop, path)
        if copy:
            linked = shop.tree.link_aside(path, now, copy)
            if linked is None:
                raise MovedOnError(path, Side.LOCAL)
            again = shop.tree.look(path)  # a link moves the ctime
            if again is None or (again.inode, again.size, again.mtime_ns) != (now.inode, now.size, now.mtime_ns):
                raise MovedOnError(path, Side.LOCAL)
            local = local_of(again) or local
        entry = put_in_place(shop, path, temporary, local)
    note = f"{path}: changed on both sides; the version of this folder goes on as {copy}" if copy else ""
    return Result(
        {path: base_of(entry, remote, sha256)},
        follow_up=(copy,) if copy else (),
        conflict_copies=(copy,) if copy else (),
        downloaded=1,
        bytes_down=remote.size,
        note=note,
    )


def _remote_steps_aside(shop: Workshop, path: str, local: Local, remote: Remote) -> Result:
    """The bucket's version comes here under its new name, and memory knows it: then both names are ordinary uploads.

    Without the row the two versions would still be a conflict, and each look would make another copy.
    """
    remote, sha256, temporary = fetch(shop, path, remote)
    with temporary:
        if _has_copy(shop, path, local._replace(kind=remote.kind, size=remote.size, sha256=sha256)):
            return Result({path: _seen(remote, sha256)}, follow_up=(path,))
        copy = _free_name(shop, path)
        if shop.tree.place(copy, temporary) is None:
            raise MovedOnError(copy, Side.LOCAL)
    return Result(
        {path: _seen(remote, sha256)},
        follow_up=(copy, path),
        conflict_copies=(copy,),
        downloaded=1,
        bytes_down=remote.size,
        note=f"{path}: changed on both sides; the version of the bucket goes on as {copy}",
    )


def _seen(remote: Remote, sha256: str) -> Base:
    """The bucket's version as the one that both sides had: no file has these stamps, so the folder's is a change."""
    mode = (remote.mode or 0) & 0o777
    return Base(remote.kind, remote.size, 0, 0, 0, mode, sha256, remote.key, remote.etag, remote.size, remote.modified)


def _make_way(shop: Workshop, path: str, local: Local) -> Result:
    """A new file here has the name of a folder in the bucket: it goes on as a conflict copy, the folder can come."""
    copy = _free_name(shop, path)
    if shop.tree.set_aside(path, entry_of(path, local), copy) is None:
        raise MovedOnError(path, Side.LOCAL)
    return Result(
        follow_up=(copy,), note=f"{path}: there is a folder of that name in the bucket; the file is now {copy}"
    )


def _not_busy(shop: Workshop, path: str, local: Local) -> None:
    if local.kind is not Kind.FILE:
        return
    with shop.reader.open(path, local, snapshot=False) as file:
        if file.quiet() is Quiet.BUSY:
            raise BusyError(path)


def _free_name(shop: Workshop, path: str) -> str:
    """Free on both sides: a copy that was just removed here may wait in the bucket for its deletion to be carried."""

    def is_taken(name: str) -> bool:
        return shop.tree.look(name) is not None or shop.store.head(shop.key_of(name)) is not None

    return conflict_name(path, shop.now, shop.host, is_taken)


def _has_copy(shop: Workshop, path: str, local: Local) -> bool:
    """An identical conflict copy lies there already (of a step that was cut short, say)."""
    for name in _conflict_copies(shop, path):
        entry = shop.tree.look(name)
        other = local_of(entry) if entry is not None else None
        if other is None or other.kind is not local.kind or other.size != local.size:
            continue
        mine = local.sha256 or shop.reader.sha256(path, local).sha256
        if shop.reader.sha256(name, other).sha256 == mine:
            return True
    return False


def _conflict_copies(shop: Workshop, path: str) -> list[str]:
    folder, _, _name = path.rpartition("/")
    fd = shop.tree.folder.open_beneath(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        names = os.listdir(fd)
    finally:
        os.close(fd)
    paths = [f"{folder}/{name}" if folder else name for name in sorted(names)]
    return [name for name in paths if is_conflict_copy(name) == path]
