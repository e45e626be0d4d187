"""A path as memory, folder and bucket may know it: what the tests of native deciding start from."""

from runner.engine.native.facts import Base, Kind, Local, Remote

A, B, C = "a" * 64, "b" * 64, "c" * 64
SECOND = 1_000_000_000

BASE = Base(Kind.FILE, 5, 100 * SECOND, 100 * SECOND, 7, 0o644, A, "k", "etag-a", 5, 200.0)
LOCAL = Local(Kind.FILE, 5, 100 * SECOND, 100 * SECOND, 7, 0o100644)  # as BASE
REMOTE = Remote(Kind.FILE, "k", 5, "etag-a", 200.0)  # as BASE
TOUCHED = LOCAL._replace(mtime_ns=101 * SECOND)
EDITED = TOUCHED._replace(sha256=B)
GROWN = TOUCHED._replace(size=6)
REWRITTEN = REMOTE._replace(etag="etag-b", modified=201.0)
LONGER = REWRITTEN._replace(size=7)
MOVED = REMOTE._replace(modified=201.0)
FOLDER_HERE = Local(Kind.FOLDER, 0, 1, 1, 9, 0o40755)
FOLDER_THERE = Remote(Kind.FOLDER, "k/.s3_index", 0, "etag-0", 100.0)
FOLDER_BASE = Base(Kind.FOLDER, 0, 1, 1, 9, 0, "", "k/.s3_index", "etag-0", 0, 100.0)


def looked(
    remote: Remote,
    mode: int | None = None,
    mtime_ns: int | None = None,
    sha256: str = "",
    kind: Kind = Kind.FILE,
    modified: float | None = None,
) -> Remote:
    """After a HEAD that found this."""
    time = remote.modified if modified is None else modified
    return remote._replace(looked=True, mode=mode, mtime_ns=mtime_ns, sha256=sha256, kind=kind, modified=time)
