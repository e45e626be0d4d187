"""A supervisor for one request: for `once`, `plan`, `verify`, `problems`, `conflicts` and `trash` without a daemon."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Row = dict[str, object]


@dataclass(frozen=True, slots=True)
class OneShot:
    """command: `once`, or what is handed to the worker (plan, verify, problems, conflicts, trash-list, trash-restore).

    pairs: names, empty for all enabled ones. options: further fields of the request (`content`, `path`, `wait`).
    on_row: gets each row as it comes. Rows of `once`: {"pair", "outcome", "message", "report": {...PassReport}} when a
    pass is over, and {"pair", "progress": {...Progress}} before; of the others: {"pair", ...the worker's row}.
    """

    command: str
    pairs: tuple[str, ...] = ()
    options: Mapping[str, object] = field(default_factory=dict)
    on_row: Callable[[Row], None] = lambda _row: None
