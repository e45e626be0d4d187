"""What to do about one path: a pure function over memory, folder and bucket. Owns every rule of a native pass.

Never reads, writes or remembers: it may only answer "look first", and the engine asks again with what it saw. A side
that is UNKNOWN is waited for, whatever the other one says: absence that nobody has seen moves nothing.

How folders are judged. A path has a content layer (file or link) and a folder layer. A placeholder holds nothing that
could be lost, so it never conflicts: where either side has content, a folder (on a side or in memory) counts as "no
content here"; only where neither side has any, folders are compared with folders.
  an empty folder here, a new file there   DOWNLOAD: the file takes the folder's place (only while it is empty)
  a file here, only a placeholder there    UPLOAD: to the file's key, which is free; the bucket can hold both
  a known file became a folder             first the file's deletion is carried over (brakes count it), then the folder
A directory that is there with things in it is handed in as FOLDER too where memory or bucket has its placeholder;
removing a FOLDER means removing it if it is empty, so it loses nothing.
"""

from runner.config.settings import Mode
from runner.engine.native.equality import link_sha256
from runner.engine.native.facts import UNKNOWN, Base, Kind, Local, LocalSide, Remote, RemoteSide
from runner.engine.native.rules import (
    ARCHIVED,
    COMPARE,
    DOWNLOAD_BACK,
    DOWNLOAD_OVER,
    FORGET,
    KEEP_BOTH,
    KEEP_BOTH_NEWER_HERE,
    LOOK_LOCAL,
    LOOK_REMOTE,
    NOTHING,
    RECORD,
    SET_LOCAL_MODE,
    SET_REMOTE_MODE,
    TABLES,
    UPLOAD_BACK,
    UPLOAD_OVER,
    UPLOAD_OVER_OWN,
    WAIT_LOCAL,
    WAIT_REMOTE,
    Action,
    Change,
    Decision,
    Meeting,
    Rules,
)
from runner.model.problem import Side

__all__ = ["Action", "Decision", "Rules", "decide", "is_archived"]

# Values of x-amz-storage-class and, for INTELLIGENT_TIERING, of x-amz-archive-status: GetObject answers
# InvalidObjectState until the object is restored. https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
ARCHIVED_CLASSES = frozenset({"GLACIER", "DEEP_ARCHIVE", "ARCHIVE_ACCESS", "DEEP_ARCHIVE_ACCESS"})
_PERMISSIONS = 0o777  # setuid, setgid and sticky are never carried


def decide(
    base: Base | None,
    local: LocalSide,
    remote: RemoteSide,
    rules: Rules,
    equal: bool | None = None,  # noqa: FBT001
) -> Decision:
    """The next step for a path.

    equal: what came of a COMPARE of these two versions, None before it. An archived object whose hashes cannot tell
    (`equality.contents_tell`) is answered with False: no step that follows reads or replaces it.
    LOOK_LOCAL asks for Local.sha256, LOOK_REMOTE for Remote.looked (with kind, mode, mtime_ns); neither is asked twice.
    """
    if local is UNKNOWN:
        return WAIT_LOCAL
    if remote is UNKNOWN:
        return WAIT_REMOTE
    if local is None and remote is None:
        return NOTHING if base is None else FORGET
    decision = _decide_layer(*_layer(base, local, remote), rules, equal=equal)
    if remote is not None and is_archived(remote) and _needs_object(decision):
        return ARCHIVED
    return decision


def is_archived(remote: Remote) -> bool:
    """The object's bytes cannot be had before a person restores it (archive tiers as far as Remote shows them)."""
    return remote.storage_class in ARCHIVED_CLASSES and not remote.restored


def _needs_object(decision: Decision) -> bool:
    """The step reads or copies the object's bytes; a copy into the trash does, and so does a copy onto itself."""
    return decision.loser is Side.REMOTE or decision.action in {
        Action.DOWNLOAD,
        Action.KEEP_BOTH,
        Action.SET_REMOTE_MODE,
    }


def _layer(
    base: Base | None, local: Local | None, remote: Remote | None
) -> tuple[Base | None, Local | None, Remote | None]:
    """The three on the layer that decides (module docstring): what belongs to the other layer counts as absent."""
    is_folder = all(side is None or side.kind is Kind.FOLDER for side in (local, remote))
    return (
        base if base is not None and (base.kind is Kind.FOLDER) == is_folder else None,
        local if local is not None and (local.kind is Kind.FOLDER) == is_folder else None,
        remote if remote is not None and (remote.kind is Kind.FOLDER) == is_folder else None,
    )


def _decide_layer(
    base: Base | None, local: Local | None, remote: Remote | None, rules: Rules, *, equal: bool | None
) -> Decision:
    here = _here(base, local)
    there = _there(base, remote)
    if isinstance(here, Decision):
        return here
    if isinstance(there, Decision):
        return there
    if here is Change.SAME and there is Change.SAME:
        assert local is not None
        assert remote is not None
        return _settle(base, local, remote, rules)
    rule = TABLES[rules.mode][here, there]
    if isinstance(rule, Decision):
        return rule if _may(rule, rules) else _without_deletion(rule, rules)
    assert local is not None
    assert remote is not None
    return _meet(rule, base, local, remote, rules, equal=equal)


def _here(base: Base | None, local: Local | None) -> Change | Decision:
    """The folder's side against memory; LOOK_LOCAL where only the content can tell."""
    if base is None:
        return Change.NONE if local is None else Change.NEW
    if local is None:
        return Change.GONE
    if local.kind is Kind.FOLDER:
        return Change.SAME
    content = link_sha256(local.target) if local.kind is Kind.LINK else local.sha256
    if _has_stamps(base, local) and not base.racy and not (content and base.sha256):
        return Change.SAME
    if local.kind is not base.kind or local.size != base.size:
        return Change.CHANGED
    if not content:
        return LOOK_LOCAL
    return Change.SAME if content == base.sha256 else Change.CHANGED


def _there(base: Base | None, remote: Remote | None) -> Change | Decision:
    """The bucket's side against memory; another ETag is a change until a comparison says otherwise."""
    if base is None:
        return Change.NONE if remote is None else Change.NEW
    if remote is None:
        return Change.GONE
    if remote.kind is Kind.FOLDER:
        return Change.SAME
    if remote.etag != base.etag or remote.size != base.remote_size:
        return Change.CHANGED
    if not _was_written_since(base, remote):
        return Change.SAME
    if not remote.looked:
        return LOOK_REMOTE  # the same bytes with other metadata: another mode, or a link where a file was
    return Change.SAME if remote.kind is base.kind else Change.CHANGED


def _has_stamps(base: Base, local: Local) -> bool:
    return (base.kind, base.size, base.mtime_ns, base.ctime_ns, base.inode) == (
        local.kind,
        local.size,
        local.mtime_ns,
        local.ctime_ns,
        local.inode,
    )


def _was_written_since(base: Base, remote: Remote) -> bool:
    """LastModified moved. 0 in memory: the answer to our own write did not tell it, and the ETag says it is ours.

    HEAD tells whole seconds where a listing may tell milliseconds: the coarser of the two is compared.
    """
    if base.modified <= 0 or base.modified == remote.modified:
        return False
    before, now = int(base.modified), int(remote.modified)
    return before != now or (before != base.modified and now != remote.modified)


def _may(rule: Decision, rules: Rules) -> bool:
    is_deletion = rule.action in {Action.DELETE_LOCAL, Action.DELETE_REMOTE}
    return not is_deletion or (rules.delete and not rules.first)


def _without_deletion(rule: Decision, rules: Rules) -> Decision:
    """Two-way makes a union; push and pull leave alone what the truth does not have."""
    if rules.mode is not Mode.TWO_WAY:
        return NOTHING
    return UPLOAD_BACK if rule.action is Action.DELETE_LOCAL else DOWNLOAD_BACK


def _meet(
    rule: Meeting, base: Base | None, local: Local, remote: Remote, rules: Rules, *, equal: bool | None
) -> Decision:
    """Both sides have content, and memory cannot say that it is equal."""
    if local.kind is Kind.FOLDER:
        return RECORD  # new on both sides; memory would have called both the same
    if local.size == remote.size:
        if not remote.looked:
            return LOOK_REMOTE  # a link's object cannot be told from a file by its ETag and size
        if local.kind is remote.kind:
            if equal is None:
                return COMPARE
            if equal:
                return _settle(base, local, remote, rules)
    own = _own(base, local, remote, rules) if rules.lost_sessions else None
    if own is not None:
        return own
    if rule.otherwise is not None:
        return rule.otherwise
    if base is None and rules.first and rules.first_pass != "union":  # noqa: S105
        return DOWNLOAD_OVER if rules.first_pass == "bucket" else UPLOAD_OVER  # noqa: S105
    return _conflict(local, remote, rules)


def _own(base: Base | None, local: Local, remote: Remote, rules: Rules) -> Decision | None:
    """What this folder itself has sent, only that a kill came before memory was told of it, is the file's past."""
    if base is not None and not base.racy and _has_stamps(base, local):
        return None  # nobody touched the file since: it has been set back, with the folder
    if not remote.looked:
        return LOOK_REMOTE
    return UPLOAD_OVER_OWN if remote.session in rules.lost_sessions else None


def _conflict(local: Local, remote: Remote, rules: Rules) -> Decision:
    if rules.conflict == "local":
        return UPLOAD_OVER
    if rules.conflict == "remote":
        return DOWNLOAD_OVER
    if rules.conflict == "newest":
        if not remote.looked:
            return LOOK_REMOTE
        return KEEP_BOTH_NEWER_HERE if _is_newer_here(local, remote) else KEEP_BOTH
    return KEEP_BOTH


def _is_newer_here(local: Local, remote: Remote) -> bool:
    """By mtime; by LastModified (whole seconds) where the object carries none. Unknown times and ties: False."""
    if remote.mtime_ns is not None and remote.mtime_ns > 0:
        return local.mtime_ns > remote.mtime_ns
    return remote.modified > 0 and local.mtime_ns // 1_000_000_000 > int(remote.modified)


def _settle(base: Base | None, local: Local, remote: Remote, rules: Rules) -> Decision:
    """The contents are equal: modes, then memory."""
    if rules.permissions and local.kind is Kind.FILE:
        decision = _settle_mode(base, local, remote, rules.mode)
        if decision is not None:
            return decision
    return NOTHING if base is not None and _is_recorded(base, local, remote, rules) else RECORD


def _settle_mode(base: Base | None, local: Local, remote: Remote, mode: Mode) -> Decision | None:
    """Who has the mode that holds: the side that moved, and the bucket when both did; in push and pull, the truth.

    An object without a mode has no opinion: it never moves the file, and takes the file's mode when that was changed.
    """
    here = local.mode & _PERMISSIONS
    before = None if base is None else base.mode & _PERMISSIONS
    moved_here = before is not None and here != before
    there = remote.mode & _PERMISSIONS if remote.looked and remote.mode is not None else None
    if mode is Mode.PULL and moved_here and not remote.looked:
        return LOOK_REMOTE
    if there == here:
        return None
    if there is None:
        return SET_REMOTE_MODE if moved_here and mode is not Mode.PULL else None
    if mode is Mode.TWO_WAY:
        return SET_REMOTE_MODE if moved_here and there == before else SET_LOCAL_MODE
    return SET_REMOTE_MODE if mode is Mode.PUSH else SET_LOCAL_MODE


def _is_recorded(base: Base, local: Local, remote: Remote, rules: Rules) -> bool:
    """Memory's row says exactly what is there now."""
    if (base.key, base.etag, base.remote_size, base.modified) != (
        remote.key,
        remote.etag,
        remote.size,
        remote.modified,
    ):
        return False
    if local.kind is Kind.FOLDER:
        return True  # a directory's stamps move with everything that is made in it
    if base.racy or not _has_stamps(base, local):
        return False
    return not rules.permissions or local.kind is Kind.LINK or (local.mode ^ base.mode) & _PERMISSIONS == 0
