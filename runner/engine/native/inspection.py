"""`runner check --online` for native and two-way pairs: also which promises server and file system keep.

Leaves both sides as they were; see runner/engine/inspection.py for what every engine proves.
"""

import os
import secrets
from collections.abc import Generator, Iterator
from contextlib import suppress

from runner.config.settings import Mode, Pair
from runner.engine.folder_inspection import inspect_folder
from runner.engine.inspection import Findings, Listed, inspect_bucket, listing, reading, requests, versioning, writing
from runner.engine.interface import Finding, Surroundings
from runner.files import abilities
from runner.files.abilities import Abilities
from runner.files.folder import Folder
from runner.model.errors import UserError
from runner.store.capabilities import Capabilities
from runner.store.client import Client
from runner.store.errors import AccessDeniedError, StoreError
from runner.store.lifecycle import lifecycle_rules, what_hurts
from runner.store.price import is_aws
from runner.store.probe import probe
from runner.store.request import Request


def inspect(surroundings: Surroundings) -> Iterator[Finding]:
    """One finding a line; the last one, `requests`, counts what a pass lists. Raises nothing for the outside."""
    pair = surroundings.pair
    now = surroundings.wall_clock()
    objects = yield from inspect_bucket(surroundings, lambda client, pair: _bucket(client, pair, now))
    files = yield from inspect_folder(pair, surroundings.should_stop)
    yield from _file_system(pair)
    yield from requests(objects, files, pair)


def _bucket(client: Client, pair: Pair, now: float) -> Findings:
    found = yield from listing(client, pair)
    if isinstance(found, AccessDeniedError):
        yield _unlisted(found, pair)
    elif not isinstance(found, Listed):
        return None
    listed = found if isinstance(found, Listed) else None
    yield reading(client, listed.readable if listed else None, pair)
    tried = None
    if pair.mode is not Mode.PULL and (yield from _writing(client, pair)):
        tried = yield from _promises(client, pair, now)
    if listed and (tried is not None or listed.objects > 1):  # fewer have no order
        yield list_order(in_order=listed.in_byte_order and (tried is None or tried.byte_order is not False))
    yield versioning(client, pair)
    yield _lifecycle(client, pair)
    return listed.objects if listed else None


def _unlisted(error: StoreError, pair: Pair) -> Finding:
    if pair.mode is Mode.PUSH:
        text = f"{error}; this push goes by its own memory and cannot see what others put there"
        return Finding("list", "note", text)
    return Finding("list", "failed", f"{error}; {pair.mode.value} cannot work without it")


# ── the server's promises ──


def _writing(client: Client, pair: Pair) -> Generator[Finding, None, bool]:
    """Whether writing is allowed at all."""
    allowed = True
    for found in writing(client, pair):
        yield found
        allowed = allowed and not (found.item == "write" and found.verdict == "failed")
    return allowed


def _promises(client: Client, pair: Pair, now: float) -> Generator[Finding, None, Capabilities | None]:
    try:
        found = probe(client, pair.prefix, now)
    except StoreError as error:
        yield Finding("conditions", "failed", f"could not be tried: {error}")
        return None
    yield conditions(found, pair, amazon=is_aws(client.endpoint_url))
    yield checksums(found)
    return found


def list_order(*, in_order: bool) -> Finding:
    """Good to know, and no harm: a native pass compares without relying on order. Pure."""
    text = (
        "names come in byte order" if in_order else "names come out of byte order: no harm, nothing here relies on it"
    )
    return Finding("list-order", "ok", text)


def conditions(found: Capabilities, pair: Pair, *, amazon: bool = False) -> Finding:
    """Whether writes that name what they expect to find are safe on this server. Pure."""
    names = {
        "create": found.create,
        "replace": found.replace,
        "delete": found.delete,
        "complete": found.complete,
        "copy": found.copy,
    }
    held = ", ".join(name for name, holds in names.items() if holds) or "none"
    missing = ", ".join(name for name, holds in names.items() if not holds)
    because = f" ({found.note})" if found.note else ""
    if found.is_safe and not missing:
        return Finding("conditions", "ok", f"all hold: {held}" + " (known of Amazon S3)" * amazon + because)
    if found.is_safe:
        text = (
            f"these hold: {held}; not: {missing}, which look first: a change in the very moment between is overwritten"
        )
        return Finding("conditions", "note", text + because)
    text = f"not kept: {missing}; what two sides change at the same moment overwrites each other unseen"
    if pair.mode is not Mode.TWO_WAY:
        return Finding("conditions", "note", text + because)
    if pair.accept_unsafe_server:
        return Finding("conditions", "note", f"{text}; accepted by accept_unsafe_server: true{because}")
    remedy = "two-way does not run here; use a server that keeps them, or add `accept_unsafe_server: true` to the pair"
    return Finding("conditions", "failed", f"{text}; {remedy}{because}")


def checksums(found: Capabilities) -> Finding:
    """Whether an upload that was damaged on its way is refused. Pure."""
    if found.checksums:
        return Finding("checksums", "ok", "content that does not fit its SHA-256 is refused")
    text = "the server does not verify x-amz-checksum-sha256: what is damaged on its way is not refused by it"
    return Finding("checksums", "note", text)


def _lifecycle(client: Client, pair: Pair) -> Finding:
    asked = Request("GetBucketLifecycleConfiguration", "GET", query={"lifecycle": ""}, accept=(404,))
    try:
        answer = client._bucket.ask(asked)
    except AccessDeniedError:
        return Finding("lifecycle", "note", "not told (allow s3:GetLifecycleConfiguration)")
    except StoreError as error:
        if error.status in (400, 405, 501):
            return Finding("lifecycle", "ok", "this server has no such rules")
        return Finding("lifecycle", "note", str(error))
    if answer.status == 404:
        return Finding("lifecycle", "ok", "no rules")
    rules = lifecycle_rules(answer.body)
    if rules is None:
        return Finding("lifecycle", "note", "the server's answer could not be read")
    if harm := what_hurts(rules, pair.prefix):
        return Finding("lifecycle", "note", "; ".join(harm))
    return Finding("lifecycle", "ok", "no rule removes or archives what is here")


# ── the file system ──


def _file_system(pair: Pair) -> Iterator[Finding]:
    """Tried in `.runner/tmp`, or in a folder of our own beside what is there. Says nothing where nothing is writable:
    the folder's own line has it."""
    with suppress(UserError, OSError):
        folder = Folder.open(pair.folder, create=False, mountpoint=pair.mountpoint)
        try:
            if folder.is_writable():
                yield file_system(_abilities(folder), pair)
        finally:
            folder.close()


def _abilities(folder: Folder) -> Abilities:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    with suppress(OSError):
        fd = folder.open_beneath(".runner/tmp", flags)
        try:
            return abilities.probe(fd)
        finally:
            os.close(fd)
    name = f".runner-probe-{secrets.token_hex(8)}"
    os.mkdir(name, 0o700, dir_fd=folder.fd)
    try:
        fd = os.open(name, flags, dir_fd=folder.fd)
        try:
            return abilities.probe(fd)
        finally:
            os.close(fd)
    finally:
        os.rmdir(name, dir_fd=folder.fd)


def file_system(found: Abilities, pair: Pair) -> Finding:
    """What the folder's file system can do. Pure."""
    lacks = []
    if not found.lease:
        lacks.append(f"no leases: a file is uploaded once it is unchanged for {pair.quiet_period_seconds:g} s")
    if not found.exchange:
        lacks.append("no exchange: a file is replaced in two steps")
    if not found.case_sensitive:
        lacks.append("`A` and `a` are one name: keys that differ only so become problems")
    if not found.ns_times:
        lacks.append("no nanoseconds in times: more files are read again")
    if lacks:
        return Finding("file-system", "note", "; ".join(lacks))
    return Finding("file-system", "ok", "leases, exchange, case-sensitive names, nanosecond times")
