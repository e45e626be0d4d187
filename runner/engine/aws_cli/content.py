"""Is this file's content that object's? Proven from the ETag where it is an MD5, else not known.

A plain upload's ETag is the MD5 of its bytes, a multipart upload's the MD5 of its parts' MD5s with the number of parts
(not with SSE-KMS: S3 API reference, "Object", ETag). Never decides what follows from it.
"""

import hashlib
import os
import re

from runner.files.folder import Folder

_PLAIN = re.compile(r"[0-9a-f]{32}")
_PARTS = re.compile(r"[0-9a-f]{32}-(\d{1,5})")
_BLOCK = 1024 * 1024
_PART_BYTES = (8 << 20, 16 << 20, 64 << 20)  # the AWS CLI's default first; it doubles for files over 80 GB


def matches(folder: Folder, path: str, size: int, etag: str) -> bool | None:
    """True or False where the ETag tells, None where it cannot. Reads the whole file. Raises OSError."""
    if _PLAIN.fullmatch(etag):
        return _md5(folder, path) == etag
    parts = _PARTS.fullmatch(etag)
    if not parts:
        return None
    fitting = [part for part in _PART_BYTES if -(-size // part) == int(parts[1])]
    found = any(_multipart_etag(folder, path, part) == etag for part in fitting)
    return True if found else None


def _md5(folder: Folder, path: str) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    fd = open_for_reading(folder, path)
    try:
        while block := os.read(fd, _BLOCK):
            digest.update(block)
    finally:
        os.close(fd)
    return digest.hexdigest()


def _multipart_etag(folder: Folder, path: str, part_bytes: int) -> str:
    whole = hashlib.md5(usedforsecurity=False)
    count = 0
    fd = open_for_reading(folder, path)
    try:
        part, left = hashlib.md5(usedforsecurity=False), part_bytes
        while block := os.read(fd, min(_BLOCK, left)):
            part.update(block)
            left -= len(block)
            if left == 0:
                whole.update(part.digest())
                count, part, left = count + 1, hashlib.md5(usedforsecurity=False), part_bytes
        if left < part_bytes:
            whole.update(part.digest())
            count += 1
    finally:
        os.close(fd)
    return f"{whole.hexdigest()}-{count}"


def open_for_reading(folder: Folder, path: str) -> int:
    """A descriptor of the file that the CLI would read under this name: links on the way are followed, FIFOs never
    waited for. The scan has proven where links lead. Raises OSError."""
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC, dir_fd=folder.fd)
