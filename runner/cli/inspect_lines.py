"""What `runner check --online` prints: a line a finding, and a line of requests and price from what was counted."""

from datetime import datetime
from typing import TYPE_CHECKING

from runner.cli import amounts
from runner.cli.answers import Row
from runner.cli.estimate import estimate
from runner.cli.lines import Lines
from runner.store import price

if TYPE_CHECKING:
    from runner.config.settings import Pair

_PAGE_OBJECTS = 1000


class InspectLines:
    """`show` takes each row; failed: how many findings are failures. endpoints: a pair's name to its endpoint."""

    def __init__(self, pairs: "dict[str, Pair]", endpoints: dict[str, str | None], now: datetime) -> None:
        self._pairs = pairs
        self._endpoints = endpoints
        self._now = now
        self._lines = Lines(16, 16, 6)
        self.failed = 0

    def show(self, row: Row) -> None:
        name, item, verdict = str(row.get("pair", "")), str(row.get("item", "")), str(row.get("verdict", ""))
        count = row.get("count")
        text = str(row.get("text", ""))
        if item == "requests":
            text = requests_words(self._pairs[name], self._endpoints[name], int(count or 0), self._now)
        elif count is not None:
            text += f", {amounts.size(count)}"
        self.failed += verdict == "failed"
        self._lines.add(name, item, verdict.upper() if verdict == "failed" else verdict, text)


def requests_words(pair: "Pair", endpoint_url: str | None, objects: int, now: datetime) -> str:
    """`about 1440 LIST requests a day when nothing changes, $0.22 a month (us-east-1 Standard ...)`."""
    pages = max(1, -(-objects // _PAGE_OBJECTS))
    figures = estimate(pair, endpoint_url, now, pages)
    words = f"about {figures.requests_per_day.lists} LIST requests a day when nothing changes"
    if figures.price_per_month_usd is None:
        return words
    return f"{words}, {amounts.price(figures.price_per_month_usd)} a month ({price.PRICE_SOURCE})"
