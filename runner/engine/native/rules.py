"""The rules of the three modes as tables: how each side moved against memory -> what follows. Data, no policy code.

Read one table at a time; `decide` finds the row. Two-way: edit beats delete. Push: the folder is the truth, what others
wrote is kept in the bucket's trash. Pull: the bucket is the truth, what was edited here is kept in the folder's trash.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Literal, NamedTuple

from runner.config.settings import Mode
from runner.model.problem import Side


@dataclass(frozen=True, slots=True)
class Rules:
    """What a pair's settings say. delete: True in two-way. first: this folder's first pass, which deletes nothing.

    lost_sessions: of this very folder's runs that ended without telling memory of all that they had uploaded.
    """

    mode: Mode
    delete: bool
    conflict: Literal["keep-both", "newest", "local", "remote"] = "keep-both"
    first_pass: Literal["union", "bucket", "folder"] = "union"  # noqa: S105
    first: bool = False
    permissions: bool = True
    lost_sessions: frozenset[str] = frozenset()


class Action(StrEnum):
    NOTHING = "nothing"
    WAIT = "wait"
    LOOK_LOCAL = "look-local"
    LOOK_REMOTE = "look-remote"
    COMPARE = "compare"
    RECORD = "record"
    FORGET = "forget"
    UPLOAD = "upload"
    DOWNLOAD = "download"
    DELETE_LOCAL = "delete-local"
    DELETE_REMOTE = "delete-remote"
    KEEP_BOTH = "keep-both"
    SET_LOCAL_MODE = "set-local-mode"
    SET_REMOTE_MODE = "set-remote-mode"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Decision:
    """reason: for a person. code: of a PROBLEM.

    loser: with KEEP_BOTH, whose version goes under a conflict name; with a transfer or a deletion, the version of that
    side was seen by nobody who replaces it: it must be kept in that side's trash.
    """

    action: Action
    reason: str = ""
    code: str = ""
    loser: Side | None = None


class Change(Enum):
    """A side against memory. NONE and NEW: memory knows nothing."""

    NONE = "none"
    NEW = "new"
    SAME = "same"
    CHANGED = "changed"
    GONE = "gone"


class Meeting(NamedTuple):
    """Both sides have content that may be equal: when it is, only stamps and modes are settled."""

    otherwise: Decision | None  # None: the conflict policy


Rule = Decision | Meeting

NOTHING = Decision(Action.NOTHING)
WAIT_LOCAL = Decision(Action.WAIT, "what is in the folder could not be seen")
WAIT_REMOTE = Decision(Action.WAIT, "what is in the bucket could not be seen")
LOOK_LOCAL = Decision(Action.LOOK_LOCAL, "its stamps prove nothing")
LOOK_REMOTE = Decision(Action.LOOK_REMOTE, "the object was written since")
COMPARE = Decision(Action.COMPARE, "both sides have it")
RECORD = Decision(Action.RECORD, "equal on both sides")
FORGET = Decision(Action.FORGET, "gone on both sides")
ARCHIVED = Decision(Action.PROBLEM, "the object is archived and cannot be read until it is restored", "archived")

UPLOAD_NEW = Decision(Action.UPLOAD, "new here")
UPLOAD_CHANGE = Decision(Action.UPLOAD, "changed here")
UPLOAD_OVER_DELETION = Decision(Action.UPLOAD, "changed here, deleted there: the change holds")
UPLOAD_BACK = Decision(Action.UPLOAD, "gone there, still here")
UPLOAD_OVER = Decision(Action.UPLOAD, "the folder's version holds", loser=Side.REMOTE)
DOWNLOAD_NEW = Decision(Action.DOWNLOAD, "new there")
DOWNLOAD_CHANGE = Decision(Action.DOWNLOAD, "changed there")
DOWNLOAD_OVER_DELETION = Decision(Action.DOWNLOAD, "changed there, deleted here: the change holds")
DOWNLOAD_BACK = Decision(Action.DOWNLOAD, "gone here, still there")
DOWNLOAD_OVER = Decision(Action.DOWNLOAD, "the bucket's version holds", loser=Side.LOCAL)
DELETE_REMOTE = Decision(Action.DELETE_REMOTE, "deleted here")
DELETE_LOCAL = Decision(Action.DELETE_LOCAL, "deleted there")
DELETE_REMOTE_UNSEEN = Decision(Action.DELETE_REMOTE, "not in the folder", loser=Side.REMOTE)
DELETE_LOCAL_UNSEEN = Decision(Action.DELETE_LOCAL, "not in the bucket", loser=Side.LOCAL)
UPLOAD_OVER_OWN = Decision(Action.UPLOAD, "changed since this folder's own upload, which a kill cut", loser=Side.REMOTE)
KEEP_BOTH = Decision(Action.KEEP_BOTH, "changed on both sides", loser=Side.LOCAL)
KEEP_BOTH_NEWER_HERE = Decision(Action.KEEP_BOTH, "changed on both sides, newer here", loser=Side.REMOTE)
SET_LOCAL_MODE = Decision(Action.SET_LOCAL_MODE, "its mode differs in the bucket")
SET_REMOTE_MODE = Decision(Action.SET_REMOTE_MODE, "its mode was changed here")

# (here, there) -> what follows; SAME on both sides needs no rule. A deletion stands for "carry it over";
# `_without_deletion` says what happens otherwise.
TWO_WAY: Mapping[tuple[Change, Change], Rule] = {
    (Change.NEW, Change.NONE): UPLOAD_NEW,
    (Change.NONE, Change.NEW): DOWNLOAD_NEW,
    (Change.NEW, Change.NEW): Meeting(None),
    (Change.SAME, Change.CHANGED): Meeting(DOWNLOAD_CHANGE),
    (Change.SAME, Change.GONE): DELETE_LOCAL,
    (Change.CHANGED, Change.SAME): UPLOAD_CHANGE,
    (Change.CHANGED, Change.CHANGED): Meeting(None),
    (Change.CHANGED, Change.GONE): UPLOAD_OVER_DELETION,
    (Change.GONE, Change.SAME): DELETE_REMOTE,
    (Change.GONE, Change.CHANGED): DOWNLOAD_OVER_DELETION,
}
PUSH: Mapping[tuple[Change, Change], Rule] = {
    (Change.NEW, Change.NONE): UPLOAD_NEW,
    (Change.NONE, Change.NEW): DELETE_REMOTE_UNSEEN,
    (Change.NEW, Change.NEW): Meeting(UPLOAD_OVER),
    (Change.SAME, Change.CHANGED): Meeting(UPLOAD_OVER),
    (Change.SAME, Change.GONE): UPLOAD_BACK,
    (Change.CHANGED, Change.SAME): UPLOAD_CHANGE,
    (Change.CHANGED, Change.CHANGED): Meeting(UPLOAD_OVER),
    (Change.CHANGED, Change.GONE): UPLOAD_CHANGE,
    (Change.GONE, Change.SAME): DELETE_REMOTE,
    (Change.GONE, Change.CHANGED): DELETE_REMOTE_UNSEEN,
}
PULL: Mapping[tuple[Change, Change], Rule] = {
    (Change.NEW, Change.NONE): DELETE_LOCAL_UNSEEN,
    (Change.NONE, Change.NEW): DOWNLOAD_NEW,
    (Change.NEW, Change.NEW): Meeting(DOWNLOAD_OVER),
    (Change.SAME, Change.CHANGED): Meeting(DOWNLOAD_CHANGE),
    (Change.SAME, Change.GONE): DELETE_LOCAL,
    (Change.CHANGED, Change.SAME): DOWNLOAD_OVER,
    (Change.CHANGED, Change.CHANGED): Meeting(DOWNLOAD_OVER),
    (Change.CHANGED, Change.GONE): DELETE_LOCAL_UNSEEN,
    (Change.GONE, Change.SAME): DOWNLOAD_BACK,
    (Change.GONE, Change.CHANGED): DOWNLOAD_CHANGE,
}
TABLES = {Mode.TWO_WAY: TWO_WAY, Mode.PUSH: PUSH, Mode.PULL: PULL}
