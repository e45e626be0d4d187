"""Numbers as a person reads them."""

import pytest

from runner.cli import amounts


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "-"), (0, "0B"), (999, "999B"), (1000, "1.0kB"), (9_940, "9.9kB"), (9_960, "10kB"), (999_400, "999kB"),
        (999_600, "1.0MB"), (1_234_567_890, "1.2GB"), (5e18, "5000PB"),
    ],
)  # fmt: skip
def test_size(count: float | None, text: str) -> None:
    assert amounts.size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"), (-5, "0s"), (0, "0s"), (0.44, "0.4s"), (3, "3s"), (59.6, "60s"), (119, "119s"), (120, "2m"),
        (7_000, "117m"), (7_200, "2h"), (90_000, "25h"), (200_000, "2d"),
    ],
)  # fmt: skip
def test_span(seconds: float | None, text: str) -> None:
    assert amounts.span(seconds) == text


def test_moments() -> None:
    assert amounts.ago(100, 112.9) == "12s"
    assert amounts.ago(None, 1) == "-"
    assert amounts.until(130.2, 100) == "31s"
    assert amounts.until(99, 100) == "now"
    assert amounts.until(None, 100) == "-"


def test_price_never_shows_a_misleading_zero() -> None:
    assert [amounts.price(usd) for usd in (None, 0, 0.001, 1.234)] == ["-", "$0.00", "<$0.01", "$1.23"]


def test_things() -> None:
    assert amounts.things(1, "pair") == "1 pair"
    assert amounts.things(2, "pair") == "2 pairs"
