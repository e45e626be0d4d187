"""docs/configuration.md, made from the models. `python -m runner.config.reference` prints it; a test keeps it fresh."""

import sys
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from runner.config.schema import EXCLUDE_FROM, REQUIRED_KEYS, kind_of
from runner.config.settings import Pair, Restart
from runner.config.shapes import SECTIONS

_INTRODUCTION = """\
# Configuration

<!-- Made by `make docs` from runner/config/settings.py. Edit that file, not this one. -->

One YAML file. `runner check` reads it and reports everything that is wrong at once, each as
`FILE:LINE: path.to.key: what is wrong; what is allowed`. Nothing starts before the whole file is valid; a reload of a
bad file changes nothing. `runner schema` prints the JSON Schema for editors. Samples: `config/sync.minimal.yaml`,
`config/sync.full.yaml`.

## How values are written

| kind | written as | notes |
|---|---|---|
| duration | `500ms` `30s` `5m` `2h` `7d` | a bare number is refused, because nobody can see its unit (0 is fine) |
| size | `500kB` `10MB` `512MiB` `2GiB` | kB, MB, GB, TB count in 1000; KiB, MiB, GiB, TiB in 1024; B is a byte |
| share | `50%` | 0% to 100% |
| octal mode | `0640` | octal with or without the zero, quoted or not |
| text | `my-bucket`, `"2024"` | what YAML takes for a number or truth value (`no`, `012`, `1e3`) must stand in quotes |
| time of day | `02:30` | 00:00 to 23:59, quoted or not |

* `none` or `off` switches off what can be switched off. `null`, or a key without a value, counts as not given.
* `${NAME}` and `${NAME:-default}` in a value are taken from the environment, which is read once, at load; the default
  also stands in for an empty variable. A variable that is not set and has no default is an error. A value that
  variables leave empty counts as not given. `$$` is a plain `$`. Keys are not expanded; what a variable holds is never
  read as YAML.
* Relative paths start at the folder of the config file, as it was named. `~` is refused: write `${HOME}/...`.
* Unknown keys and keys given twice are refused. Anchors, aliases and `<<` work; tags other than YAML's own do not.
* The file has at most 1 MiB, in UTF-8; a byte order mark and CRLF line ends are fine.
"""

_RULES = """\
## What is checked between pairs

* Each pair has a name and a folder of its own. Folders may not lie in each other, through links and bind mounts too.
* Prefixes of one bucket may not overlap when one of the pairs writes there (push, two-way); the same server spelled
  differently is the same server. Any number of pulls may read one prefix into different folders.
* A folder is refused when it is `/`, lies in `/proc`, `/sys` or `/dev` (below `/dev/shm` is fine), is the home folder,
  is a file, or lies in one of the runner's own places; `supervisor.state_dir` and `runtime_dir` may not lie in a folder
  either.
* The log may not lie in a folder that is pushed (unless `exclude` names it): its lines would start passes without end.
* The config file may lie in a folder; it is synced like any file.
* Pairs with `enabled: false` are checked alone, not against others.

## Without a file

`runner --s3_bucket B --working_directory D [--logging_file F] [--logging_level LEVEL]` is one two-way pair. In a
container, when no config file is found, these variables make one pair; upper-case spellings count too, lower-case wins:

| variable | meaning | default |
|---|---|---|
| `s3_bucket` | as `bucket`; without it there is no pair | |
| `s3_prefix` | as `prefix` | none |
| `working_directory` | as `folder` | `/data` |
| `mode` | as `mode` | `two-way` |
| `every` | as `every` | `60s` |
| `endpoint_url` | as `endpoint_url` | AWS's own chain |
| `delete` | as `delete` | `false` |
| `exclude` | patterns, separated by commas | none |
| `accept_unsafe_server` | as `accept_unsafe_server` | `false` |
| `logging_file` | as `logging.file` | `/errors.log`; standard error where that cannot be written |
| `logging_level` | as `logging.level` | `INFO` |

`empty_folders` is `index-file` there, and a log inside the folder is excluded. AWS's own variables work as everywhere.
`RUNNER_CONFIG` names the config file, `RUNNER_STOP_TIMEOUT` (a duration, or plain seconds) wins over
`supervisor.stop_timeout`, `RUNNER_APPROVE` is `approve` for every pair that has none.
"""


def markdown() -> str:
    """The whole page, ends with a newline."""
    parts = [
        _INTRODUCTION,
        "## `pairs` and `defaults`\n\n`pairs` is a list, one entry a pair. `defaults` takes the same keys for all "
        "pairs; a key of the pair wins as a whole.\n",
        _table(Pair),
    ]
    for name, model in SECTIONS.items():
        parts.append(f"## `{name}`\n")
        parts.append(_table(model))
    return "\n".join([*parts, _RULES])


def _table(model: type[BaseModel]) -> str:
    """Only the keys of a pair depend on engine and mode: the last column is theirs."""
    titles, rule = "| key | values | default | meaning | heeded by |", "|---|---|---|---|---|"
    rows = _rows(model)
    if model is not Pair:
        titles, rule = titles.removesuffix(" heeded by |"), rule.removesuffix("---|")
        rows = [row.removesuffix(" all |") for row in rows]
    return "\n".join([titles, rule, *rows]) + "\n"


def _rows(model: type[BaseModel]) -> list[str]:
    rows = []
    for name, field in model.model_fields.items():
        key = field.alias or name
        if field.annotation is Restart:
            rows += [_row(f"{key}.{inner.alias or name}", inner) for name, inner in Restart.model_fields.items()]
        else:
            rows.append(_row(key, field))
        if key == "include":
            rows.append(_cells("exclude_from", "path or list of paths", "none", "", EXCLUDE_FROM))
    return rows


def _row(key: str, field: FieldInfo) -> str:
    kind = kind_of(field)
    notes: Any = field.json_schema_extra or {}
    assert kind is not None
    return _cells(key, kind.words, _default(key, field), notes.get("for", ""), field.description or "")


def _cells(key: str, words: str, default: str, heeded_by: str, meaning: str) -> str:
    return "| " + " | ".join([f"`{key}`", words, default, meaning, heeded_by or "all"]).replace("\n", " ") + " |"


def _default(key: str, field: FieldInfo) -> str:
    notes: Any = field.json_schema_extra or {}
    kind = kind_of(field)
    if notes.get("default_words"):
        return str(notes["default_words"])
    if key in REQUIRED_KEYS:
        return "required"
    if field.default is PydanticUndefined or field.default in (None, (), "") or kind is None:
        return "none"
    return f"`{kind.spell(field.default)}`"


if __name__ == "__main__":
    sys.stdout.write(markdown())
