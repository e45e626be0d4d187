"""In which order a pair is given up."""

from typing import Any

from runner.files.lock import Holder
from runner.worker.possession import Possession


class Closed:
    """Writes its end down."""

    def __init__(self, name: str, journal: list[str]) -> None:
        self.name, self.journal = name, journal

    def close(self) -> None:
        self.journal.append(self.name)


def test_lock_is_given_up_only_when_memory_is_closed() -> None:
    """A runner in standby takes over in that moment: whoever still wrote into memory would write into his."""
    journal: list[str] = []
    things: dict[str, Any] = {name: Closed(name, journal) for name in ("folder", "private", "lock", "engine")}
    things["me"] = Holder("host", 7, 0.0)
    Possession(**things).close()
    assert journal == ["engine", "lock", "private", "folder"]
