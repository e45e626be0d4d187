"""`runner check --online` for pairs whose passes are `aws s3 sync`."""

from collections.abc import Iterator

from runner.config.settings import Mode, Pair
from runner.engine.folder_inspection import inspect_folder
from runner.engine.inspection import Findings, Listed, inspect_bucket, listing, reading, requests, versioning, writing
from runner.engine.interface import Finding, Surroundings
from runner.store.client import Client
from runner.store.errors import AccessDeniedError


def inspect(surroundings: Surroundings) -> Iterator[Finding]:
    """One finding a line; the last one, `requests`, counts what a pass lists. Raises nothing for the outside."""
    objects = yield from inspect_bucket(surroundings, _bucket)
    files = yield from inspect_folder(surroundings.pair, surroundings.should_stop)
    yield from requests(objects, files, surroundings.pair)


def _bucket(client: Client, pair: Pair) -> Findings:
    found = yield from listing(client, pair)
    if isinstance(found, AccessDeniedError):
        yield Finding("list", "failed", str(found))
    elif not isinstance(found, Listed):
        return None
    elif not found.in_byte_order:
        text = "the server lists names out of byte order: `aws s3 sync` transfers some files again in each pass"
        yield Finding("list-order", "note", text)
    listed = found if isinstance(found, Listed) else None
    yield reading(client, listed.readable if listed else None, pair)
    if pair.mode is not Mode.PULL:
        yield from _writing(client, pair)
    yield versioning(client, pair)
    return listed.objects if listed else None


def _writing(client: Client, pair: Pair) -> Iterator[Finding]:
    if (yield from writing(client, pair)) is False:
        text = (
            "the server ignores If-Match on DELETE: an object that somebody replaces in the very moment of its "
            "deletion is lost"
        )
        yield Finding("delete-condition", "note", text)
