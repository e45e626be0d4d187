"""Why a step is not done now: the file is open for writing, not quiet for long enough, or moved on meanwhile.

Exceptions, because any look at a file may find it so; the pass turns them into problems and times to look again.
"""

from runner.model.problem import Side


class BusyError(Exception):
    """Somebody has the local file open for writing (or mapped writable)."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} is open for writing")
        self.path = path


class NotQuietError(Exception):
    """The kernel cannot say who writes; the file changed less than `quiet_period` ago."""

    def __init__(self, path: str, after_seconds: float) -> None:
        super().__init__(f"{path} was changed a moment ago")
        self.path = path
        self.after_seconds = after_seconds


class MovedOnError(Exception):
    """What is there is no longer what was decided about: look at the path anew. side: where it moved on."""

    def __init__(self, path: str, side: Side) -> None:
        super().__init__(f"{path} changed meanwhile ({side.value})")
        self.path = path
        self.side = side


class StepProblemError(Exception):
    """This path cannot be synced now, for a reason that a person should read; the pass goes on with the others."""

    def __init__(self, side: Side, code: str, reason: str, *, permanent: bool = False) -> None:
        super().__init__(reason)
        self.side = side
        self.code = code
        self.reason = reason
        self.permanent = permanent
