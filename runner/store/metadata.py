"""A file's mode, times and content hash as object metadata: what we write, and every dialect we read.

Sources: AWS DataSync and FSx for Lustre ("POSIX metadata support"), rclone's s3 backend (`mtime`, -M), s3fs-fuse
(src/metaheader.cpp), mobius3, mc and s3cmd (`*-attrs`). Metadata comes from strangers: nonsense is None, never an
error, and setuid, setgid and sticky bits are never restored.
"""

import stat
from collections.abc import Mapping
from dataclasses import dataclass

TOKEN = "runner-token"  # noqa: S105 (the name of a metadata key)


@dataclass(frozen=True, slots=True)
class FileMetadata:
    """mode: whole st_mode, or permission bits alone when no type was told. sha256: lower-case hex, "" when untold."""

    mode: int | None = None
    mtime_ns: int | None = None
    uid: int | None = None
    gid: int | None = None
    sha256: str = ""
    token: str = ""

    @property
    def is_link(self) -> bool:
        return self.mode is not None and stat.S_ISLNK(self.mode)

    @property
    def is_folder(self) -> bool:
        return self.mode is not None and stat.S_ISDIR(self.mode)


def written(*, mode: int, mtime_ns: int, sha256: str) -> dict[str, str]:
    """The metadata of an upload. mode: st_mode with its type; sha256: hex, or "" to leave it out."""
    seconds, nanoseconds = divmod(mtime_ns, 1_000_000_000)
    found = {
        "file-mtime": f"{mtime_ns}ns",
        "file-permissions": f"{stat.S_IFMT(mode) | mode & 0o777:07o}",
        "mtime": f"{seconds}.{nanoseconds:09d}",
    }
    return found | {"sha256": sha256} if sha256 else found


def parse(metadata: Mapping[str, str]) -> FileMetadata:
    """What the metadata (names without `x-amz-meta-`) tells of the file. Never raises."""
    return FileMetadata(token=metadata.get(TOKEN, ""))
