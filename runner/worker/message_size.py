"""What fits into one message of the channel: names come from strangers and may be a kilobyte of escapes each. Pure."""

import json
from collections.abc import Iterable
from dataclasses import replace

from runner.model.passes import Halt

TEXT_CHARACTERS = 2000
PATHS = 20
PATHS_BYTES = 16 * 1024


def first_paths(paths: Iterable[str]) -> tuple[str, ...]:
    """At most PATHS, and no more than PATHS_BYTES of JSON."""
    taken: list[str] = []
    size = 0
    for path in paths:
        size += len(json.dumps(path)) + 1
        if len(taken) == PATHS or size > PATHS_BYTES:
            break
        taken.append(path)
    return tuple(taken)


def short_halt(halt: Halt | None) -> Halt | None:
    return replace(halt, reason=halt.reason[:TEXT_CHARACTERS], sample=first_paths(halt.sample)) if halt else None
