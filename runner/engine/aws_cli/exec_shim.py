"""`python -I -S exec_shim.py PARENT FOLDER LOCK PROGRAM ARGS...`: dies with its parent, then becomes PROGRAM.

For a run that the worker starts itself: the worker has threads, so between its fork and exec no Python may run. A
program that is only asked for its version gets `-` for folder and lock. This file imports nothing of ours, because it
runs without site-packages.

It is started in a group of its own in the parent's session, and begins its own session only when it is bound to die
with the parent. Until then the kernel ends it even if it is frozen: the parent's death leaves its group orphaned, and a
stopped member of such a group gets HUP and CONT (POSIX, _exit(), "consequences of process termination").
"""

import contextlib
import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_FOLDER_FD, _LOCK_FD = 100, 101  # those of argv.py
_CANNOT_START = 126


def main(arguments: list[str]) -> int:
    parent, folder, lock, *command = arguments
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(parent):
        return 1
    os.setpgid(0, os.getpgid(int(parent)))  # a group's leader cannot begin a session
    os.setsid()
    for given, number in ((folder, _FOLDER_FD), (lock, _LOCK_FD)):
        if given != "-":
            os.dup2(int(given), number, inheritable=True)
            os.close(int(given))
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:  # Python or `nohup` may have changed them
        with contextlib.suppress(OSError):  # those that libc keeps for itself
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    try:
        os.execv(command[0], command)
    except OSError as error:
        os.write(2, f"{error.strerror}: {command[0]}\n".encode("utf-8", "surrogateescape"))
    return _CANNOT_START


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))
