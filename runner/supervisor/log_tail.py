"""The last lines in memory, for `runner logs` with no log file at all. Bounded in lines and in characters."""

from collections import deque

PAIR_LINES = 200
PAIR_CHARACTERS = 64 * 1024
ALL_LINES = 1000
ALL_CHARACTERS = 512 * 1024


class _Ring:
    def __init__(self, lines: int, characters: int) -> None:
        self._lines: deque[str] = deque()
        self._most_lines = lines
        self._most_characters = characters
        self._characters = 0

    def add(self, line: str) -> None:
        self._lines.append(line)
        self._characters += len(line)
        while len(self._lines) > self._most_lines or self._characters > self._most_characters:
            self._characters -= len(self._lines.popleft())

    def last(self, count: int) -> list[str]:
        return list(self._lines)[-count:] if count > 0 else []


class Tail:
    """Keeps the runner's last lines (all pairs mixed) and each pair's own."""

    def __init__(self) -> None:
        self._all = _Ring(ALL_LINES, ALL_CHARACTERS)
        self._pairs: dict[str, _Ring] = {}

    def add(self, pair: str | None, line: str) -> None:
        self._all.add(line)
        if pair is not None:
            if pair not in self._pairs:
                self._pairs[pair] = _Ring(PAIR_LINES, PAIR_CHARACTERS)
            self._pairs[pair].add(line)

    def last(self, pair: str | None, count: int) -> list[str]:
        """Oldest first; empty for a pair that has said nothing."""
        ring = self._all if pair is None else self._pairs.get(pair)
        return ring.last(count) if ring else []

    def forget(self, pair: str) -> None:
        self._pairs.pop(pair, None)
