"""The program that `exec` runs: found as a shell finds it, so that a mistyped name is told before hours of hydration.

Starts nothing. A program inside a pair's folder may come with the hydration: it is looked for when it is wanted.
"""

import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from runner.model.errors import UserError
from runner.model.exit_codes import ExitCode
from runner.model.names import printable

_DEFAULT_PATH = "/usr/local/bin:/bin:/usr/bin"


@dataclass(frozen=True, slots=True)
class Program:
    """argv: as typed. path: PATH of the environment, in which a name without a slash is looked for."""

    argv: tuple[str, ...]
    path: str

    @classmethod
    def typed(cls, argv: tuple[str, ...], environment: Mapping[str, str]) -> "Program":
        return cls(argv, environment.get("PATH", _DEFAULT_PATH))

    @property
    def name(self) -> str:
        return printable(self.argv[0])

    def places(self) -> tuple[str, ...]:
        """Where it may be, in order (execvp(3); an empty part of PATH is the working directory)."""
        typed = self.argv[0]
        if "/" in typed or not typed:
            return (typed,)
        return tuple(os.path.join(directory or ".", typed) for directory in self.path.split(os.pathsep))

    def locate(self) -> str:
        """The file to execute. Raises UserError with 127 (there is none) or 126 (it cannot be executed)."""
        refused = ""
        for place in self.places():
            why = _why_not(place)
            if why is None:
                return place
            refused = refused or why
        if refused:
            raise UserError(f"{self.name}: {refused}", "chmod +x it, or name another program", ExitCode.NOT_EXECUTABLE)
        where = "" if "/" in self.argv[0] else " in PATH"
        raise UserError(f"{self.name}: there is no such program{where}", "", ExitCode.NOT_FOUND)

    def may_arrive(self, folders: Iterable[Path]) -> bool:
        """One of its places lies below a pair's folder."""
        below = [f"{os.path.realpath(folder).rstrip('/')}/" for folder in folders]
        real = [os.path.realpath(place) for place in self.places()]
        return any(place.startswith(root) for place in real for root in below)


def _why_not(place: str) -> str | None:
    """None: it can be executed. "": there is nothing. Else why it cannot be."""
    try:
        mode = os.stat(place).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)
    if stat.S_ISDIR(mode):
        return "is a directory"
    if not stat.S_ISREG(mode):
        return "is no regular file"
    return None if os.access(place, os.X_OK, effective_ids=True) else "is not executable for this user"
