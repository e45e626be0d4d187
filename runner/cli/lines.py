"""Long answers, a thing a line, printed as they come: aligned on a terminal, tab-separated in a pipe. Never a table in
memory: an answer may have as many lines as the bucket has objects."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import click

from runner.model.names import printable


class Lines:
    """widths: of the columns on a terminal, the last one is free. Cells are made harmless here."""

    def __init__(self, *widths: int) -> None:
        self._widths = widths
        self._is_terminal = sys.stdout.isatty()
        self.count = 0

    def add(self, *cells: object) -> None:
        texts = [printable(str(cell)) for cell in cells]
        self.count += 1
        click.echo(self._aligned(texts) if self._is_terminal else "\t".join(texts))

    def _aligned(self, texts: Sequence[str]) -> str:
        widths = [*self._widths, *([0] * len(texts))]
        return "  ".join(text.ljust(width) for text, width in zip(texts, widths, strict=False)).rstrip()


def moment(at: float | None) -> str:
    """UTC to the second; `-` for none."""
    if at is None:
        return "-"
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"
