"""A parsed document to Settings: shapes, values, defaults, rules. Every problem goes into the document, none is raised.

Used by `loading` for files and by `seed` for flags and the container environment.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from runner.config import pair_rules, places, rules, values
from runner.config.document import Document
from runner.config.problems import KeyPath, key_text
from runner.config.settings import LoggingSettings, Pair, Settings, SupervisorSettings, WebSettings
from runner.config.shapes import TOP_KEYS, known_part, sentence, unknown_key
from runner.config.source_file import read_patterns
from runner.config.values import shown

_Section = TypeVar("_Section", bound=BaseModel)


def assemble(document: Document, directory: Path, environment: Mapping[str, str]) -> Settings:
    """What could be built; only to be used when `document.problems` is empty. directory: where relative paths start."""
    return _Assembly(document, directory, environment).settings()


@dataclass(frozen=True, slots=True)
class _Merged:
    """A pair's keys with those of `defaults` below them; origins: where each key stands in the file."""

    path: KeyPath
    values: dict[str, Any]
    origins: dict[str, KeyPath]
    given: frozenset[str]

    def place(self, rest: KeyPath) -> KeyPath:
        """The path of a key of this pair, which may stand under `defaults`."""
        return (*self.origins.get(str(rest[0]), (*self.path, rest[0])), *rest[1:]) if rest else self.path


class _Assembly:
    """One load: collects problems in the document while it builds."""

    def __init__(self, document: Document, directory: Path, environment: Mapping[str, str]) -> None:
        self._document = document
        self._directory = directory
        self._environment = environment

    def settings(self) -> Settings:
        top = self._top()
        supervisor = self._section(top, "supervisor", SupervisorSettings)
        logging = self._section(top, "logging", LoggingSettings)
        web = self._section(top, "web", WebSettings)
        supervisor = self._with_environment(supervisor)
        pairs = list(self._pairs(top))
        candidate = Settings(pairs=tuple(pair for _, pair in pairs), supervisor=supervisor, logging=logging, web=web)
        for index, key, message in rules.findings(pairs, candidate, self._environment):
            place: KeyPath = ("pairs", index, key) if index is not None else tuple(key.split("."))
            self._document.complain(place, message)
        return candidate

    def _top(self) -> dict[str, Any]:
        top = self._document.value
        if top is None:
            self._document.complain((), "is empty; write at least one pair under 'pairs:'")
            return {}
        if not isinstance(top, dict):
            self._document.complain((), "is not a mapping; write 'pairs:' and below it a list")
            return {}
        for key in top:
            if key not in TOP_KEYS:
                self._document.complain((key,), unknown_key(key, TOP_KEYS))
        if not top.get("pairs"):
            self._document.complain(("pairs",), "is missing or empty; write at least one pair")
        return top

    def _section(self, top: Mapping[str, Any], name: str, model: type[_Section]) -> _Section:
        if top.get(name) is None:
            return model()
        raw = known_part(self._document, top[name], model, (name,))
        try:
            return _placed(model.model_validate(raw, by_alias=True, by_name=False), self._directory)
        except ValidationError as error:
            for detail in error.errors():
                self._complain((name, *detail["loc"]), detail)
            return model()

    def _complain(self, path: KeyPath, detail: ErrorDetails) -> None:
        """A value that could not be expanded is no longer there: one complaint is enough."""
        key = key_text(path)
        if detail["type"] != "missing" or all(problem.key != key for problem in self._document.problems):
            self._document.complain(path, sentence(detail))

    def _with_environment(self, supervisor: SupervisorSettings) -> SupervisorSettings:
        text = self._environment.get("RUNNER_STOP_TIMEOUT")
        if not text:
            return supervisor
        try:
            length = values.seconds(f"{text}s" if text.isdecimal() else text)  # variables are often plain seconds
            return supervisor.model_copy(update={"stop_timeout_seconds": length})
        except ValueError as error:
            self._document.complain(("supervisor", "stop_timeout"), f"RUNNER_STOP_TIMEOUT in the environment: {error}")
            return supervisor

    def _pairs(self, top: Mapping[str, Any]) -> Iterator[tuple[int, Pair]]:
        defaults: dict[str, Any] = {}
        if top.get("defaults") is not None:
            defaults = known_part(self._document, top["defaults"], Pair, ("defaults",))
        pairs = top.get("pairs") or []
        if not isinstance(pairs, list):
            self._document.complain(("pairs",), f"is {shown(pairs)} where a list is wanted; start each pair with '- '")
            return
        for index, raw in enumerate(pairs):
            path: KeyPath = ("pairs", index)
            own = known_part(self._document, raw, Pair, path)
            if isinstance(raw, dict):
                origins: dict[str, KeyPath] = {key: ("defaults", key) for key in defaults if key not in own}
                pair = self._pair(_Merged(path, {**defaults, **own}, origins, frozenset(own)))
                if pair is not None:
                    yield index, pair

    def _pair(self, merged: _Merged) -> Pair | None:
        raw, problems = pair_rules.split_location(merged.values)
        if "prefix" not in merged.values and "bucket" in merged.values:
            merged.origins["prefix"] = merged.place(("bucket",))  # there it stands
        bad = {key for key, _ in problems}
        for key, message in problems:
            self._document.complain(merged.place((key,)), message)
        raw = self._with_excludes(raw, merged)
        pair, refused = self._validated(self._filled_in(raw), merged)
        if pair is None:  # again without what was refused, so that the checks between keys and pairs see the rest
            bad |= refused
            good = {key: value for key, value in raw.items() if key not in bad}
            pair, _ = self._validated(self._filled_in(good), None)
        if pair is None:
            return None
        for key, message in pair_rules.findings(pair, merged.given):
            if key not in bad:
                self._document.complain(merged.place((key,)), message)
        return pair

    def _validated(self, raw: dict[str, Any], merged: _Merged | None) -> tuple[Pair | None, set[str]]:
        try:
            return _placed(Pair.model_validate(raw, by_alias=True, by_name=False), self._directory), set()
        except ValidationError as error:
            details = error.errors()
        for detail in details if merged else ():
            assert merged is not None
            self._complain(merged.place(detail["loc"]), detail)
        return None, {str(detail["loc"][0]) for detail in details if detail["loc"]}

    def _filled_in(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        pair = pair_rules.filled_in(raw)
        folder = pair.get("folder")
        pair.setdefault("name", places.default_name(self._directory / folder) if isinstance(folder, str) else "pair")
        pair.setdefault("approve", self._environment.get("RUNNER_APPROVE") or None)
        return pair

    def _with_excludes(self, raw: dict[str, Any], merged: _Merged) -> dict[str, Any]:
        """`exclude_from`: patterns of files, one a line, `#` comments; they come after those of `exclude`."""
        names = raw.pop("exclude_from", None)
        if names is None:
            return raw
        patterns: list[str] = []
        for name in names if isinstance(names, list) else [names]:
            try:
                patterns += read_patterns(places.absolute(places.local_path(name), self._directory))
            except ValueError as error:
                self._document.complain(merged.place(("exclude_from",)), str(error))
        own = raw.get("exclude", [])
        return {**raw, "exclude": [*(own if isinstance(own, list) else [own]), *patterns]}


def _placed(section: _Section, directory: Path) -> _Section:
    """The section with its paths made absolute."""
    update: dict[str, Any] = {
        name: places.absolute(value, directory) for name, value in section if isinstance(value, Path)
    }
    if isinstance(section, LoggingSettings) and section.pair_files:
        update["pair_files"] = str(places.absolute(Path(section.pair_files), directory))
    return section.model_copy(update=update) if update else section
