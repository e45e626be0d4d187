"""Which engine a pair gets. The only place that knows the engines by name."""

from collections.abc import Iterator

from runner.config.settings import EngineName, Mode
from runner.engine.interface import Engine, Finding, Surroundings
from runner.files.folder import Folder
from runner.files.private import Private
from runner.model.errors import PermanentFailureError


def create_engine(surroundings: Surroundings, folder: Folder, private: Private, lock_fd: int) -> Engine:
    """The engine of the pair, ready for its first pass. lock_fd: the pair's held lock, for the runs to inherit.

    Raises PermanentFailureError for a pair that this version cannot run.
    """
    pair = surroundings.pair
    if pair.mode is Mode.TWO_WAY:
        raise PermanentFailureError(
            f"pair {pair.name}: mode two-way is not in this version yet", "use mode push or pull with engine aws-cli"
        )
    if pair.engine is not EngineName.AWS_CLI:
        raise PermanentFailureError(
            f"pair {pair.name}: engine {pair.engine.value} is not in this version yet", "use engine aws-cli"
        )
    from runner.engine.aws_cli.engine import create

    return create(surroundings, folder, private, lock_fd)


def inspect(surroundings: Surroundings) -> Iterator[Finding]:
    """What `runner check --online` proves; for pairs of every mode, held or not. Changes nothing for good."""
    from runner.engine.aws_cli.inspection import inspect as inspected

    return inspected(surroundings)
