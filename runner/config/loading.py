"""A config file to Settings: read, parse, check all of it, and report everything that is wrong at once.

Steps: file -> text -> document (lines) -> shapes (keys) -> settings (values) -> pair_rules -> rules (between pairs).
Nothing is started or made here; the file system is only looked at.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from runner.config.assembly import assemble
from runner.config.document import BrokenDocumentError, parse_document
from runner.config.problems import ConfigError, ConfigProblem
from runner.config.settings import Settings
from runner.config.source_file import read_config
from runner.model.errors import UserError
from runner.model.exit_codes import ExitCode

__all__ = ["ConfigError", "ConfigProblem", "find_config", "load"]

_USUAL_PLACES = ("sync.yaml", "config/sync.yaml", "/etc/runner/sync.yaml")


def find_config(explicit: Path | None, environment: Mapping[str, str], cwd: Path) -> Path:
    """--config, then RUNNER_CONFIG, then the usual places. Raises UserError (78) when there is none."""
    if explicit is not None:
        return explicit
    if environment.get("RUNNER_CONFIG"):
        return Path(environment["RUNNER_CONFIG"])
    for place in _USUAL_PLACES:
        if (cwd / place).is_file():
            return Path(place)
    tried = ", ".join(_USUAL_PLACES)
    raise UserError(f"no config file found (tried {tried})", "give one with --config FILE", ExitCode.CONFIG)


def load(path: Path, environment: Mapping[str, str]) -> Settings:
    """Raises ConfigError with every problem of the file. Relative paths start at the file's own folder, as named."""
    source = str(path)
    text = read_config(path, source)
    try:
        document = parse_document(text, environment)
    except BrokenDocumentError as error:
        raise ConfigError(source, [ConfigProblem(error.line, "", str(error))]) from None
    directory = Path(os.path.abspath(path)).parent
    settings = assemble(document, directory, environment)
    if document.problems:
        raise ConfigError(source, document.problems)
    places = {"path": Path(os.path.realpath(path)), "named_path": Path(os.path.abspath(path))}
    return settings.model_copy(update=places)
