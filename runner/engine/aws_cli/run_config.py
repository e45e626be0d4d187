"""Lends a run the generated AWS config of its pair, as a file in memory that vanishes with this process."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from runner.config.settings import Pair
from runner.engine.aws_cli.aws_config import aws_config_text, needs_config
from runner.engine.endpoint import config_path
from runner.model.errors import PermanentFailureError
from runner.model.names import printable


@contextlib.contextmanager
def config_for(pair: Pair) -> Iterator[str | None]:
    """The path of the config, good within the `with` for the run and its own children; None when the pair needs none.

    PermanentFailureError when the user's config cannot be read or parsed.
    """
    if not needs_config(pair):
        yield None
        return
    path = config_path(os.environ)
    text = aws_config_text(_read_config(path), pair, os.environ, path=str(path))
    fd = os.memfd_create("runner-aws-config")
    try:
        with open(fd, "w", encoding="utf-8", closefd=False) as file:
            file.write(text)
        yield f"/proc/{os.getpid()}/fd/{fd}"
    finally:
        os.close(fd)


def _read_config(path: Path) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise PermanentFailureError(f"{printable(str(path))}: the AWS config file cannot be read: {reason}") from None
