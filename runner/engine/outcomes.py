"""The three ways a pass ends early, as exceptions that both engines raise and turn into a PassReport."""

from runner.model.passes import Halt


class PassStoppedError(Exception):
    """should_stop became true between two steps."""


class PassHaltedError(Exception):
    """A brake; nothing has been changed."""

    def __init__(self, halt: Halt) -> None:
        super().__init__(halt.reason)
        self.halt = halt


class PassFailedError(Exception):
    """The pass cannot go on. retry: it may go well later. permanent: not before a person has changed something."""

    def __init__(self, message: str, *, retry: bool = True, permanent: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.retry = retry
        self.permanent = permanent
