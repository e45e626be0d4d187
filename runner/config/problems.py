"""What is wrong with a config, as data and as the lines a person reads: `FILE:LINE: path.to.key: what; allowed`."""

from collections.abc import Iterable
from dataclasses import dataclass

from runner.model.errors import UserError
from runner.model.exit_codes import ExitCode

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, order=True)
class ConfigProblem:
    """line: counted from 1; 0 where there is no line (flags, environment, a missing file). key: as `pairs[1].mode`."""

    line: int
    key: str
    message: str


class ConfigError(UserError):
    """A config that cannot be used. source: the file as the person named it, or `environment`, `command line`."""

    def __init__(self, source: str, problems: Iterable[ConfigProblem]) -> None:
        self.source = source
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(map(self._line, self.problems)), exit_code=ExitCode.CONFIG)

    def _line(self, problem: ConfigProblem) -> str:
        where = f"{self.source}:{problem.line}" if problem.line else self.source
        return ": ".join(part for part in (where, problem.key, problem.message) if part)


def key_text(path: KeyPath) -> str:
    """("pairs", 1, "mode") -> `pairs[1].mode`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
