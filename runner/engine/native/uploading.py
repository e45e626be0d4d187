"""From the folder to the bucket: contents, links, placeholders of empty folders, and copies of what was renamed.

Each write is a compare-and-swap on the version that was decided about (design principle 3); what was read is proven
whole before it is published, and memory gets the stamps of the file that was read, not of what is there by now.
"""

import hashlib
import stat
from collections.abc import Mapping

from runner.config.settings import RemoteTrash
from runner.engine.native import modes
from runner.engine.native.facts import Base, Kind, Local, Remote
from runner.engine.native.reading import blocks, local_of
from runner.engine.native.result import Result
from runner.engine.native.steps import Step
from runner.engine.native.waiting import MovedOnError
from runner.engine.native.workshop import Workshop
from runner.files.open_file import ChangedError, OpenFile, Quiet
from runner.files.scan import INDEX_NAME
from runner.model.problem import Side
from runner.store import metadata as dialects
from runner.store.content_type import content_type_of
from runner.store.door import ContentHeaders, Written
from runner.store.errors import NoSuchKeyError, PreconditionFailedError, SourceChangedError

GULP_BYTES = 8 << 20


def upload(shop: Workshop, step: Step) -> Result:
    """One file, link or placeholder. Raises waiting's errors, OSError, StoreError."""
    assert isinstance(step.local, Local)
    remote = step.remote if isinstance(step.remote, Remote) else None
    if remote is not None and remote.kind is Kind.FOLDER and step.local.kind is not Kind.FOLDER:
        remote = None  # a placeholder has a key of its own; the file's key is free
    try:
        if remote is not None and (step.decision.loser is Side.REMOTE or _keeps_all(shop, remote)):
            shop.keeper().keep(remote.key, remote.etag, step.path)
        if step.local.kind is Kind.FOLDER:
            return _placeholder(shop, step.path, step.local)
        if step.local.kind is Kind.LINK:
            return _link(shop, step, step.local, remote)
        return _file(shop, step, step.local, remote)
    except (PreconditionFailedError, NoSuchKeyError):
        raise MovedOnError(step.path, Side.REMOTE) from None
    except SourceChangedError:
        raise MovedOnError(step.path, Side.LOCAL) from None


def _keeps_all(shop: Workshop, replaced: Remote) -> bool:
    return shop.pair.remote_trash is RemoteTrash.ALL and replaced.kind is not Kind.FOLDER


def copied(shop: Workshop, step: Step) -> Result:
    """A renamed file: copied inside the bucket from the object of its old name. Raises as upload."""
    assert isinstance(step.local, Local)
    assert isinstance(step.remote, Remote)  # of the old name
    key = shop.key_of(step.path)
    with shop.reader.open(step.path, step.local, snapshot=False) as file:
        racy = shop.reader.is_racy(file)
        try:
            written = shop.store.copy(step.remote.key, key, source_etag=step.remote.etag, expected=None)
        except (PreconditionFailedError, NoSuchKeyError):
            raise MovedOnError(step.path, Side.REMOTE) from None
    base = _base(step.local, key, written, step.local.sha256, racy=racy)
    remote = step.remote._replace(key=key, etag=written.etag, modified=written.modified or 0.0)
    result = Result({step.path: base}, uploaded=1)
    return modes.after_move(shop, step, result, step.local, remote)


def _file(shop: Workshop, step: Step, local: Local, remote: Remote | None) -> Result:
    with shop.reader.open(step.path, local, snapshot=step.snapshot) as file:
        if step.snapshot:
            local = local_of(file.entry) or local
        racy = step.snapshot or shop.reader.is_racy(file)
        if local.size <= GULP_BYTES:
            sha256, written = _in_one(shop, step, local, remote, file)
        else:
            sha256, written = _in_parts(shop, step, local, remote, file)
        racy = racy or file.quiet() is Quiet.BUSY  # opened since: its stamps prove nothing
    base = _base(local, shop.key_of(step.path), written, sha256, racy=racy)
    return Result({step.path: base}, uploaded=1, bytes_up=local.size)


def _in_one(shop: Workshop, step: Step, local: Local, remote: Remote | None, file: OpenFile) -> tuple[str, Written]:
    try:
        body = file.read_at(0, local.size) if step.snapshot else file.read_whole(local.size)
    except ChangedError:
        raise MovedOnError(step.path, Side.LOCAL) from None
    if len(body) != local.size or (step.snapshot and file.read_at(0, local.size) != body):
        raise MovedOnError(step.path, Side.LOCAL)
    # Before the bytes leave: what was read is one version of the file.
    shop.reader.check_same(step.path, file, snapshot=step.snapshot)
    digest = hashlib.sha256(body)
    written = shop.store.put_small(
        shop.key_of(step.path),
        body,
        expected=remote.etag if remote else None,
        metadata=metadata_of(shop, local, digest.hexdigest()),
        content=_content(step.path),
        sha256=digest.digest(),
    )
    shop.on_bytes(local.size)
    return digest.hexdigest(), written


def _in_parts(shop: Workshop, step: Step, local: Local, remote: Remote | None, file: OpenFile) -> tuple[str, Written]:
    """Read twice: the hash goes with the first request, and the second reading must have met the same bytes."""
    before = _hash(file, local.size)
    if not step.snapshot:
        shop.reader.check_same(step.path, file, snapshot=False)

    def still_same() -> bool:
        if step.snapshot:
            return _hash(file, local.size) == before
        try:
            shop.reader.check_same(step.path, file, snapshot=False)
        except MovedOnError:
            return False
        return True

    written = shop.store.put_file(
        shop.key_of(step.path),
        size=local.size,
        read_at=file.read_at,
        expected=remote.etag if remote else None,
        metadata=metadata_of(shop, local, before),
        content=_content(step.path),
        still_same=still_same,
        on_bytes=shop.on_bytes,
    )
    return before, written


def _hash(file: OpenFile, size: int) -> str:
    digest = hashlib.sha256()
    for block in blocks(file, size):
        digest.update(block)
    return digest.hexdigest()


def _link(shop: Workshop, step: Step, local: Local, remote: Remote | None) -> Result:
    body = local.target.encode("utf-8", "surrogateescape")
    digest = hashlib.sha256(body)
    key = shop.key_of(step.path)
    written = shop.store.put_small(
        key,
        body,
        expected=remote.etag if remote else None,
        metadata=metadata_of(shop, local, digest.hexdigest(), always_mode=True),
        content=ContentHeaders(),
        sha256=digest.digest(),
    )
    return Result({step.path: _base(local, key, written, digest.hexdigest(), racy=False)}, uploaded=1)


def _placeholder(shop: Workshop, path: str, local: Local) -> Result:
    key = shop.key_of(f"{path}/{INDEX_NAME}")
    digest = hashlib.sha256(b"")
    try:
        written = shop.store.put_small(
            key, b"", expected=None, metadata={}, content=ContentHeaders(), sha256=digest.digest()
        )
    except PreconditionFailedError:
        info = shop.store.head(key)
        if info is None:
            raise
        written = Written(info.etag, info.last_modified)
    return Result({path: _base(local, key, written, "", racy=False)}, uploaded=1)


def metadata_of(shop: Workshop, local: Local, sha256: str, *, always_mode: bool = False) -> Mapping[str, str]:
    """always_mode: a link is one by its mode, whatever `permissions` says."""
    found = dialects.written(mode=local.mode, mtime_ns=local.mtime_ns, sha256=sha256)
    if shop.pair.permissions or always_mode:
        return found
    return {"sha256": sha256}


def _content(path: str) -> ContentHeaders:
    return ContentHeaders(content_type=content_type_of(path))


def _base(local: Local, key: str, written: Written, sha256: str, *, racy: bool) -> Base:
    size = local.size if local.kind is not Kind.FOLDER else 0
    mode = stat.S_IMODE(local.mode) & 0o777 if local.kind is Kind.FILE else 0
    return Base(
        local.kind,
        size,
        local.mtime_ns,
        local.ctime_ns,
        local.inode,
        mode,
        sha256,
        key,
        written.etag,
        size,
        written.modified or 0.0,
        racy,
    )
