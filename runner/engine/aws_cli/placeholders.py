"""Empty folders of a push: `<folder>/.s3_index` in the bucket, and with `index-file` in the folder as well.

A zero-byte `<folder>/` in the bucket counts as the same. The pair's own folder needs none. Written conditionally, so
an object that somebody else has put there is never replaced; never removes one (orphans.py does).
"""

import os
from contextlib import suppress

from runner.config.settings import EmptyFolders
from runner.engine.aws_cli.memory import path_bytes
from runner.engine.aws_cli.one_pass import OnePass
from runner.files.scan import INDEX_NAME
from runner.files.scan_result import ScanResult
from runner.model.problem import Side
from runner.store.errors import PreconditionFailedError
from runner.store.keys import Refusal, key_of_path


def folder_of_mark(path: str) -> str | None:
    """`a/b/.s3_index` -> `a/b`; None for a path that is no placeholder or that of the pair's own folder."""
    folder, _, name = path.rpartition("/")
    return folder if name == INDEX_NAME and folder else None


def make_index_files(one: OnePass, scan: ScanResult) -> int:
    """With `index-file`: a `.s3_index` in each empty folder, for the run to push. Returns how many were made."""
    if one.pair.empty_folders is not EmptyFolders.INDEX_FILE:
        return 0
    made = 0
    for folder in scan.empty_dirs:
        path = f"{folder}/{INDEX_NAME}"
        if folder in scan.indexed_dirs or not one.wants(path):
            continue
        try:
            os.close(one.folder.open_beneath(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
            made += 1
        except FileExistsError:
            continue
        except OSError as error:
            one.problem(Side.LOCAL, path, "placeholder", f"the placeholder cannot be made: {error.strerror}")
    return made


def missing(one: OnePass, scan: ScanResult) -> list[str]:
    """Empty folders whose placeholder is not known to be in the bucket (`index-object`)."""
    if one.pair.empty_folders is not EmptyFolders.INDEX_OBJECT:
        return []
    return [folder for folder in scan.empty_dirs if one.wants(f"{folder}/{INDEX_NAME}") and not _is_there(one, folder)]


def put(one: OnePass, scan: ScanResult) -> None:
    """Writes the missing placeholders and remembers them. Raises StoreError."""
    if one.pair.empty_folders is not EmptyFolders.INDEX_OBJECT:
        return
    now_there: list[bytes] = []
    for folder in missing(one, scan):
        one.check_stop()
        key = key_of_path(f"{folder}/{INDEX_NAME}", one.pair.prefix)
        if isinstance(key, Refusal):
            one.problem(Side.LOCAL, folder, key.code, key.reason, permanent=True)
            continue
        with suppress(PreconditionFailedError):  # somebody else's says the same
            one.client.put(key, b"", if_none_match=True)
        now_there.append(path_bytes(folder))
    if now_there:
        one.memory.remember("placeholders", now_there)
    empty = {path_bytes(folder) for folder in scan.empty_dirs}
    past = [path for (path,) in one.seen.rows("SELECT path FROM main.placeholders") if path not in empty]
    if past:
        one.memory.forget("placeholders", past)


def _is_there(one: OnePass, folder: str) -> bool:
    raw = path_bytes(folder)
    if one.listed:
        return next(one.seen.rows("SELECT 1 FROM marks WHERE path = ?", (raw,)), None) is not None
    return one.memory.holds("placeholders", raw)
