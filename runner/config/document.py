"""YAML text to plain dicts, lists and strings, with the line of every key. The only module that reads YAML.

No object is ever built from a tag. Unquoted numbers and truth values stay text (`values.Plain`): what they mean is
decided by the key they stand under. Broken YAML raises; what can be collected is collected in `Document.problems`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from runner.config.problems import ConfigProblem, KeyPath, key_text
from runner.config.values import Plain, shown
from runner.config.variables import expanded, has_variable

Tree = Any  # dict[str, Tree] | list[Tree] | str | None

DEEPEST = 50
MOST_NODES = 100_000
_PREFIX = "tag:yaml.org,2002:"
_KNOWN_TAGS = {_PREFIX + word for word in ("str", "int", "float", "bool", "null", "timestamp", "merge", "value")}
_PLAIN_KINDS = {_PREFIX + word: word for word in ("int", "float", "bool")}
_NUMBER_OF_YAML_1_2 = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+|0o[0-7]+")  # text for the YAML 1.1 of PyYAML
# libyaml reads 200 pairs in milliseconds; the Python reader does the same work where PyYAML was built without it
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class BrokenDocumentError(ValueError):
    """The text is no YAML that can be read on. line: counted from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(slots=True)
class Document:
    """value: the tree; lines: key path -> line; problems: what was wrong on the way."""

    value: Tree = None
    lines: dict[KeyPath, int] = field(default_factory=dict)
    problems: list[ConfigProblem] = field(default_factory=list)

    def line_of(self, path: KeyPath) -> int:
        """The line of the key, or of the nearest thing around it that stands in the file."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def complain(self, path: KeyPath, message: str, line: int | None = None) -> None:
        self.problems.append(ConfigProblem(line or self.line_of(path), key_text(path), message))


def parse_document(text: str, environment: Mapping[str, str]) -> Document:
    """Raises BrokenDocumentError where nothing can be read at all."""
    try:
        _refuse_bombs(text)
        node = yaml.compose(text, _LOADER)
    except yaml.MarkedYAMLError as error:
        raise _broken(error, text) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise BrokenDocumentError(line, f"holds a character that is no text (0x{error.character:02x})") from None
    builder = _Builder(environment)
    if node is not None:
        builder.document.lines[()] = node.start_mark.line + 1
        builder.document.value = builder.build(node, ())
    return builder.document


def _refuse_bombs(text: str) -> None:
    """Composing recurses, in C too; so depth and number are counted on the flat stream of events first."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, _LOADER)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEEPEST or count > MOST_NODES:
            what = f"is nested deeper than {DEEPEST} levels" if depth > DEEPEST else f"holds over {MOST_NODES} values"
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise BrokenDocumentError(line, f"{what}; a config never needs that")


def _broken(error: yaml.MarkedYAMLError, text: str) -> BrokenDocumentError:
    mark = error.problem_mark or error.context_mark
    number = mark.line if mark else 0
    lines = text.splitlines()
    line = lines[number] if number < len(lines) else ""
    if line[: len(line) - len(line.lstrip())].count("\t"):
        return BrokenDocumentError(number + 1, "a tab stands in the indentation; YAML wants spaces there")
    problem = error.problem or "it cannot be read"
    if error.context_mark and error.context_mark.line != number:
        problem += f" ({error.context} that starts in line {error.context_mark.line + 1})"
    hint = ""
    rest = line[mark.column :] if mark else ""
    if rest[:1] in ("*", "@", "%", "`", "&", "!") or "alias" in f"{error.context} {error.problem}":
        hint = '; text that starts with * & ! % @ or ` must stand in quotes: "*.tmp"'
    return BrokenDocumentError(number + 1, f"is not valid YAML: {problem}{hint}")


class _Builder:
    """Walks the node graph once; aliases are walked again each time they are used, up to a bound."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.document = Document()
        self._environment = environment
        self._nodes = 0
        self._depth = 0

    def build(self, node: yaml.Node, path: KeyPath) -> Tree:
        self._nodes += 1
        if self._nodes > MOST_NODES or self._depth > DEEPEST:
            raise BrokenDocumentError(
                node.start_mark.line + 1, "is endless or far too large when its aliases are put in"
            )
        self._depth += 1
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, path)
            if isinstance(node, yaml.SequenceNode):
                return self._sequence(node, path)
            assert isinstance(node, yaml.ScalarNode)
            return self._scalar(node, path)
        finally:
            self._depth -= 1

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> Tree:
        self._refuse_tag(node, path, "map")
        result: dict[str, Tree] = {}
        merged: list[tuple[yaml.Node, yaml.Node]] = []
        first_lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self.document.complain(path, "a key must be a word", line)
            elif key_node.tag == _PREFIX + "merge" and not key_node.style:
                merged += self._merged(value_node, path)
            elif key_node.value in first_lines:
                first = first_lines[key_node.value]
                self.document.complain((*path, key_node.value), f"given twice; the first is in line {first}", line)
            else:
                first_lines[key_node.value] = line
                self._put(result, key_node, value_node, path)
        for key_node, value_node in merged:  # keys of its own win over those that `<<` brings
            if key_node.value not in result:
                self._put(result, key_node, value_node, path)
        return result

    def _put(self, result: dict[str, Tree], key_node: yaml.Node, value_node: yaml.Node, path: KeyPath) -> None:
        inner = (*path, str(key_node.value))
        self.document.lines[inner] = key_node.start_mark.line + 1
        result[str(key_node.value)] = self.build(value_node, inner)

    def _merged(self, node: yaml.Node, path: KeyPath) -> list[tuple[yaml.Node, yaml.Node]]:
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        pairs: list[tuple[yaml.Node, yaml.Node]] = []
        for mapping in nodes:
            if not isinstance(mapping, yaml.MappingNode):
                self.document.complain(path, "'<<' wants a mapping, for example <<: *name", node.start_mark.line + 1)
                continue
            for key_node, value_node in mapping.value:
                if isinstance(key_node, yaml.ScalarNode) and key_node.tag != _PREFIX + "merge":
                    pairs.append((key_node, value_node))
                else:
                    self.document.complain(path, "'<<' inside of '<<' is not read", key_node.start_mark.line + 1)
        return pairs

    def _sequence(self, node: yaml.SequenceNode, path: KeyPath) -> Tree:
        self._refuse_tag(node, path, "seq")
        result = []
        for index, item in enumerate(node.value):
            self.document.lines[(*path, index)] = item.start_mark.line + 1
            result.append(self.build(item, (*path, index)))
        return result

    def _scalar(self, node: yaml.ScalarNode, path: KeyPath) -> Tree:
        if node.tag not in _KNOWN_TAGS:
            self._refuse_tag(node, path, "str")
            return None
        text = str(node.value)
        if has_variable(text):
            return self._expanded(text, path)
        if node.tag == _PREFIX + "null":
            return None
        kind = _PLAIN_KINDS.get(node.tag)
        if not node.style and _NUMBER_OF_YAML_1_2.fullmatch(text):
            kind = "float"
        return Plain.of(text, kind) if kind else text

    def _expanded(self, text: str, path: KeyPath) -> str | None:
        """A value that variables made empty counts as not given, so that an optional variable may be empty."""
        try:
            return expanded(text, self._environment) or None
        except ValueError as error:
            self.document.complain(path, str(error))
            return None

    def _refuse_tag(self, node: yaml.Node, path: KeyPath, kind: str) -> None:
        if node.tag != _PREFIX + kind:
            line = node.start_mark.line + 1
            tag = node.tag.replace(_PREFIX, "!!")
            self.document.complain(path, f"the tag {shown(tag)} is not allowed; leave it out", line)
