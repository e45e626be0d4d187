"""Which columns, rows and notes of a status fit into a terminal. Pure.

A cell is never cut: what has no room is left out as a whole, the least telling first, and a line says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from runner.cli import amounts
from runner.cli.status_cells import HEADINGS

GAP = 2
# NAME, STATE and HEALTH stay
_LEAST_TELLING_FIRST = (
    *("PRICE/DAY", "REQUESTS/DAY", "MEMORY", "DELETED", "SIZE", "MODE", "DOWN", "UP", "RESTARTS", "FILES"),
    *("PROBLEMS", "NEXT", "LAST"),
)
_FIRST_COLUMNS = 6  # of what every pair has at some time: there from the start, so that the table does not jump
_SAYS_NOTHING = frozenset({amounts.NOTHING, "0", "0B"})
_STATE, _HEALTH = HEADINGS.index("STATE"), HEADINGS.index("HEALTH")
_QUIET = ("waiting", "in-sync")
_MOVING = frozenset({"syncing", "starting"})


def columns(rows: Sequence[Sequence[str]], width: int | None) -> list[int]:
    """Indices of HEADINGS. width: of the terminal, None for any."""
    shown = [
        column
        for column, heading in enumerate(HEADINGS)
        if column < _FIRST_COLUMNS or any(row[column] != amounts.NOTHING for row in rows)
    ]
    if width is None:
        return shown
    empty = [name for name in _LEAST_TELLING_FIRST if all(row[HEADINGS.index(name)] in _SAYS_NOTHING for row in rows)]
    for heading in (*empty, *_LEAST_TELLING_FIRST):
        if _width(rows, shown) <= width:
            break
        shown = [column for column in shown if HEADINGS[column] != heading]
    return shown


def left_out(rows: Sequence[Sequence[str]], shown: Sequence[int]) -> list[str]:
    """Headings of columns that would have said something."""
    return [
        heading
        for column, heading in enumerate(HEADINGS)
        if column not in shown and any(row[column] not in _SAYS_NOTHING for row in rows)
    ]


@dataclass(frozen=True, slots=True)
class Page:
    """rows, notes: the ones that are shown, by index, in their order. Counts are of those that are not."""

    rows: list[int]
    notes: list[int]
    rows_hidden: int = 0
    notes_hidden: int = 0


def page(rows: Sequence[Sequence[str]], notes: Sequence[str], width: int, height: int) -> Page:
    """For a live view, which cannot scroll: pairs that need an eye first, then notes in half of the room at most."""
    # A note is broken between words: that costs up to a line more than its length.
    heights = [1 if len(note) <= width else len(note) // max(width, 1) + 2 for note in notes]
    room = max(height - 3, 1)  # the heading, and a line for each kind of what is hidden
    if len(rows) + sum(heights) <= room:
        return Page(list(range(len(rows))), list(range(len(notes))))
    for_notes = max(room // 2, room - len(rows))
    kept: list[int] = []
    for index, lines in enumerate(heights):
        if lines > for_notes:
            break
        for_notes -= lines
        kept.append(index)
    left = max(room - sum(heights[index] for index in kept), 1)
    first = sorted(range(len(rows)), key=lambda index: _urgency(rows[index]))[:left]
    return Page(sorted(first), kept, len(rows) - len(first), len(notes) - len(kept))


def _urgency(row: Sequence[str]) -> int:
    if row[_STATE] in _MOVING:
        return 1
    return 2 if (row[_STATE], row[_HEALTH]) == _QUIET else 0


def _width(rows: Sequence[Sequence[str]], shown: Sequence[int]) -> int:
    widths = [max(len(HEADINGS[column]), *(len(row[column]) for row in rows), 0) for column in shown]
    return sum(widths) + GAP * (len(widths) - 1)
