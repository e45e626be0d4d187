"""What a pair costs when nothing changes."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from runner.cli.check import endpoint_of, pair_line, schedule_words
from runner.cli.estimate import estimate, passes_per_day
from runner.cli.inspect_lines import requests_words
from runner.config.settings import EngineName, Interval, Mode, Pair, Symlinks

NOW = datetime(2026, 11, 23, 5, 40, tzinfo=UTC)


def _pair(mode: Mode = Mode.PUSH, seconds: float | None = 60.0, **keys: Any) -> Pair:
    every = Interval(min_seconds=seconds, max_seconds=seconds) if seconds else None
    known = {"watch": False, "symlinks": Symlinks.FOLLOW, "required": False, "engine": EngineName.AWS_CLI, **keys}
    folder = Path("/srv/site")
    return Pair.model_construct(
        **{
            **{name: field.get_default() for name, field in Pair.model_fields.items() if not field.is_required()},
            "name": "site",
            "bucket": "assets",
            "folder": folder,
            "mode": mode,
            "every": every,
            **known,
        }
    )


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"seconds": 60.0}, 1440),
        ({"seconds": None, "at": ("02:30", "14:30")}, 2),
        ({"seconds": None, "cron": "*/10 * * * *"}, 144),
        ({"seconds": None, "cron": "30 2 * * *", "timezone": "Europe/Berlin"}, 1),
        ({"every": Interval(min_seconds=5, max_seconds=900)}, 96),
    ],
)
def test_passes_per_day(keys: dict[str, Any], expected: float) -> None:
    assert passes_per_day(_pair(**keys), NOW) == expected


def test_estimate_counts_our_own_listing_and_prices_only_what_aws_bills() -> None:
    push = estimate(_pair(), None, NOW)
    assert push.requests_per_day.lists == 1440
    assert push.price_per_day_usd == pytest.approx(1440 * 0.005 / 1000)
    assert estimate(_pair(delete=True), None, NOW).requests_per_day.lists == 2880
    assert estimate(_pair(Mode.PULL), None, NOW).requests_per_day.lists == 2880
    assert estimate(_pair(Mode.TWO_WAY, engine=EngineName.NATIVE), None, NOW).requests_per_day.lists == 1440
    assert estimate(_pair(), "http://127.0.0.1:8333", NOW).price_per_month_usd is None


def test_pair_line_is_one_readable_line() -> None:
    assert pair_line(_pair(seconds=300.0, prefix="site/", watch=True), None, NOW) == (
        "site: push /srv/site -> s3://assets/site/, every 5m, on changes; "
        "about 288 LIST requests a day for each 1,000 objects (<$0.01 a day, $0.04 a month)"
    )
    assert pair_line(_pair(enabled=False), None, NOW).endswith("; disabled")
    assert "$" not in pair_line(_pair(), "http://127.0.0.1:1", NOW)


def test_schedule_words() -> None:
    assert schedule_words(_pair(every=Interval(min_seconds=5, max_seconds=900))) == "every 5s to 15m"
    assert schedule_words(_pair(seconds=None, at=("02:30",), timezone="Europe/Berlin")) == "at 02:30 Europe/Berlin"


def test_endpoint_of_a_pair_comes_before_the_environments() -> None:
    assert endpoint_of(_pair(endpoint_url="http://a"), {"AWS_ENDPOINT_URL": "http://b"}) == "http://a"
    assert endpoint_of(_pair(), {"AWS_ENDPOINT_URL": "http://b", "AWS_ENDPOINT_URL_S3": "http://c"}) == "http://c"


@pytest.mark.parametrize(
    ("seconds", "words"), [(60.0, "60s"), (90.0, "90s"), (300.0, "5m"), (3600.0, "1h"), (86400.0, "1d"), (0.5, "0.5s")]
)
def test_schedule_words_are_those_of_a_config(seconds: float, words: str) -> None:
    assert schedule_words(_pair(seconds=seconds)) == f"every {words}"


def test_requests_words_count_every_page_of_the_listing_that_was_seen() -> None:
    assert requests_words(_pair(), None, 2500, NOW).startswith(
        "about 4320 LIST requests a day when nothing changes, $0.66"
    )
    assert (
        requests_words(_pair(), "http://127.0.0.1:1", 0, NOW) == "about 1440 LIST requests a day when nothing changes"
    )
