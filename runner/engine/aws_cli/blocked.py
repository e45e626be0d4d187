"""Keys of a pull that must not become files: each a problem, kept from the run, while the rest goes on.

A key may land outside the folder, in our private place, behind a symlink, or where a directory or a file is in its way
(hazard D9). `Blocked` gathers them; the rules for one key alone are pure.
"""

import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

from runner.config.settings import EmptyFolders
from runner.engine.aws_cli.memory import path_bytes, path_text
from runner.engine.aws_cli.one_pass import OnePass
from runner.engine.aws_cli.placeholders import folder_of_mark
from runner.engine.aws_cli.temporaries import has_no_room_for_temporary
from runner.files.private import NAME as PRIVATE_NAME
from runner.files.scan import INDEX_NAME
from runner.model.problem import Side
from runner.store.client import ObjectInfo
from runner.store.keys import Refusal, path_of_key

# Whatever is impossible by its shape, as patterns: no number of such keys makes the command line longer. An absolute
# pattern would replace the CLI's root (os.path.join), hence the set around the first slash.
SHAPES = (
    "--exclude=[/]*", "--exclude=*//*", "--exclude=*/",
    "--exclude=..", "--exclude=../*", "--exclude=*/..", "--exclude=*/../*",
    "--exclude=.", "--exclude=./*", "--exclude=*/.", "--exclude=*/./*",
)  # fmt: skip
_SHAPE_CODE = "impossible-name"
_FORCED = frozenset({"--force-glacier-transfer"})

# A key that is also a folder of other keys, or of files here; a key below a file or a link here.
_COLLISIONS = """
SELECT t.path, 'name-collision', 'other keys lie below it: the folder of this name is kept' FROM there t
  WHERE t.path IN (SELECT path FROM there_dirs)
UNION ALL SELECT t.path, 'folder-in-the-way', 'a folder of this name is here' FROM there t
  WHERE t.path IN (SELECT path FROM dirs) AND t.path NOT IN (SELECT path FROM there_dirs)
UNION ALL SELECT t.path, 'behind-link', 'a symlink of this name is here: never written through' FROM there t
  WHERE t.path IN (SELECT path FROM links)
"""
_PREFIXES = """
SELECT d.path, 'file-in-the-way', 'a file is here where the key needs a folder' FROM there_dirs d
  WHERE d.path IN (SELECT path FROM here UNION ALL SELECT path FROM hidden)
UNION ALL SELECT d.path, 'behind-link', 'it leads through a symlink: never written through' FROM there_dirs d
  WHERE d.path IN (SELECT path FROM links)
"""
_UNSEEN = """
SELECT path FROM (SELECT path FROM there UNION SELECT path FROM there_dirs) WHERE path NOT IN (SELECT path FROM here)
  AND path NOT IN (SELECT path FROM dirs) AND path NOT IN (SELECT path FROM links)
"""


@dataclass
class Blocked:
    """paths: literal exclusions for the run, `dir/` for all below. waits: something may heal by itself."""

    paths: list[str] = field(default_factory=list)
    shapes: bool = False
    waits: bool = False


def read_listing(one: OnePass) -> Blocked:
    """The listing into `there` and `marks`; impossible keys become problems. Raises StoreError."""
    blocked = Blocked()
    for info in one.objects():
        _add(one, info, blocked)
    one.seen.flush()
    return blocked


def _add(one: OnePass, info: ObjectInfo, blocked: Blocked) -> None:
    below = info.key[len(one.pair.prefix) :]
    if info.key.endswith("/") and info.size == 0:
        _add_mark(one, info, below, blocked)
        return
    path = path_of_key(info.key, one.pair.prefix)
    if isinstance(path, Refusal):
        _refuse(one, below, path, blocked)
    elif path.startswith(f"{PRIVATE_NAME}/"):
        one.problem(Side.REMOTE, path, "forbidden-key", "it would land in the runner's own folder", permanent=True)
    elif one.wants(path):
        if one.pair.empty_folders is not EmptyFolders.INDEX_OBJECT or path.rpartition("/")[2] != INDEX_NAME:
            one.seen.add_object(path, info)
            if has_no_room_for_temporary(path):
                _block(one, path_bytes(path), "name-too-long", "the AWS CLI's temporary file would have a longer name")
                blocked.paths.append(path)
        elif (folder := folder_of_mark(path)) is not None:
            one.seen.add_mark(folder, info)


def _add_mark(one: OnePass, info: ObjectInfo, below: str, blocked: Blocked) -> None:
    """A zero-byte `folder/`; that of the pair's own folder says nothing."""
    folder = path_of_key(info.key[:-1], one.pair.prefix) if below else ""
    if isinstance(folder, Refusal):
        _refuse(one, below, folder, blocked)
    elif folder and one.wants(f"{folder}/"):
        one.seen.add_mark(folder, info)


def _refuse(one: OnePass, below: str, refusal: Refusal, blocked: Blocked) -> None:
    if one.filters.excludes(below):
        return
    one.problem(Side.REMOTE, below, refusal.code, refusal.reason, permanent=True)
    if refusal.code in {_SHAPE_CODE, "folder-placeholder"}:
        blocked.shapes = True
    else:
        blocked.paths.append(below)


def find(one: OnePass, blocked: Blocked) -> None:
    """Compares listing and folder; fills the table `blocked` and what the run must leave out."""
    _look_behind_filters(one)
    for raw, code, reason in list(one.seen.rows(_COLLISIONS)):
        _block(one, raw, code, reason)
        blocked.paths.append(path_text(raw))
    for raw, code, reason in list(one.seen.rows(_PREFIXES)):
        for below in _keys_below(one, raw):
            _block(one, below, code, reason)
        blocked.paths.append(f"{path_text(raw)}/")
    if not _FORCED & set(one.pair.aws_args):
        archived = one.seen.rows("SELECT path, class FROM there WHERE class IN ('GLACIER', 'DEEP_ARCHIVE')")
        for raw, storage_class in list(archived):
            # The CLI leaves it out by itself; a pattern for each of thousands would cost it minutes.
            _block(one, raw, "archived", f"it is in {storage_class}: restore it in S3 first")


def _look_behind_filters(one: OnePass) -> None:
    """What the user's filters keep from the scan may lie in a key's way all the same: a link most of all."""
    if one.filters.empty:
        return
    for (raw,) in list(one.seen.rows(_UNSEEN)):
        try:
            state = one.folder.lstat(path_text(raw))
        except OSError:  # below a file or a link: that one was found before, or is in the way as well
            continue
        if state is None:
            continue
        if stat.S_ISLNK(state.st_mode):
            one.seen.add_link(path_text(raw))
        elif stat.S_ISDIR(state.st_mode):
            one.seen.add_dir(path_text(raw))
        else:
            one.seen.add("hidden", raw)


def _block(one: OnePass, raw: bytes, code: str, reason: str) -> None:
    one.problem(Side.REMOTE, path_text(raw), code, reason, permanent=True)
    one.seen.add("blocked", raw)


def _keys_below(one: OnePass, raw: bytes) -> Iterator[bytes]:
    low, high = raw + b"/", raw + b"0"  # "0" follows "/" in ASCII
    for (path,) in list(one.seen.rows("SELECT path FROM there WHERE path > ? AND path < ?", (low, high))):
        yield path


def is_below_link(one: OnePass, path: str) -> bool:
    """Some folder on the way to `path` is a symlink here."""
    parent = path_bytes(path)
    while parent:
        if next(one.seen.rows("SELECT 1 FROM links WHERE path = ?", (parent,)), None):
            return True
        parent = parent.rpartition(b"/")[0]
    return False
