"""Runs of this folder whose uploads may have no row in memory: they were killed, or failed, before it was told.

An object that such a run wrote is the file's past and no other version of it. Only as long as the machine is up: what a
power cut left of a file (nothing, half of it) is older than what was sent, and must not replace it.
"""

from pathlib import Path

from runner.engine.native.memory import Memory

# "Generated once, is constant for the duration of the boot": Documentation/admin-guide/sysctl/kernel.rst (random)
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_KEY = "sessions"  # of memory: the boot id, then the sessions, oldest first
_MOST = 256  # of a worker that is killed again and again: older ones are not asked about


def boot_id() -> str:
    """Empty where the system does not tell: then no session is anybody's."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except (OSError, UnicodeError):
        return ""


def lost(memory: Memory, session: str) -> frozenset[str]:
    """All but this one."""
    return frozenset(_known(memory)) - {session}


def begin(memory: Memory, session: str) -> None:
    """Before its first upload."""
    known = _known(memory)
    if session not in known:
        _remember(memory, [*known, session][-_MOST:])


def end_others(memory: Memory, session: str) -> None:
    """Every path was looked at since: what they uploaded has its row."""
    known = _known(memory)
    left = [name for name in known if name == session]
    if len(left) < len(known):
        _remember(memory, left)


def _known(memory: Memory) -> list[str]:
    """Of this boot."""
    boot, *names = (memory.meta(_KEY) or "").split() or [""]
    return names if boot and boot == boot_id() else []


def _remember(memory: Memory, names: list[str]) -> None:
    memory.set_meta(_KEY, " ".join([boot_id(), *names]))
