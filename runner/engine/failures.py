"""What went wrong outside, as the end of a pass: one sentence, and whether trying again can help. Both engines."""

import errno
import os
import sqlite3

from runner.engine.memory_file import MemoryCorruptError
from runner.engine.outcomes import PassFailedError
from runner.model.errors import PermanentFailureError
from runner.model.passes import Outcome, PassReport, Scope

_DISK = {
    errno.ENOSPC: "the disk is full: make room",
    errno.EDQUOT: "the disk quota is used up: make room",
    errno.EROFS: "the file system is read-only: mount it writable",
    errno.EIO: "the file system fails (I/O error): see the system's log",
    errno.EACCES: "permission denied: see the owner of the folder",
    errno.ENOTCONN: "the file system is not connected (any more)",
    errno.ESTALE: "the file system's server has forgotten the folder (stale handle)",
}


def failed(error: Exception, scope: Scope = Scope.FULL) -> PassReport:
    """The report of a pass that this error ended."""
    if isinstance(error, PassFailedError):
        return PassReport(Outcome.FAILED, error.message, retry=error.retry, permanent=error.permanent, scope=scope)
    if isinstance(error, sqlite3.Error | MemoryCorruptError):
        return PassReport(Outcome.FAILED, f"the memory cannot be used: {error}", retry=True, scope=scope)
    if isinstance(error, OSError):
        return PassReport(Outcome.FAILED, sentence(error), retry=True, scope=scope)
    permanent = isinstance(error, PermanentFailureError) or getattr(error, "permanent", False) is True
    return PassReport(Outcome.FAILED, str(error), retry=not permanent, permanent=permanent, scope=scope)


def sentence(error: OSError) -> str:
    """One line for a person."""
    known = _DISK.get(error.errno or 0)
    name = f" ({os.fsdecode(error.filename)!r})" if isinstance(error.filename, str | bytes) else ""
    return f"{known}{name}" if known else f"{error.strerror or error}{name}"
