"""The table of safeguards, as data: `safeguards.toml`, one entry each, told once for the runner and for the docs."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

TABLE = Path(__file__).with_name("safeguards.toml")


@dataclass(frozen=True, slots=True)
class Safeguard:
    """removed: what is missing once `old`, which stands exactly once in `file`, has become `new`. tests: that see it;
    the cheapest that do."""

    name: str
    removed: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def without(self, source: str) -> str:
        """The source, sabotaged. Raises LookupError when the entry no longer fits it."""
        if (count := source.count(self.old)) != 1:
            raise LookupError(f"{self.name}: its old text stands {count} times in {self.file}")
        return source.replace(self.old, self.new)


def safeguards() -> tuple[Safeguard, ...]:
    with TABLE.open("rb") as file:
        return tuple(Safeguard(**row | {"tests": tuple(row["tests"])}) for row in tomllib.load(file)["safeguard"])
