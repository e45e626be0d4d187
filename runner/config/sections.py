"""The sections beside the pairs: supervisor, logging, web. Part of `settings`, which is where others import them."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from runner.config import field_kinds as its
from runner.config.composites import Frozen
from runner.config.kinds import SWITCH, choice, duration, number, or_none, size, whole

Seconds = Annotated[float, duration()]
SecondsAboveZero = Annotated[float, duration(least=0.001)]
SecondsOrNone = Annotated[float | None, or_none(duration(least=0.001))]
LocalPath = Annotated[Path | None, its.PATH]


def default_words(words: str) -> dict[str, Any]:
    """What the reference shows where a default depends on something else."""
    return {"default_words": words}


class Restart(Frozen):
    """Delays between restarts of a worker that crashed: 1, 2, 4 ... 300 s, +-10 %."""

    initial_seconds: SecondsAboveZero = Field(1.0, alias="initial", description="the first delay")
    factor: Annotated[float, number(least=1, most=100)] = Field(2.0, description="each next delay is so much longer")
    max_seconds: SecondsAboveZero = Field(300.0, alias="max", description="the longest delay")
    reset_after_seconds: Seconds = Field(
        600.0, alias="reset_after", description="a worker that ran so long starts at the first delay again"
    )


class SupervisorSettings(Frozen):
    state_dir: LocalPath = Field(
        None,
        description="where the state databases live; marker, temporary files and trash stay with the folder",
        json_schema_extra=default_words("inside each folder, in `.runner/`"),
    )
    runtime_dir: LocalPath = Field(
        None,
        description="where the control socket lives",
        json_schema_extra=default_words(
            "the first that can be made of `/run/runner`, `$XDG_RUNTIME_DIR/runner`, `/tmp/runner-<uid>`"
        ),
    )
    restart: Restart = Field(Restart(), description="delays between restarts of a worker that crashed, +-10 %")
    heartbeat_timeout_seconds: Annotated[float, duration(least=1.0)] = Field(
        60.0, alias="heartbeat_timeout", description="a worker silent for so long is aborted and replaced"
    )
    stop_timeout_seconds: Seconds = Field(
        25.0,
        alias="stop_timeout",
        description="flush and stop, all pairs together; the environment variable `RUNNER_STOP_TIMEOUT` wins over it",
    )
    ready_timeout_seconds: SecondsOrNone = Field(
        None, alias="ready_timeout", description="`exec` gives up after it with exit code 69"
    )
    app_timeout_seconds: Seconds = Field(
        10.0,
        alias="app_timeout",
        description="`exec`: time for the command after TERM, or stop_timeout - 10s if that is longer",
    )
    on_failed: Annotated[Literal["keep", "exit"], choice("keep", "exit")] = Field(
        "keep", description="exit: leave with code 1 when a pair fails for good"
    )
    max_concurrent_passes: Annotated[int | None, or_none(whole(least=1, most=10_000))] = Field(
        None,
        description="scans and listings at once; transfers, event pushes, `sync --wait` and the flush are outside it",
        json_schema_extra=default_words("max(4, 2 x CPUs)"),
    )


class LoggingSettings(Frozen):
    file: LocalPath = Field(
        None, description="log file beside standard error", json_schema_extra=default_words("standard error only")
    )
    pair_files: Annotated[str | None, its.PAIR_FILES] = Field(
        None, description="a log file for each pair, for example `logs/{pair}.log`"
    )
    level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], its.LEVEL] = Field(
        "INFO", description="the least important line that is written"
    )
    format: Annotated[Literal["text", "json"], choice("text", "json")] = Field("text", description="one line a record")
    rotate: Annotated[Literal["size", "daily"], choice("size", "daily")] = Field(
        "size", description="when a new file is begun; daily is at midnight UTC"
    )
    max_size_bytes: Annotated[int, size(least=1000)] = Field(
        10_000_000, alias="max_size", description="a file is rotated when it is this large"
    )
    backups: Annotated[int, whole(most=10_000)] = Field(5, description="rotated files to keep; 0 keeps none")
    compress: Annotated[bool, SWITCH] = Field(True, description="gzip rotated files, off the supervisor's loop")


class WebSettings(Frozen):
    listen: Annotated[str | None, or_none(its.LISTEN)] = Field(
        None,
        description="HOST:PORT of the read-only status page, /healthz, /readyz, /metrics and /api/status",
    )
