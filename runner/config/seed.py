"""The seed's four flags and the container's environment as settings: one pair, no file (contract, sections 1 and 2).

Both go through the same checks as a file; problems name the flag or the variable instead of a line.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.config.assembly import assemble
from runner.config.document import Document
from runner.config.problems import ConfigError, ConfigProblem
from runner.config.settings import Mode, Settings

# the pair's or logging's key -> variable; upper-case spellings count too
_VARIABLES = {
    "bucket": "s3_bucket",
    "prefix": "s3_prefix",
    "folder": "working_directory",
    "mode": "mode",
    "every": "every",
    "endpoint_url": "endpoint_url",
    "delete": "delete",
    "exclude": "exclude",
    "accept_unsafe_server": "accept_unsafe_server",
    "file": "logging_file",
    "level": "logging_level",
}
_FLAGS = {
    "bucket": "--s3_bucket",
    "folder": "--working_directory",
    "file": "--logging_file",
    "level": "--logging_level",
}
_LOGGING_KEYS = ("file", "level")
CONTAINER_LOG = "/errors.log"  # as in the seed; where it cannot be written, standard error holds the log


def settings_from_flags(
    *,
    bucket: str,
    directory: str | Path,
    logging_file: str | Path | None,
    logging_level: str | None,
    environment: Mapping[str, str],
) -> Settings:
    """`--s3_bucket B --working_directory D [--logging_file F] [--logging_level L]`. Raises ConfigError."""
    given = {"bucket": bucket, "folder": str(directory), "file": logging_file, "level": logging_level}
    texts = {key: str(value) for key, value in given.items() if value is not None}
    return _settings(texts, _Source("command line", _FLAGS), environment)


def settings_from_environment(environment: Mapping[str, str]) -> Settings | None:
    """None where `s3_bucket` is not set. Raises ConfigError."""
    found = {key: _variable(name, environment) for key, name in _VARIABLES.items()}
    given: dict[str, Any] = {key: value for key, value in found.items() if value}
    if "bucket" not in given:
        return None
    given.setdefault("folder", "/data")
    if "file" not in given and _can_be_written(CONTAINER_LOG):
        given["file"] = CONTAINER_LOG
    if "exclude" in given:
        given["exclude"] = [pattern.strip() for pattern in given["exclude"].split(",") if pattern.strip()]
    return _settings(given, _Source("environment", _VARIABLES), environment)


@dataclass(frozen=True, slots=True)
class _Source:
    """Where the values come from, and what the person calls each of them."""

    name: str
    spellings: Mapping[str, str]


def _can_be_written(file: str) -> bool:
    place = file if os.path.exists(file) else os.path.dirname(file)
    return os.access(place, os.W_OK)


def _variable(name: str, environment: Mapping[str, str]) -> str:
    return environment.get(name) or environment.get(name.upper()) or ""


def _settings(given: Mapping[str, Any], source: _Source, environment: Mapping[str, str]) -> Settings:
    logging = {key: given[key] for key in _LOGGING_KEYS if key in given}
    pair: dict[str, Any] = {key: value for key, value in given.items() if key not in _LOGGING_KEYS}
    pair = {"mode": str(Mode.TWO_WAY), "empty_folders": "index-file", **pair}
    if pair["mode"] == Mode.TWO_WAY:
        pair.pop("delete", None)  # it always carries deletions over, by memory
    pair["exclude"] = [*pair.get("exclude", []), *_own_log(logging.get("file"), pair["folder"])]
    document = Document(value={"pairs": [pair], "logging": logging})
    settings = assemble(document, Path.cwd(), environment)
    if document.problems:
        raise ConfigError(source.name, [_renamed(problem, source) for problem in document.problems])
    return settings


def _own_log(file: Any, folder: str) -> list[str]:
    """The seed allowed its log inside the folder; pushed, each line about a push would start the next one."""
    if not isinstance(file, str):
        return []
    relative = os.path.relpath(os.path.realpath(file), os.path.realpath(folder))
    escaped = "".join(f"[{letter}]" if letter in "*?[" else letter for letter in relative)
    return [] if relative.startswith("..") else [escaped, f"{escaped}.*"]


def _renamed(problem: ConfigProblem, source: _Source) -> ConfigProblem:
    key = problem.key.removeprefix("pairs[0].").removeprefix("logging.")
    return ConfigProblem(0, source.spellings.get(key, key), problem.message)
