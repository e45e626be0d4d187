"""From the bucket into the folder: fetched aside, verified, made durable, and only then put in place on condition.

What is replaced lies in the trash afterwards (design principle 4). A file that somebody has open is not replaced.
"""

from runner.config.settings import Symlinks
from runner.engine.native.equality import Digester, contents_tell
from runner.engine.native.facts import Base, Kind, Local, Remote
from runner.engine.native.looking import LINK_BYTES, looked
from runner.engine.native.reading import BLOCK_BYTES, entry_of
from runner.engine.native.result import Result
from runner.engine.native.steps import Step
from runner.engine.native.uploading import GULP_BYTES
from runner.engine.native.waiting import BusyError, MovedOnError, StepProblemError
from runner.engine.native.workshop import Workshop
from runner.files.scan_result import Entry
from runner.files.temporary import Temporary
from runner.files.tree import ReplaceResult
from runner.model.problem import Side
from runner.store.errors import ArchivedObjectError, NoSuchKeyError, PreconditionFailedError


class LinkSkippedError(StepProblemError):
    """`symlinks: skip` leaves link objects where they are."""

    def __init__(self) -> None:
        super().__init__(Side.REMOTE, "link-skipped", "a link in the bucket, left by `symlinks: skip`", permanent=True)


def download(shop: Workshop, step: Step) -> Result:
    """One file, link or empty folder. Raises waiting's errors, OSError, StoreError."""
    assert isinstance(step.remote, Remote)
    if step.remote.kind is Kind.FOLDER:
        return _folder(shop, step.path, step.remote)
    local = step.local if isinstance(step.local, Local) else None
    try:
        remote, sha256, temporary = fetch(shop, step.path, step.remote)
    except LinkSkippedError:
        if local is None:
            return Result()  # as a link here is left out: without a word
        raise
    with temporary:
        entry = put_in_place(shop, step.path, temporary, local)
    base = base_of(entry, remote, sha256)
    return Result({step.path: base}, downloaded=1, bytes_down=remote.size)


def fetch(shop: Workshop, path: str, remote: Remote) -> tuple[Remote, str, Temporary]:
    """The object's bytes in a finished temporary, its facts and the hash of its content. Raises as download."""
    shop.refuse_other_spelling(path)
    _check_room(shop, path, remote.size)
    try:
        if remote.size <= GULP_BYTES:
            return _fetch_small(shop, path, remote)
        return _fetch_large(shop, path, remote)
    except ArchivedObjectError as error:
        raise StepProblemError(Side.REMOTE, "archived", str(error), permanent=True) from None
    except (PreconditionFailedError, NoSuchKeyError):
        raise MovedOnError(path, Side.REMOTE) from None


def put_in_place(shop: Workshop, path: str, temporary: Temporary, local: Local | None) -> Entry:
    """Raises BusyError, MovedOnError, OSError."""
    if local is None or local.kind is Kind.FOLDER:
        if local is not None and not shop.tree.remove_folder(path):
            reason = "there is a folder with things in it: a file cannot stand in its place"
            raise StepProblemError(Side.REMOTE, "folder-and-file", reason, permanent=True)
        entry = shop.tree.place(path, temporary)
        if entry is None:
            raise MovedOnError(path, Side.LOCAL)
        return entry
    replaced = shop.tree.replace(path, temporary, entry_of(path, local), shop.now)
    if replaced.result is ReplaceResult.BUSY:
        raise BusyError(path)
    if replaced.entry is None or replaced.result is not ReplaceResult.DONE:
        raise MovedOnError(path, Side.LOCAL)
    return replaced.entry


def base_of(entry: Entry, remote: Remote, sha256: str) -> Base:
    """Memory's row for a file that was just put in place."""
    kind = Kind.LINK if entry.kind == "symlink" else Kind.FILE
    return Base(
        kind,
        entry.size,
        entry.mtime_ns,
        entry.ctime_ns,
        entry.inode,
        entry.mode & 0o777 if kind is Kind.FILE else 0,
        sha256,
        remote.key,
        remote.etag,
        remote.size,
        remote.modified,
    )


def _fetch_small(shop: Workshop, path: str, remote: Remote) -> tuple[Remote, str, Temporary]:
    info, body = shop.store.get_small(remote.key, max_bytes=GULP_BYTES, etag=remote.etag)
    remote = looked(remote, info)
    if len(body) != info.size:
        raise StepProblemError(Side.REMOTE, "damaged", f"{info.size} bytes were announced and {len(body)} came")
    digester = Digester(len(body), remote.etag)
    digester.update(body)
    sha256 = _verified(remote, digester)
    if remote.kind is Kind.LINK and len(body) <= LINK_BYTES:
        return remote, sha256, _link(shop, path, body)
    temporary = shop.tree.temporary()
    try:
        temporary.write_at(0, body)
        _finish(shop, temporary, remote)
    except BaseException:
        temporary.discard()
        raise
    shop.on_bytes(len(body))
    return remote, sha256, temporary


def _fetch_large(shop: Workshop, path: str, remote: Remote) -> tuple[Remote, str, Temporary]:
    remote = remote if remote.looked else shop.looker.head(path, remote)
    temporary = shop.tree.temporary()
    try:
        shop.store.get_file(
            remote.key,
            size=remote.size,
            etag=remote.etag,
            write_at=temporary.write_at,
            on_bytes=shop.on_bytes,
        )
        digester = Digester(remote.size, remote.etag)
        offset = 0
        while block := temporary.read_at(offset, BLOCK_BYTES):
            digester.update(block)
            offset += len(block)
        sha256 = _verified(remote, digester)
        _finish(shop, temporary, remote)
    except BaseException:
        temporary.discard()
        raise
    return remote, sha256, temporary


def _verified(remote: Remote, digester: Digester) -> str:
    """The content's SHA-256, when the bytes are the object's as far as anything that came with it can prove.

    Metadata may be of an older content (copied along by another tool): the ETag, where it can tell, is right. Raises
    StepProblemError.
    """
    if contents_tell(digester, remote) is False and digester.sha256 != remote.sha256:
        raise StepProblemError(Side.REMOTE, "damaged", "what came is not what its sha256 says: not put in place")
    return digester.sha256


def _finish(shop: Workshop, temporary: Temporary, remote: Remote) -> None:
    keep = shop.pair.permissions
    temporary.finish(
        mode=remote.mode & 0o777 if keep and remote.mode is not None else None,
        mtime_ns=(remote.mtime_ns if remote.mtime_ns is not None else int(remote.modified * 1e9)) if keep else None,
    )


def _link(shop: Workshop, path: str, body: bytes) -> Temporary:
    if shop.pair.symlinks is Symlinks.SKIP:
        raise LinkSkippedError
    target = body.decode("utf-8", "surrogateescape")
    depth = path.count("/")
    if not stays_inside(target, depth):
        raise StepProblemError(
            Side.REMOTE, "link-outside", "the link leads out of the folder: not made", permanent=True
        )
    return shop.tree.temporary_link(target)


def stays_inside(target: str, depth: int) -> bool:
    """A relative link, `depth` folders deep, whose way never leaves the pair's folder. Pure."""
    if not target or target.startswith("/") or "\0" in target:
        return False
    for name in target.split("/"):
        if name == "..":
            depth -= 1
            if depth < 0:
                return False
        elif name not in {"", "."}:
            depth += 1
    return True


def _folder(shop: Workshop, path: str, remote: Remote) -> Result:
    shop.tree.make_folder(path)
    entry = shop.tree.look(path)
    if entry is None or entry.kind != "dir":
        raise MovedOnError(path, Side.LOCAL)
    base = Base(Kind.FOLDER, 0, 0, 0, 0, 0, "", remote.key, remote.etag, remote.size, remote.modified)
    return Result({path: base}, downloaded=1)


def _check_room(shop: Workshop, path: str, size: int) -> None:
    if shop.tree.free_bytes() - size >= shop.min_free_bytes:
        return
    with shop.lock:  # one thread makes room
        missing = shop.min_free_bytes + size - shop.tree.free_bytes()
        if missing > 0:
            shop.tree.trash.expire(shop.now, free_bytes=missing)
        if shop.tree.free_bytes() - size < shop.min_free_bytes:
            raise StepProblemError(
                Side.REMOTE, "no-room", f"{path} needs {size} bytes and `min_free` would not be left on the file system"
            )
