"""What a pair will ask of S3 in a day when nothing changes. Pure; where the number of objects is unknown, figures are
for each 1,000 of them (one page of a listing)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim

from runner.config.settings import EngineName, Mode, Pair
from runner.model.passes import Requests
from runner.store import price

DAYS_A_MONTH = 30.4
_DAY_SECONDS = 86400.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """passes_per_day: when nothing changes; watched pairs make more. price: None where AWS does not bill."""

    passes_per_day: float
    requests_per_day: Requests
    price_per_day_usd: float | None

    @property
    def price_per_month_usd(self) -> float | None:
        return None if self.price_per_day_usd is None else self.price_per_day_usd * DAYS_A_MONTH


def estimate(pair: Pair, endpoint_url: str | None, today: datetime, pages: int = 1) -> Estimate:
    """endpoint_url: the pair's own or the environment's. today: cron lines are counted for the day after it.

    pages: of a listing, 1,000 objects each.
    """
    passes = passes_per_day(pair, today)
    requests = Requests(lists=round(passes * _listings_per_pass(pair) * pages))
    return Estimate(passes, requests, price.usd(requests) if price.is_aws(endpoint_url) else None)


def passes_per_day(pair: Pair, today: datetime) -> float:
    """Scheduled passes; an adaptive `every` counts at its slow end, which is where a quiet pair is."""
    count = float(len(pair.at))
    if pair.every is not None:
        count += _DAY_SECONDS / max(pair.every.max_seconds, 0.001)
    if pair.cron:
        count += _fires(pair.cron, pair.timezone, today)
    return count


def _fires(cron: str, timezone: str, today: datetime) -> int:
    start = today.astimezone(ZoneInfo(timezone))
    end = (start.astimezone(UTC) + timedelta(days=1)).astimezone(start.tzinfo)
    fires = 0
    for moment in CronSim(cron, start):
        if moment > end:
            break
        fires += 1
    return fires


def _listings_per_pass(pair: Pair) -> int:
    """`aws s3 sync` lists once; a pull, and a push that carries deletions, prove a listing of their own as well. The
    native engine lists once."""
    if pair.engine is EngineName.NATIVE:
        return 1
    return 2 if pair.mode is Mode.PULL or pair.delete else 1
