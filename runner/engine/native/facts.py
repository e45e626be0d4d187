"""What is known of one path on each side, and what was known when both sides were last equal. Facts only.

`None` is absence that was proven; UNKNOWN is everything that could not be looked at. The two never mix (design
principle 1).
"""

from enum import Enum, StrEnum
from typing import Final, Literal, NamedTuple


class Kind(StrEnum):
    """What a path is, on either side. A link's content is its target; a folder is one that holds nothing else."""

    FILE = "file"
    LINK = "link"
    FOLDER = "folder"


class Unknown(Enum):
    UNKNOWN = "unknown"


UNKNOWN: Final = Unknown.UNKNOWN


class Local(NamedTuple):
    """A path in the folder. Sizes in bytes, times in nanoseconds; mode is the whole st_mode.

    target: of a link, else "". sha256: hex, of the content; "" while nobody has read it.
    """

    kind: Kind
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    mode: int
    target: str = ""
    sha256: str = ""


class Remote(NamedTuple):
    """An object. key: whole, with the prefix. modified: LastModified, seconds since the epoch.

    looked: its metadata was read (HEAD); until then mode, mtime_ns and sha256 say nothing. sha256: hex, "" when the
    object does not carry one. kind is FILE until a look tells that it is a link; a placeholder's key shows it.
    storage_class: as listed; the x-amz-archive-status of an INTELLIGENT_TIERING object where a look saw one. restored:
    a look saw that an archived object can be read for now (x-amz-restore: ongoing-request="false").
    md5_etag: a look saw that a plain ETag of this object is the MD5 of its content (`equality.etag_is_md5`).
    session: of the runner that wrote it, as a look saw it; "" where none says so (`store.write_token`).
    """

    kind: Kind
    key: str
    size: int
    etag: str
    modified: float
    storage_class: str = "STANDARD"
    looked: bool = False
    mode: int | None = None
    mtime_ns: int | None = None
    sha256: str = ""
    restored: bool = False
    md5_etag: bool = False
    session: str = ""


class Base(NamedTuple):
    """A path when both sides were last equal: memory's row. Local stamps, the content's hash, the object's version.

    racy: the file was read so soon after its last change that its stamps prove nothing, or somebody had it open: read
    it again. mode: the file's permission bits when it was recorded (0 for links and folders). sha256 of a link: of its
    target. modified: 0 where the answer to our own write did not tell it.
    """

    kind: Kind
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    mode: int
    sha256: str
    key: str
    etag: str
    remote_size: int
    modified: float
    racy: bool = False


LocalSide = Local | None | Literal[Unknown.UNKNOWN]
RemoteSide = Remote | None | Literal[Unknown.UNKNOWN]
