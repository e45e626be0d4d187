"""Runs of this folder whose uploads may have no row in memory: they were killed, or failed, before it was told.

An object that such a run wrote is the file's past and no other version of it. Only as long as the machine is up: what a
power cut left of a file (nothing, half of it) is older than what was sent, and must not replace it.
"""

from pathlib import Path

from runner.engine.native.memory import Memory

# "Generated once, is constant for the duration of the boot": Documentation/admin-guide/sysctl/kernel.rst (random)
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_KNOWN = "sessions"
_MOST = 8  # of a worker that is killed again and again: older ones are not asked about


def boot_id() -> str:
    """ "" where the system does not tell: then no session is anybody's."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except (OSError, UnicodeError):
        return ""


def lost(memory: Memory, session: str) -> frozenset[str]:
    """All but this one."""
    boot = boot_id()
    found = (entry.partition("@") for entry in _known(memory))
    return frozenset(name for name, _at, where in found if boot and where == boot and name != session)


def begin(memory: Memory, session: str) -> None:
    """Before its first upload."""
    known, entry = _known(memory), f"{session}@{boot_id()}"
    if entry not in known:
        memory.set_meta(_KNOWN, " ".join((*known, entry)[-_MOST:]))


def end_others(memory: Memory, session: str) -> None:
    """Every path was looked at since: what they uploaded has its row."""
    known = _known(memory)
    left = [entry for entry in known if entry.startswith(f"{session}@")]
    if len(left) < len(known):
        memory.set_meta(_KNOWN, " ".join(left))


def _known(memory: Memory) -> tuple[str, ...]:
    return tuple((memory.meta(_KNOWN) or "").split())
