"""What users wrote, and what they replaced or deleted knowing what it was. The rest must be somewhere in the end (V1).

An operation is in the ledger before it is done: a kill or a look in between meets no value that is unknown. Holds and
compares; touches nothing.
"""

import threading
from collections.abc import Iterable, Mapping

from tests.bench.values import Content


class Ledger:
    """Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._written: dict[Content, str] = {}
        self._gone: dict[Content, str] = {}

    def __len__(self) -> int:
        return len(self._written)

    def writes(self, content: Content, by: str) -> None:
        with self._lock:
            self._written[content] = by

    def replaced(self, content: Content | None, by: str) -> None:
        """Content that a user saw and then overwrote or deleted."""
        if content:
            with self._lock:
                self._gone[content] = by

    def lost(self, found: Iterable[Content | None]) -> list[str]:
        """V1: values that are nowhere and that nobody gave up."""
        there = set(found)
        left = self._written.keys() - there - self._gone.keys()
        return sorted(f"V1 lost: {'+'.join(content)} ({self._written[content]})" for content in left)

    def invented(self, found: Mapping[str, Content | None]) -> list[str]:
        """V2: by place, what no user ever wrote as a whole."""
        wrong = {where: content for where, content in found.items() if content not in self._written}
        return sorted(f"V2 {'torn' if content is None else 'invented'}: {where} {content or ''}"
                      for where, content in wrong.items())  # fmt: skip
