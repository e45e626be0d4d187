"""Folders that a pull makes on the way to its files: they get the pair's `dir_mode` and `gid`, which the CLI knows not.

Foreseen before the run, dressed after it, or by the next pass if we are killed. A folder that was there before is never
touched.
"""

import contextlib
import os

from runner.engine.aws_cli.memory import path_text
from runner.engine.aws_cli.one_pass import OnePass


def foresee(one: OnePass) -> None:
    """Before anything is made."""
    if one.pair.dir_mode is not None or one.pair.gid is not None:
        new = one.seen.rows(
            "SELECT path FROM (SELECT path FROM there_dirs UNION SELECT path FROM marks) "
            "WHERE path NOT IN (SELECT path FROM dirs) AND path NOT IN (SELECT path FROM here)"
        )
        if paths := [path for (path,) in new]:
            one.memory.remember("run_dirs", paths)


def dress(one: OnePass) -> None:
    """Deepest first, so that a mode which keeps us out of a folder does not keep us from those below it."""
    paths = [path for (path,) in one.seen.rows("SELECT path FROM main.run_dirs ORDER BY path DESC")]
    for raw in paths:
        with contextlib.suppress(OSError):  # it was not made after all, or is somebody else's
            _dress_one(one, path_text(raw))
    if paths:
        one.memory.forget("run_dirs", paths)


def _dress_one(one: OnePass, path: str) -> None:
    fd = one.folder.open_beneath(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if one.pair.gid is not None:
            os.fchown(fd, -1, one.pair.gid)
        if one.pair.dir_mode is not None:
            os.fchmod(fd, one.pair.dir_mode)
    finally:
        os.close(fd)
