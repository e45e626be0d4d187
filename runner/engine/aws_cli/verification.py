"""`runner verify`: both sides compared now, by name and size or by content. Changes nothing, trusts no memory."""

import hashlib
import os
from collections.abc import Iterator

from runner.config.settings import EmptyFolders, Mode
from runner.engine.aws_cli import blocked, content, orphans, push
from runner.engine.aws_cli.memory import path_bytes, path_text
from runner.engine.aws_cli.one_pass import OnePass
from runner.engine.interface import Difference
from runner.model.problem import Side
from runner.store.errors import ArchivedObjectError, NoSuchKeyError, PreconditionFailedError

_BLOCK = 1024 * 1024
# Names that cannot be on the other side at all.
_NO_TWIN = frozenset(
    {"impossible-name", "name-too-long", "path-too-long", "key-too-long", "not-utf-8", "forbidden-key"}
)


def differences(one: OnePass, *, content: bool) -> Iterator[Difference]:
    """One row a path. content: reads every file of equal size, and the objects whose ETag is no MD5."""
    if one.pair.mode is Mode.PUSH:
        push.exclude(one, push.look(one))
        orphans.read_listing(one)
    else:
        blocked.read_listing(one)
        one.scan("here", "no")
    yield from _by_name(one)
    for raw, size, etag in one.seen.rows(
        "SELECT h.path, h.size, t.etag FROM here h JOIN there t USING (path) WHERE h.size = t.size ORDER BY h.path"
    ):
        if not content:
            break
        one.check_stop()
        reason = _content(one, path_text(raw), size, etag)
        if reason:
            yield Difference(path_text(raw), reason)
    for problem in one.problems:
        if problem.code in {"unreadable-file", "unreadable-folder"}:
            yield Difference(problem.path, "unreadable")
        elif problem.code in _NO_TWIN and not _is_listed(one, problem.path):
            yield Difference(problem.path, "only-local" if problem.side is Side.LOCAL else "only-remote")


def _is_listed(one: OnePass, path: str) -> bool:
    return next(one.seen.rows("SELECT 1 FROM there WHERE path = ?", (path_bytes(path),)), None) is not None


def _by_name(one: OnePass) -> Iterator[Difference]:
    for (raw,) in one.seen.rows("SELECT path FROM here WHERE path NOT IN (SELECT path FROM there) ORDER BY path"):
        yield Difference(path_text(raw), "only-local")
    for (raw,) in one.seen.rows("SELECT path FROM there WHERE path NOT IN (SELECT path FROM here) ORDER BY path"):
        yield Difference(path_text(raw), "only-remote")
    if one.pair.mode is Mode.PULL and one.pair.empty_folders is not EmptyFolders.NONE:
        for (raw,) in one.seen.rows("SELECT DISTINCT path FROM marks WHERE path NOT IN (SELECT path FROM dirs)"):
            yield Difference(path_text(raw), "only-remote")
    rows = one.seen.rows("SELECT h.path FROM here h JOIN there t USING (path) WHERE h.size <> t.size ORDER BY h.path")
    for (raw,) in rows:
        yield Difference(path_text(raw), "size")


def _content(one: OnePass, path: str, size: int, etag: str) -> str:
    """ "" when equal, else the reason."""
    try:
        same = content.matches(one.folder, path, size, etag)
        if same is None:
            same = _hash_there(one, path, etag) == _hash_here(one, path)
    except (OSError, NoSuchKeyError, PreconditionFailedError, ArchivedObjectError):
        return "unreadable"
    return "" if same else "content"


def _hash_there(one: OnePass, path: str, etag: str) -> bytes:
    digest = hashlib.sha256()
    one.client.get_to(one.pair.prefix + path, digest.update, etag)
    return digest.digest()


def _hash_here(one: OnePass, path: str) -> bytes:
    digest = hashlib.sha256()
    fd = content.open_for_reading(one.folder, path)
    try:
        while block := os.read(fd, _BLOCK):
            digest.update(block)
    finally:
        os.close(fd)
    return digest.digest()
