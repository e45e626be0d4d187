"""`runner check`: validates the config; a line for each pair, what it will cost, and what this version cannot do."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from runner.cli import amounts
from runner.cli.answers import Ending, finish, one_shot, say_notices
from runner.cli.estimate import estimate
from runner.cli.inspect_lines import InspectLines
from runner.cli.invocation import Invocation, config_option
from runner.cli.run import cannot_run
from runner.model.exit_codes import ExitCode
from runner.model.names import printable
from runner.store import price

if TYPE_CHECKING:
    from runner.config.settings import Interval, Pair, Settings


@click.command("check")
@config_option()
@click.option("--online", is_flag=True, help="Also prove credentials, bucket, rights and folder, one line each.")
@click.pass_context
def command(ctx: click.Context, *, online: bool) -> int:
    """Validate the config and say what it will cost.

    Every mistake at once, each with its line; exit 78 when there is one. With --online, exit 1 when a proof fails.
    """
    invocation = Invocation.of(ctx)
    settings, notices = invocation.settings_and_notices()
    now = datetime.now(UTC)
    for pair in settings.pairs:
        click.echo(pair_line(pair, endpoint_of(pair, invocation.environment), now))
    if any(price.is_aws(endpoint_of(pair, invocation.environment)) for pair in settings.pairs):
        click.echo(f"requests and prices: a day with no changes, {price.PRICE_SOURCE}")
    say_notices(notices)
    say_notices(f"warning: {sentence}" for sentence in cannot_run(settings))
    click.echo(f"{settings.path or 'flags and environment'}: ok, {amounts.things(len(settings.pairs), 'pair')}")
    return _online(invocation, settings, now) if online else ExitCode.OK


def _online(invocation: Invocation, settings: "Settings", now: datetime) -> int:
    """Also with a runner at work: this is about the file as it is now, and needs nobody's lock."""
    pairs = {pair.name: pair for pair in settings.pairs}
    endpoints = {name: endpoint_of(pair, invocation.environment) for name, pair in pairs.items()}
    lines = InspectLines(pairs, endpoints, now)
    ending = one_shot(invocation, "inspect", (), {}, lines.show)
    if lines.failed:
        ending = Ending(ExitCode.FAILED, f"{amounts.things(lines.failed, 'proof')} failed")
    return finish(ending)


def pair_line(pair: "Pair", endpoint_url: str | None, now: datetime) -> str:
    """`site: push ./public -> s3://assets/site/, every 5m; about 288 LIST requests a day ...`."""
    bucket = f"s3://{pair.bucket}/{pair.prefix}"
    arrow = {"push": "->", "pull": "<-"}.get(pair.mode.value, "<->")
    parts = [f"{pair.name}: {pair.mode.value} {pair.folder} {arrow} {bucket}, {schedule_words(pair)}"]
    if not pair.enabled:
        return printable(f"{parts[0]}; disabled")
    figures = estimate(pair, endpoint_url, now)
    cost = f"about {figures.requests_per_day.lists} LIST requests a day for each 1,000 objects"
    if figures.price_per_day_usd is not None:
        day, month = amounts.price(figures.price_per_day_usd), amounts.price(figures.price_per_month_usd)
        cost += f" ({day} a day, {month} a month)"
    parts.append(cost)
    return printable("; ".join(parts))


def schedule_words(pair: "Pair") -> str:
    """`every 5m`, `every 5s to 15m`, `cron */10 * * * *`, `at 02:30`, and `on changes` where the folder is watched."""
    words = [_every(pair.every)] if pair.every else []
    if pair.cron:
        words.append(f"cron {pair.cron}")
    if pair.at:
        words.append(f"at {', '.join(pair.at)}")
    if (pair.cron or pair.at) and pair.timezone != "UTC":
        words[-1] += f" {pair.timezone}"
    if pair.watch:
        words.append("on changes")
    return ", ".join(words)


def endpoint_of(pair: "Pair", environment: Mapping[str, str]) -> str | None:
    """The pair's endpoint, or that of the AWS variables (a profile's endpoint_url is not looked up here)."""
    return pair.endpoint_url or environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL")


def _every(interval: "Interval") -> str:
    slow = _duration(interval.max_seconds)
    if interval.min_seconds == interval.max_seconds:
        return f"every {slow}"
    return f"every {_duration(interval.min_seconds)} to {slow}"


def _duration(seconds: float) -> str:
    """As a person writes it in the config: `1h`, not `60m`."""
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length and seconds % length == 0 and seconds != 60:
            return f"{seconds / length:.0f}{unit}"
    return amounts.span(seconds)
