"""`max_concurrent_passes`: who may scan and list now. First come, first served; knows names only. Pure."""

from collections import deque


class Slots:
    """Granting twice is granting once; releasing what one does not hold is nothing."""

    def __init__(self, limit: int) -> None:
        self._limit = max(1, limit)
        self._holders: set[str] = set()
        self._waiting: deque[str] = deque()

    def request(self, name: str) -> bool:
        """True: the slot is granted now. False: wait, a later `release` names you."""
        if name in self._holders:
            return True
        if len(self._holders) < self._limit and not self._waiting:
            self._holders.add(name)
            return True
        if name not in self._waiting:
            self._waiting.append(name)
        return False

    def release(self, name: str) -> list[str]:
        """The pass needs no slot any more, or its worker is dead. Returns who is granted one now."""
        self._holders.discard(name)
        if name in self._waiting:
            self._waiting.remove(name)
        return self._grant()

    def resize(self, limit: int) -> list[str]:
        """After a reload; nobody loses a slot. Returns who is granted one now."""
        self._limit = max(1, limit)
        return self._grant()

    @property
    def waiting(self) -> tuple[str, ...]:
        return tuple(self._waiting)

    def _grant(self) -> list[str]:
        granted = []
        while self._waiting and len(self._holders) < self._limit:
            granted.append(self._waiting.popleft())
            self._holders.add(granted[-1])
        return granted


def default_limit(cpus: int | None) -> int:
    """max(4, 2 x CPUs)."""
    return max(4, 2 * (cpus or 1))
