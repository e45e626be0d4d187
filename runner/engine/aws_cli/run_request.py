"""What a worker asks the launcher to run. It travels in memory (memfd), because arguments may outgrow a message.

The ticket is a pipe with one byte in it: whoever reads the byte decides. The run's process takes it before its first
step; a worker that has waited too long takes it back and may then start the run elsewhere, never twice.
"""

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass

NOT_WANTED_EXIT_CODE = 125  # of a run's process whose ticket was gone
CANNOT_START_EXIT_CODE = 126


@dataclass(frozen=True, slots=True)
class RunRequest:
    """argv without the program's name. in_folder: the working directory is the folder, else `/`."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    umask: int
    in_folder: bool = False

    def to_fd(self) -> int:
        """A memory file that holds the request; close-on-exec; the caller closes it."""
        fd = os.memfd_create("runner-request")
        with open(fd, "w", encoding="ascii", closefd=False) as file:
            json.dump(
                {
                    "argv": self.argv,
                    "environment": dict(self.environment),
                    "umask": self.umask,
                    "in_folder": self.in_folder,
                },
                file,
            )
        return fd

    @staticmethod
    def from_fd(fd: int) -> "RunRequest":
        """Raises ValueError when it holds anything else than a request."""
        os.lseek(fd, 0, os.SEEK_SET)
        with open(fd, encoding="ascii", closefd=False) as file:
            try:
                data = json.load(file)
                argv = tuple(str(argument) for argument in data["argv"])
                environment = {str(name): str(value) for name, value in data["environment"].items()}
                return RunRequest(argv, environment, int(data["umask"]), bool(data["in_folder"]))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise ValueError(f"not a request for a run: {error}") from None


class Ticket:
    """The worker's end; `fd` goes to the launcher."""

    def __init__(self) -> None:
        self.fd, write_end = os.pipe()
        os.set_blocking(self.fd, False)
        os.write(write_end, b"1")
        os.close(write_end)

    def take_back(self) -> bool:
        """True when the run has not begun and never will."""
        return take_ticket(self.fd)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self.fd)


def take_ticket(fd: int) -> bool:
    """Reads the byte; false when somebody else has. Reading is atomic, and both ends share one pipe."""
    try:
        return os.read(fd, 1) == b"1"
    except OSError:
        return False
