"""`${NAME}` and `${NAME:-default}` in a config's values. Values are never expanded twice and never read as YAML."""

import re
from collections.abc import Mapping

# `$$` is a plain `$`; a `$` that is not followed by `$` or `{` stands for itself
_VARIABLE = re.compile(r"\$\$|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<fallback>:-[^{}]*)?\}|\$\{")


def has_variable(text: str) -> bool:
    return "$$" in text or "${" in text


def expanded(text: str, environment: Mapping[str, str]) -> str:
    """The text with its variables put in; as in a shell, an empty variable also takes the default.

    Raises ValueError for a variable that is not set and has no default, and for what is not a variable.
    """

    def value(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        name, fallback = match["name"], match["fallback"]
        if name is None:
            raise ValueError("cannot read what follows '${'; write ${NAME} or ${NAME:-default}, or $$ for a plain $")
        found = environment.get(name)
        if fallback is not None:
            return found or fallback[2:]
        if found is None:
            raise ValueError(f"the environment variable {name} is not set; set it or write ${{{name}:-default}}")
        return found

    return _VARIABLE.sub(value, text)
