"""A file's mode, times and content hash as object metadata: what we write, and every dialect we read.

Sources: AWS DataSync and FSx for Lustre ("POSIX metadata support"), rclone's s3 backend (`mtime`, -M), s3fs-fuse
(src/metaheader.cpp), mobius3, mc and s3cmd (`*-attrs`). Metadata comes from strangers: nonsense is None, never an
error, and setuid, setgid and sticky bits are never restored.
"""

import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass

from runner.store.write_token import TOKEN

_SECOND = 1_000_000_000
_TIMES = 1 << 63  # nanoseconds beyond it fit neither a file system nor SQLite
_IDS = (1 << 32) - 1  # (uid_t)-1 means "leave as it is" (chown(2))
_TYPES = frozenset({stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK})

_SHA256 = re.compile(r"[0-9a-f]{64}")
_OCTAL = re.compile(r"[0-7]{1,8}")
_DECIMAL = re.compile(r"[0-9]{1,10}")
_FILE_MTIME = re.compile(r"(-?[0-9]{1,20})(ns)?")
_SECONDS = re.compile(r"(-?)([0-9]{1,12})(?:\.([0-9]{1,30}))?")
_ATTRS_TIME = re.compile(r"([0-9]{1,12})(?:#([0-9]{1,9}))?")


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
    seconds, nanoseconds = divmod(abs(mtime_ns), _SECOND)
    found = {
        "file-mtime": f"{mtime_ns}ns",
        "file-permissions": f"{stat.S_IFMT(mode) | mode & 0o777:07o}",
        # nine digits: rclone reads a fraction, s3fs a count of nanoseconds, and both come to the same
        "mtime": f"{'-' * (mtime_ns < 0)}{seconds}.{nanoseconds:09d}",
    }
    return found | {"sha256": sha256} if sha256 else found


def parse(metadata: Mapping[str, str]) -> FileMetadata:
    """What the metadata (names without `x-amz-meta-`) tells of the file. Never raises.

    Of several dialects in one object the most exact one holds, each fact for itself: ours and DataSync's, then
    rclone's and s3fs's, then mc's and s3cmd's.
    """
    told = {name.lower(): value.strip() for name, value in metadata.items()}
    attrs = _attrs(told.get("mc-attrs", "") or told.get("s3cmd-attrs", ""))
    sha256 = told.get("sha256", "").lower()
    return FileMetadata(
        mode=_first(_octal(told.get("file-permissions")), _mode(told.get("mode")), _mode(attrs.get("mode"))),
        mtime_ns=_first(_file_mtime(told.get("file-mtime")), _mtime(told), _attrs_mtime(attrs.get("mtime"))),
        uid=_first(_id(told.get("file-owner")), _id(told.get("uid")), _id(attrs.get("uid"))),
        gid=_first(_id(told.get("file-group")), _id(told.get("gid")), _id(attrs.get("gid"))),
        sha256=sha256 if _SHA256.fullmatch(sha256) else "",
        token=metadata.get(TOKEN, ""),
    )


def _first(*found: int | None) -> int | None:
    return next((one for one in found if one is not None), None)


def _attrs(text: str) -> dict[str, str]:
    """`atime:S#NS/gid:N/mode:33188/...` of `mc -a` and s3cmd."""
    fields = (field.partition(":") for field in text.split("/"))
    return {name: value for name, colon, value in fields if colon}


# ── modes ──


def _octal(text: str | None) -> int | None:
    """`0100644`, `100755` or a bare `0755`."""
    return _kept(int(text, 8)) if text and _OCTAL.fullmatch(text) else None


def _mode(text: str | None) -> int | None:
    """The key `mode`: octal text of rclone (`100644`), decimal st_mode of s3fs, mobius3 and mc (`33188`)."""
    if not text or not _DECIMAL.fullmatch(text):
        return None
    if text.startswith("0"):
        return _octal(text)
    decimal = int(text)
    octal = int(text, 8) if _OCTAL.fullmatch(text) else -1
    if _has_type(decimal) or (not _has_type(octal) and 0 <= decimal <= 0o777):
        return _kept(decimal)
    return _kept(octal)  # `100644`; also a bare `755`, which is no permission bits when read as decimal


def _has_type(mode: int) -> bool:
    return 0 <= mode <= 0o177777 and stat.S_IFMT(mode) in _TYPES


def _kept(mode: int) -> int | None:
    """Type and permission bits; no setuid, setgid, sticky; None for devices, pipes and what is no mode at all."""
    if _has_type(mode) or 0 <= mode <= 0o7777:
        return stat.S_IFMT(mode) | mode & 0o777
    return None


# ── times ──


def _file_mtime(text: str | None) -> int | None:
    """Nanoseconds with the suffix `ns`, else milliseconds (FSx for Lustre)."""
    match = _FILE_MTIME.fullmatch(text or "")
    if match is None:
        return None
    return _time(int(match[1]) if match[2] else int(match[1]) * 1_000_000)


def _mtime(told: Mapping[str, str]) -> int | None:
    """Seconds with a fraction (rclone, mobius3); s3fs, known by its `ctime`, counts nanoseconds after the dot."""
    match = _SECONDS.fullmatch(told.get("mtime", ""))
    if match is None:
        return None
    sign, seconds, fraction = match[1], int(match[2]), match[3] or "0"
    counts = "ctime" in told and len(fraction) <= 9
    time = seconds * _SECOND + int(fraction if counts else fraction[:9].ljust(9, "0"))
    return _time(-time if sign else time)


def _attrs_mtime(text: str | None) -> int | None:
    match = _ATTRS_TIME.fullmatch(text or "")
    return _time(int(match[1]) * _SECOND + int(match[2] or 0)) if match else None


def _time(nanoseconds: int) -> int | None:
    return nanoseconds if -_TIMES <= nanoseconds < _TIMES else None


def _id(text: str | None) -> int | None:
    return int(text) if text and _DECIMAL.fullmatch(text) and int(text) < _IDS else None
