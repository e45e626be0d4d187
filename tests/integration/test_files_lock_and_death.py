"""Locks that outlive their taker, and processes that do not outlive their parent: real forks, real SIGKILL."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from runner.files.lock import Holder, PairLock, try_lock

ME = Holder("here", os.getpid(), 0.0)

TAKER = """
import os, subprocess, sys
from pathlib import Path
from runner.files.lock import Holder, PairLock, try_lock
lock = try_lock(Path(sys.argv[1]), Holder("taker", os.getpid(), 1.0))
assert isinstance(lock, PairLock)
run = subprocess.Popen(["sleep", "300"], pass_fds=[lock.fd], stdout=subprocess.DEVNULL)
print(run.pid, flush=True)
sys.stdin.read()
"""

PARENT = """
import os, sys, time
from runner.wire.death import arm_parent_death_signal
parent = os.getpid()
child = os.fork()
if child == 0:
    arm_parent_death_signal(parent)
    print(os.getpid(), flush=True)
    time.sleep(60)  # nothing but the signal ends it
sys.stdin.read()
"""

ORPHAN = """
import os, sys
from runner.wire.death import arm_parent_death_signal
arm_parent_death_signal(1 if os.getppid() != 1 else 2)
print("alive", flush=True)
"""

REAPER = """
import os, subprocess, sys
from runner.wire.death import become_subreaper, hide_memory
become_subreaper()
hide_memory()
middle = subprocess.Popen(["sh", "-c", "sleep 0.01 & exit 3"])
assert middle.wait() == 3
pid, status = os.waitpid(-1, 0)
print(status, flush=True)
"""


def started(script: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def ended(pid: int) -> bool:
    """Waits (at most some seconds) for the end of a process that is no child of ours."""
    import select

    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], 10)[0])
    finally:
        os.close(fd)


def finish(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_lock_lives_until_worker_and_run_are_both_dead(tmp_path: Path) -> None:
    taker = started(TAKER, str(tmp_path))
    run_pid = int(first_line(taker))
    assert try_lock(tmp_path, ME) == Holder("taker", taker.pid, 1.0)
    finish(taker)
    assert isinstance(try_lock(tmp_path, ME), Holder)  # the run still writes
    os.kill(run_pid, signal.SIGKILL)
    assert ended(run_pid)
    lock = try_lock(tmp_path, ME)
    assert isinstance(lock, PairLock)
    lock.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="LOUD SKIP: mounting needs root")
def test_lock_holds_for_who_comes_by_another_mount_of_the_same_folder(tmp_path: Path) -> None:
    folder, other = tmp_path / "folder", tmp_path / "other"
    for place in (folder, other):
        place.mkdir()
    if subprocess.run(["mount", "--bind", folder, other], check=False, capture_output=True).returncode:
        pytest.skip("LOUD SKIP: mounting is not allowed here")
    try:
        lock = try_lock(folder, ME)
        assert isinstance(lock, PairLock)
        assert try_lock(other, ME) == ME
        lock.close()
        lock = try_lock(other, ME)
        assert isinstance(lock, PairLock)
        assert isinstance(try_lock(folder, ME), Holder)
        lock.close()
    finally:
        subprocess.run(["umount", "-l", other], check=True)


def test_lock_of_a_frozen_holder_is_held_as_long_as_it_lives(tmp_path: Path) -> None:
    taker = started(TAKER, str(tmp_path))
    run_pid = int(first_line(taker))
    for pid in (taker.pid, run_pid):
        os.kill(pid, signal.SIGSTOP)
    assert isinstance(try_lock(tmp_path, ME), Holder)
    finish(taker)
    os.kill(run_pid, signal.SIGKILL)
    assert ended(run_pid)
    lock = try_lock(tmp_path, ME)
    assert isinstance(lock, PairLock)
    lock.close()


def test_parent_death_kill_takes_the_child_along() -> None:
    parent = started(PARENT)
    child = int(first_line(parent))
    parent.kill()
    parent.wait()
    try:
        assert ended(child)
    finally:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        parent.communicate()


def test_parent_dead_before_arming_ends_the_child_at_once() -> None:
    orphan = started(ORPHAN)
    assert first_line(orphan) == ""
    orphan.communicate()
    assert orphan.returncode == 1


@pytest.mark.skipif(sys.platform != "linux", reason="LOUD SKIP: prctl is Linux's")
def test_subreaper_inherits_orphans() -> None:
    reaper = started(REAPER)
    assert first_line(reaper) == "0"
    reaper.communicate()
    assert reaper.returncode == 0
