"""Errors that are for the person who must act: one line, no traceback. Anything else is a mistake of ours."""

from runner.model.exit_codes import ExitCode


class UserError(Exception):
    """A mistake or a state of the world that a person can change.

    message: what, where and why, one line. hint: what to do, one line, may be empty.
    """

    def __init__(self, message: str, hint: str = "", exit_code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class PermanentFailureError(UserError):
    """Retrying cannot help until something outside changes (no `aws`, unreadable credentials file).

    The worker leaves with it; the supervisor shows the pair as `failed` at once and looks again from time to time.
    """
