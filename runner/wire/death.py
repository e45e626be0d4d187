"""What a child arranges with the kernel about its parent's death, and who inherits its orphans (prctl(2)).

Prepared at import, so that between fork and exec nothing is looked up or loaded. Never decides who dies: it only arms.
On other systems than Linux these calls do nothing; the caller's own end-of-file checks remain.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36

_LINUX = sys.platform == "linux"
_libc = ctypes.CDLL(None, use_errno=True)
if _LINUX:
    _libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    _libc.prctl.restype = ctypes.c_int


def _prctl(option: int, value: int) -> None:
    if not _LINUX:
        return
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def arm_parent_death_signal(expected_parent_pid: int, number: int = signal.SIGKILL) -> None:
    """This signal for this process as soon as its parent dies; ends at once when the parent is dead already.

    Call it first thing after the fork, with the parent's pid taken before the fork: the signal is not sent for a death
    that happened earlier, so getppid is compared afterwards. The parent is the *thread* that forked (prctl(2)): fork
    from a thread that lives as long as its process. Cleared in the child of a fork, and by exec of a set-uid program:
    each level arms its own. Raises OSError.
    """
    _prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != expected_parent_pid:
        os._exit(1)


def become_subreaper() -> None:
    """Orphaned descendants are handed to this process instead of PID 1; it must wait for them. Raises OSError."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def hide_memory() -> None:
    """No core dump and no ptrace by the same user, for a process that holds credentials.

    The price: /proc/PID of it belongs to root, so a supervisor without root cannot read its PSS. Raises OSError.
    """
    _prctl(_PR_SET_DUMPABLE, 0)
