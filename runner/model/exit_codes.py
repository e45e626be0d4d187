"""Exit codes of the command (docs/signals-and-exit-codes.md)."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a script can rely on; fixed by the public contract."""

    OK = 0
    FAILED = 1  # a pass or pair failed, or a difference was found
    USAGE = 2
    HALTED = 3  # a brake halted a pair: a person is needed
    NOT_HYDRATED = 69
    SOFTWARE = 70  # a mistake of ours; the traceback is in the log
    UNPUSHED = 75  # ended with something left unpushed
    CONFIG = 78
    NOT_EXECUTABLE = 126  # `exec`: as shells say it
    NOT_FOUND = 127
    INTERRUPTED = 130
    TERMINATED = 143
