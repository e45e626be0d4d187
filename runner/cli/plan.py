"""`runner plan`: what a pass would do, each action by name, then the totals; changes nothing."""

from collections import Counter
from dataclasses import dataclass, field

import click

from runner.cli import amounts
from runner.cli.answers import Row, ask_workers, finish
from runner.cli.invocation import Invocation, config_option
from runner.cli.lines import Lines
from runner.model.passes import Requests
from runner.store import price

_PART_BYTES = 8 * 1024 * 1024  # the AWS CLI's multipart_chunksize and threshold


@dataclass
class Totals:
    """Counts by verb, bytes to transfer and the requests these actions need (the listing comes on top)."""

    verbs: Counter[str] = field(default_factory=Counter)
    bytes_up: int = 0
    bytes_down: int = 0
    requests: Requests = field(default_factory=Requests)

    def add(self, verb: str, size_bytes: int) -> None:
        self.verbs[verb] += 1
        self.requests += requests_of(verb, size_bytes)
        if verb == "upload":
            self.bytes_up += size_bytes
        elif verb == "download":
            self.bytes_down += size_bytes


def requests_of(verb: str, size_bytes: int) -> Requests:
    """One PUT for an upload, or create, parts and complete for a large one; a GET for each range of a download."""
    parts = -(-size_bytes // _PART_BYTES)
    if verb == "upload":
        return Requests(puts=1 if parts <= 1 else parts + 2)
    if verb == "download":
        return Requests(gets=max(parts, 1) + (parts > 1))
    if verb == "rename":
        return Requests(puts=1, deletes=1)
    if verb == "delete-remote":
        return Requests(deletes=1)
    return Requests()


@click.command("plan")
@config_option()
@click.argument("pairs", metavar="[PAIR]...", nargs=-1)
@click.pass_context
def command(ctx: click.Context, pairs: tuple[str, ...]) -> int:
    """Say what a pass would do, by name.

    What it would upload, download, delete and rename, with counts, bytes, requests and price; changes nothing.
    """
    lines, totals = Lines(16, 13, 8), Totals()

    def show(row: Row) -> None:
        verb, size_bytes = str(row.get("verb", "")), row.get("size_bytes")
        totals.add(verb, int(size_bytes or 0))
        lines.add(row.get("pair", ""), verb, amounts.size(size_bytes), row.get("path", ""), row.get("reason") or "")

    ending = ask_workers(Invocation.of(ctx), "plan", pairs, {}, show)
    if ending.exit_code == 0 or lines.count:
        click.echo(totals_line(totals))
    return finish(ending)


def totals_line(totals: Totals) -> str:
    """`total: 3 upload (1.2MB), 1 delete-remote; about 3 PUT, 0 GET, 1 DELETE requests, <$0.01 on AWS`."""
    if not totals.verbs:
        return "total: nothing to do"
    moved = {"upload": totals.bytes_up, "download": totals.bytes_down}
    parts = [
        f"{count} {verb}" + (f" ({amounts.size(moved[verb])})" if verb in moved else "")
        for verb, count in sorted(totals.verbs.items())
    ]
    asked = totals.requests
    cost = amounts.price(price.usd(asked))
    return (
        f"total: {', '.join(parts)}; about {asked.puts} PUT, {asked.gets} GET, {asked.deletes} DELETE requests "
        f"and the listing, {cost} where AWS bills them"
    )
