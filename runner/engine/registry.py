"""Which engine a pair gets. The only place that knows the engines by name."""

from collections.abc import Iterator

from runner.config.settings import EngineName, Mode
from runner.engine.interface import Engine, Finding, Surroundings
from runner.files.folder import Folder
from runner.files.private import Private


def create_engine(surroundings: Surroundings, folder: Folder, private: Private, lock_fd: int) -> Engine:
    """The engine of the pair, ready for its first pass. lock_fd: the pair's held lock, for the runs to inherit.

    Raises PermanentFailureError for a pair that this version cannot run.
    """
    if surroundings.pair.engine is EngineName.NATIVE:
        from runner.engine.native.engine import create as create_native

        return create_native(surroundings, folder, private, lock_fd)
    from runner.engine.aws_cli.engine import create

    return create(surroundings, folder, private, lock_fd)


def inspect(surroundings: Surroundings) -> Iterator[Finding]:
    """What `runner check --online` proves; for pairs of every mode, held or not. Changes nothing for good."""
    pair = surroundings.pair
    if pair.mode is Mode.TWO_WAY or pair.engine is EngineName.NATIVE:
        from runner.engine.native.inspection import inspect as native

        return native(surroundings)
    from runner.engine.aws_cli.inspection import inspect as aws_cli

    return aws_cli(surroundings)
