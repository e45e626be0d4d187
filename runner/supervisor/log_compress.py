"""Compresses one rotated log file in a process of its own, as politely as it can; run by its path, imports only Python.

Killed in the middle it leaves the file and a `.part` that the next try overwrites: no line is lost, none twice.
"""

import contextlib
import gzip
import os
import shutil
import sys
from pathlib import Path

PART = ".part"
DONE = ".gz"


def argv(path: Path) -> list[str]:
    """The command line that compresses a file; isolated mode: nothing of the environment can change what it runs."""
    return [sys.executable, "-I", os.path.realpath(__file__), str(path)]


def compress(path: Path) -> None:
    """`path` becomes `path.gz` with the same mode; raises OSError and leaves `path` when that fails."""
    part = Path(f"{path}{DONE}{PART}")
    try:
        with path.open("rb") as source:
            mode = os.fstat(source.fileno()).st_mode & 0o777
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
            with os.fdopen(descriptor, "wb") as target:
                with gzip.GzipFile(filename="", mode="wb", fileobj=target, compresslevel=6) as packed:
                    shutil.copyfileobj(source, packed, 256 * 1024)
                target.flush()
                os.fsync(target.fileno())
        part.rename(f"{path}{DONE}")
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
    path.unlink()


def main() -> int:
    """Exit 0, or 1 when the file could not be compressed (it stays as it is)."""
    with contextlib.suppress(OSError):
        os.nice(19)
    try:
        compress(Path(sys.argv[1]))
    except OSError:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
