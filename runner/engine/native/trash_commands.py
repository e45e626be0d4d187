"""`runner trash list|restore` of a native pair: the folder's trash and the bucket's."""

from collections.abc import Iterator

from runner.config.settings import Pair
from runner.engine import remote_trash
from runner.engine.failures import sentence
from runner.engine.interface import TrashItem
from runner.files.trash import Trash
from runner.model.errors import UserError
from runner.store.door import ObjectStore


def items(trash: Trash, store: ObjectStore, pair: Pair) -> Iterator[TrashItem]:
    """Both sides', each newest first. Raises UserError."""
    try:
        for item in trash.items():
            yield TrashItem("local", item.path, item.size_bytes, item.trashed_at, item.stored_as)
    except OSError as error:
        raise UserError(f"the local trash cannot be read: {sentence(error)}") from None
    for remote, _info in remote_trash.items(store, pair):
        yield remote


def restore(trash: Trash, store: ObjectStore, pair: Pair, path: str | None) -> list[str]:
    """What came back, from either side. Raises UserError when nothing could be put back."""
    refusal: UserError | None = None
    restored: list[str] = []
    try:
        restored = trash.restore(path)
    except UserError as error:
        refusal = error
    there = remote_trash.restore(store, pair, path)
    if not restored and not there and refusal is not None:
        raise UserError(refusal.message, remote_trash.other_place(store, pair, path) or refusal.hint)
    return restored + [found for found in there if found not in restored]
