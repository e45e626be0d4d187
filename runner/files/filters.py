"""Which paths of a pair are left out: the user's patterns as the AWS CLI reads them, and what is never synced.

Pure and compiled once. The rules of `aws s3` (docs.aws.amazon.com/cli/latest/reference/s3/, "Use of Exclude and
Include Filters"): fnmatch on the path below the folder, `*` and `?` match `/` too, the last filter that matches wins.
Ours come as excludes, then includes, so a path is left out when an exclude matches and no include does.
"""

import fnmatch
import functools
import re
from collections.abc import Sequence

# As filter patterns, so that the very same list can be handed to `aws s3 sync` behind all of the user's own.
ALWAYS_EXCLUDED: tuple[str, ...] = (
    ".runner",
    ".runner/*",
    "*/.runner/*",
    ".runner-trash/*",
    "*/.runner-trash/*",
    ".runner-probe-*",
    "*/.runner-probe-*",
    "lost+found/*",
    ".nfs*",
    "*/.nfs*",
    ".fuse_hidden*",
    "*/.fuse_hidden*",
)

_NOTHING = re.compile(r"(?!)")


def _compiled(patterns: Sequence[str]) -> re.Pattern[str]:
    """One expression that matches what any of the patterns matches."""
    if not patterns:
        return _NOTHING
    return re.compile("|".join(f"(?:{fnmatch.translate(pattern)})" for pattern in patterns))


_always_excluded = _compiled(ALWAYS_EXCLUDED).match


def always_excluded(path: str) -> bool:
    """Never synced, whatever the filters say (contract, section 4).

    path: below the folder, `/` between names; a directory is asked with a `/` at its end.
    """
    return _always_excluded(path) is not None


class Filters:
    """The `exclude` and `include` patterns of one pair; immutable."""

    def __init__(self, exclude: tuple[str, ...] = (), include: tuple[str, ...] = ()) -> None:
        self.exclude = exclude
        self.include = include
        self._excluded = _compiled(exclude).match
        self._included = _compiled(include).match
        # Only a pattern that ends with `*` can cover everything below a directory: the rest of the path is the star's.
        self._covering = _compiled([pattern for pattern in exclude if pattern.endswith("*")]).match
        self._includes = tuple(_tokens(pattern) for pattern in include)
        self.empty = not exclude

    def excludes(self, path: str) -> bool:
        """The user's patterns leave this path out. path: below the folder, without a leading `/`."""
        return not self.empty and self._excluded(path) is not None and self._included(path) is None

    def wants(self, path: str) -> bool:
        """Neither the user's patterns nor the fixed ones leave this path out."""
        return not self.excludes(path) and not always_excluded(path)

    def prunes(self, directory: str) -> bool:
        """Nothing below this directory can be wanted, so it need not be read at all. directory: no `/` at its end.

        True only when one exclude covers every path below it and no include could match a path below it.
        """
        below = f"{directory}/"
        if always_excluded(below):
            return True
        if self.empty or self._covering(below) is None:
            return False
        return not any(_can_match_below(tokens, below) for tokens in self._includes)


def _tokens(pattern: str) -> tuple[re.Pattern[str] | None, ...]:
    """The pattern cut into what matches one character each; None stands for `*`."""
    tokens: list[re.Pattern[str] | None] = []
    position = 0
    while position < len(pattern):
        end = _token_end(pattern, position)
        piece = pattern[position:end]
        tokens.append(None if piece == "*" else re.compile(fnmatch.translate(piece)))
        position = end
    return tuple(tokens)


def _token_end(pattern: str, start: int) -> int:
    """Where the token at `start` ends; brackets as fnmatch reads them: `]` first in a set is one of the set."""
    if pattern[start] != "[":
        return start + 1
    first = start + 2 if pattern[start + 1 : start + 2] == "!" else start + 1
    close = pattern.find("]", first + 1)
    return close + 1 if close >= 0 else start + 1


@functools.lru_cache(maxsize=4096)
def _can_match_below(tokens: tuple[re.Pattern[str] | None, ...], below: str) -> bool:
    """Some path that starts with `below` could match: the pattern is run over `below` as an automaton of positions."""
    positions = _past_stars(tokens, {0})
    for character in below:
        following = set()
        for position in positions:
            if position == len(tokens):
                continue
            token = tokens[position]
            if token is None:
                following.add(position)
            elif token.match(character):
                following.add(position + 1)
        positions = _past_stars(tokens, following)
        if not positions:
            return False
    return any(position < len(tokens) for position in positions)


def _past_stars(tokens: tuple[re.Pattern[str] | None, ...], positions: set[int]) -> set[int]:
    """The positions with those reached by letting a `*` match nothing. A star at the end still counts as a place."""
    reached = set(positions)
    for position in sorted(positions):
        here = position
        while here < len(tokens) and tokens[here] is None:
            here += 1
            reached.add(here)
    return reached
