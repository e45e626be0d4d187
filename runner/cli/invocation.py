"""What was typed around the command: config, seed flags, environment; and the way to a running runner.

Imports nothing heavy: settings are loaded only by commands that need them (`healthcheck` must not).
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from runner.cli.connection import Connection, connect, connect_without_config
from runner.model.errors import UserError
from runner.model.exit_codes import ExitCode

if TYPE_CHECKING:
    from runner.config.settings import Settings

CONFIG_PLACES = ("sync.yaml", "config/sync.yaml", "/etc/runner/sync.yaml")
_META = "runner.config"
_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class SeedFlags:
    """The four flags of the seed, None where not given."""

    s3_bucket: str | None = None
    working_directory: str | None = None
    logging_file: str | None = None
    logging_level: str | None = None

    @property
    def given(self) -> list[str]:
        return [f"--{field.name}" for field in fields(self) if getattr(self, field.name) is not None]


def config_option(*, environment: bool = False) -> Callable[[_Decorated], _Decorated]:
    """`--config` works before and after the command; the one after it wins. environment: RUNNER_CONFIG too."""

    def remember(ctx: click.Context, _parameter: click.Parameter, value: str | None) -> None:
        if value:
            ctx.meta[_META] = Path(value)

    return click.option(
        "-c",
        "--config",
        metavar="FILE",
        envvar="RUNNER_CONFIG" if environment else None,
        expose_value=False,
        callback=remember,
        help="The config file.",
    )


def _working_directory() -> Path:
    """Relative when it has been removed: then nothing is found there, and absolute paths still work."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return Path()


@dataclass(frozen=True, slots=True)
class Invocation:
    """explicit: the config file that was named, None when none was."""

    explicit: Path | None
    flags: SeedFlags
    environment: Mapping[str, str]
    cwd: Path

    @staticmethod
    def of(ctx: click.Context) -> "Invocation":
        flags = ctx.find_object(SeedFlags) or SeedFlags()
        return Invocation(ctx.meta.get(_META), flags, os.environ, _working_directory())

    def settings(self) -> "Settings":
        """The validated settings. Raises UserError; ConfigError with all problems of a file."""
        return self.settings_and_notices()[0]

    def settings_and_notices(self) -> tuple["Settings", tuple[str, ...]]:
        """Also what a person should know about settings that come from seed flags or the container environment."""
        from runner.config import loading, seed

        if self.flags.given:
            if self.explicit is not None and "RUNNER_CONFIG" not in self.environment:
                raise UserError(f"--config and {self.flags.given[0]} exclude each other", exit_code=ExitCode.USAGE)
            return self._seed_settings(), ()
        if self.config_path() is None:
            from_environment = seed.settings_from_environment(self.environment)
            if from_environment is not None:
                return from_environment, ()
        path = loading.find_config(self.explicit, self.environment, self.cwd)
        return loading.load(path, self.environment), ()

    def config_path(self) -> Path | None:
        """The config file that this command is about, which may be missing if it was named; None: there is none."""
        if self.explicit is not None:
            return self.explicit
        return next((place for name in CONFIG_PLACES if (place := self.cwd / name).is_file()), None)

    def connection(self, *, timeout_seconds: float = 10.0) -> Connection | None:
        """The runner that runs with this config, or None. Never loads the settings."""
        path = self.config_path()
        if path is None:
            return connect_without_config(self.environment, timeout_seconds=timeout_seconds)
        return connect(path, None, self.environment, timeout_seconds=timeout_seconds)

    def running(self) -> Connection:
        """Like `connection`; raises UserError when no runner answers."""
        connection = self.connection()
        if connection is None:
            raise self.nobody()
        return connection

    def nobody(self) -> UserError:
        """There is no runner to talk to."""
        path = self.config_path()
        if path is None:
            return UserError("no runner is running here, and there is no config file", "name one with --config FILE")
        return UserError(f"no runner is running with {path}", f"start it: runner --config {path}")

    def _seed_settings(self) -> "Settings":
        from runner.config import seed

        if not self.flags.s3_bucket or not self.flags.working_directory:
            missing = "--working_directory" if self.flags.s3_bucket else "--s3_bucket"
            raise UserError(f"{missing} is missing", "both are needed without a config file", ExitCode.USAGE)
        return seed.settings_from_flags(
            bucket=self.flags.s3_bucket,
            directory=self.flags.working_directory,
            logging_file=self.flags.logging_file,
            logging_level=self.flags.logging_level,
            environment=self.environment,
        )
