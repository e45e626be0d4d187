"""Objects of a push that have no file any more: chosen from a proven listing and a proven scan, removed on condition.

Never touches a key that cannot be a path, is excluded, lies below something unknown, or has changed since the listing.
Without a file in the folder only what is remembered as ours may go: an empty volume must not empty a bucket.
"""

import os
import stat

from runner.config.settings import EmptyFolders
from runner.engine import brakes, remote_trash
from runner.engine.aws_cli import braking
from runner.engine.aws_cli.memory import path_bytes, path_text
from runner.engine.aws_cli.one_pass import OnePass
from runner.engine.aws_cli.placeholders import folder_of_mark
from runner.files.scan_result import ScanResult
from runner.model.problem import Side
from runner.store.client import ObjectInfo
from runner.store.errors import NoSuchKeyError, PreconditionFailedError, StoreError
from runner.store.keys import Refusal, path_of_key

_CANDIDATES = """
SELECT t.path, t.etag, t.size FROM there t LEFT JOIN here h USING (path) WHERE h.path IS NULL ORDER BY t.path
"""


def read_listing(one: OnePass) -> None:
    """The listing into `there` and `marks`, as far as it is this pair's. Raises StoreError."""
    for info in one.objects():
        add_object(one, info)
    one.seen.flush()


def add_object(one: OnePass, info: ObjectInfo) -> None:
    """A key is a file, a placeholder of a folder, or none of our business."""
    if info.key.endswith("/") and info.size == 0:
        folder = path_of_key(info.key[:-1], one.pair.prefix)
        if not isinstance(folder, Refusal) and one.wants(f"{folder}/"):
            one.seen.add_mark(folder, info)
        return
    path = path_of_key(info.key, one.pair.prefix)
    if isinstance(path, Refusal) or not one.wants(path):
        return
    marked = folder_of_mark(path) if one.pair.empty_folders is EmptyFolders.INDEX_OBJECT else None
    if marked is not None:
        one.seen.add_mark(marked, info)
    elif not (path.rpartition("/")[2] == ".s3_index" and one.pair.empty_folders is EmptyFolders.INDEX_OBJECT):
        one.seen.add_object(path, info)


def choose(one: OnePass, scan: ScanResult) -> None:
    """Fills `doomed`. Call only with a finished listing and a complete scan."""
    prefix = one.pair.prefix
    for raw, etag, size in one.seen.rows(_CANDIDATES):
        path = path_text(raw)
        if scan.is_unknown(path) or _is_protected(one, scan, raw):
            continue
        one.seen.add_doomed(raw, prefix + path, etag, size)
    for raw, key, etag in one.seen.rows("SELECT path, key, etag FROM marks"):
        path = path_text(raw)
        ours = scan.files > 0 or one.memory.holds("placeholders", raw)
        if ours and not scan.is_unknown(path) and not exists(one, path, folder=True):
            one.seen.add_doomed(path_bytes(key[len(prefix) :]), key, etag, 0)


def _is_protected(one: OnePass, scan: ScanResult, raw: bytes) -> bool:
    if one.memory.holds("restored", raw):
        reason = "it was restored from the trash and is not in the folder: fetch it, or delete it in the bucket"
        one.problem(Side.REMOTE, path_text(raw), "restored", reason)
        return True
    return scan.files == 0 and not next(one.seen.rows("SELECT 1 FROM main.files WHERE path = ?", (raw,)), None)


def deletions(one: OnePass, scan: ScanResult) -> brakes.Deletions:
    """What the brakes must know about `doomed`."""
    count = one.seen.number("SELECT count(*) FROM doomed") - braking.moves(one)
    unmarked = one.proof.private.read_only_source
    return brakes.Deletions(count, one.memory.count_files(), scan.files, "emptied-folder", unmarked)


def brake(one: OnePass, scan: ScanResult) -> None:
    """Raises PassHaltedError."""
    braking.brake(one, deletions(one, scan))


def remove(one: OnePass) -> None:
    """Removes what is doomed, one by one; what has changed since it was listed stays. Raises StoreError."""
    total = one.seen.number("SELECT count(*) FROM doomed")
    if not total:
        return
    keeper = remote_trash.keeper(one.client, one.pair, one.now)
    done: list[bytes] = []
    try:
        for number, (raw, key, etag) in enumerate(
            list(one.seen.rows("SELECT path, key, etag FROM doomed ORDER BY path"))
        ):
            one.check_stop()
            one.progress("deleting", number, total)
            if _remove_one(one, keeper, path_text(raw), key, etag):
                done.append(raw)
    finally:
        if done:
            one.memory.forget("files", done)
            one.memory.forget("placeholders", [raw.rpartition(b"/")[0] for raw in done])


def _remove_one(one: OnePass, keeper: remote_trash.Keeper, path: str, key: str, etag: str) -> bool:
    """True when the object is gone (or was before)."""
    marked = folder_of_mark(path) if one.pair.empty_folders is EmptyFolders.INDEX_OBJECT else None
    is_mark = marked is not None or path.endswith("/")
    if exists(one, marked or path.rstrip("/"), folder=is_mark):
        return False
    try:
        keeper.keep(key, etag, path)
    except NoSuchKeyError:
        return True
    except PreconditionFailedError:
        _note_changed(one, path)
        return False
    except StoreError as error:
        if error.status in (0, 503):
            raise
        one.problem(Side.REMOTE, path, "trash-failed", f"not deleted, because no copy could be kept: {error}")
        return False
    # Some servers ignore conditions, and the copy may have taken minutes: the look comes right before.
    now = one.client.head(key)
    if now is None:
        return True
    if not etag or now.etag != etag:
        _note_changed(one, path)
        return False
    answer = one.client.delete(key, if_match=etag)
    if answer == "deleted":
        one.tally.deleted_remote += 1
    elif answer == "changed":
        _note_changed(one, path)
    return answer != "changed"


def _note_changed(one: OnePass, path: str) -> None:
    one.problem(Side.REMOTE, path, "changed-there", "it was changed in the bucket meanwhile: not deleted")


def exists(one: OnePass, path: str, *, folder: bool) -> bool:
    """What the key means is there now, or that cannot be known. A folder in a file's place is not that file."""
    try:
        state = os.stat(path, dir_fd=one.folder.fd, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return stat.S_ISDIR(state.st_mode) is folder or stat.S_ISLNK(state.st_mode)
