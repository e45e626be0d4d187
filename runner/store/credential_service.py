"""The loop of the credential process: clients, look-ups in flight, and what may be answered from memory.

One thread, one selector; answers `ping` at once whatever a look-up does. Keeps what cannot have changed: static keys
while the config files are the same, expiring ones until they near their end. Everything else is looked up each time.
"""

import os
import selectors
import signal
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from runner.store.config_files import FileState, config_files, is_racy, states_of
from runner.store.credentials import CredentialRequest
from runner.store.lookups import Lookup, Resolve
from runner.wire.channel import Channel

LOOKUP_TIMEOUT_SECONDS = 50.0  # below what a worker waits
MAX_LOOKUPS = 8
_MAX_KEPT = 512
_REFRESH_SECONDS = 900.0  # AWS SDKs refresh from 15 minutes before the end
_LAST_USE_SECONDS = 60.0
_RACY_SECONDS = 1.0
_ALONE = 2  # look-ups that import botocore for themselves, and give its 20 MB back: most runners need no more for hours

Identity = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """A result with what it rests on. refresh_at: epoch seconds from which a new look-up is due, None for never."""

    files: tuple[FileState, ...]
    result: dict[str, object] = field(repr=False)
    refresh_at: float | None
    expires_at: float | None

    def is_fresh(self, files: tuple[FileState, ...], now: float) -> bool:
        return files == self.files and (self.refresh_at is None or now < self.refresh_at)

    def is_usable(self, files: tuple[FileState, ...], now: float) -> bool:
        """Good enough when no new ones can be had."""
        return files == self.files and self.expires_at is not None and now < self.expires_at - _LAST_USE_SECONDS


@dataclass(slots=True)
class _Flight:
    """A look-up and everybody who waits for it. files: as they were before it began."""

    request: CredentialRequest
    files: tuple[FileState, ...]
    waiting: list[tuple[Channel, object]]
    lookup: Lookup | None = None


class CredentialService:
    """Serves until `stop` or until the supervisor's end of the channel is gone."""

    def __init__(
        self,
        supervisor: Channel,
        prepare: Callable[[], None],
        resolve: Resolve,
        *,
        lookup_timeout_seconds: float = LOOKUP_TIMEOUT_SECONDS,
    ) -> None:
        self._supervisor = supervisor
        self._prepare = prepare
        self._resolve = resolve
        self._timeout_seconds = lookup_timeout_seconds
        self._selector = selectors.DefaultSelector()
        self._clients: set[Channel] = set()
        self._flights: dict[Identity, _Flight] = {}
        self._queue: deque[Identity] = deque()
        self._kept: dict[Identity, Kept] = {}
        self._prepared = False
        self._looked_up = 0
        self._stopping = False

    def run(self) -> None:
        # Ends by `stop` or end of file; a terminal's ^C goes to the supervisor, who tells us
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._selector.register(self._supervisor, selectors.EVENT_READ)
        try:
            while not self._stopping and not self._supervisor.closed:
                self.turn(self._patience(time.monotonic()))
        finally:
            for flight in self._flights.values():
                if flight.lookup:
                    flight.lookup.end()

    def turn(self, timeout_seconds: float | None) -> None:
        """One round of the loop."""
        for key, _events in self._selector.select(timeout_seconds):
            if key.fileobj is self._supervisor:
                self._hear_supervisor()
            elif isinstance(key.fileobj, Channel):
                self._hear_client(key.fileobj)
            else:
                self._hear_lookup(key.data)
        self._end_overdue(time.monotonic())
        self._start_queued(time.monotonic())
        for channel in (self._supervisor, *self._clients):
            self._watch_writes(channel)

    def _hear_supervisor(self) -> None:
        for received in self._supervisor.receive():
            if received.type == "ping":
                self._supervisor.send({"type": "pong"})
            elif received.type == "stop":
                self._stopping = True
            elif received.type == "client" and received.fds:
                client = Channel.from_fd(received.fds[0])
                self._clients.add(client)
                self._selector.register(client, selectors.EVENT_READ)
            for fd in received.fds[1 if received.type == "client" else 0 :]:
                os.close(fd)
        self._supervisor.flush()

    def _hear_client(self, client: Channel) -> None:
        for received in client.receive():
            for fd in received.fds:
                os.close(fd)
            if received.type == "credentials?":
                self._asked(client, received.message, CredentialRequest.from_message(received.message))
        client.flush()
        if client.closed:
            self._selector.unregister(client)
            self._clients.discard(client)
            client.close()

    def _asked(self, client: Channel, message: dict[str, object], request: CredentialRequest) -> None:
        number = message.get("id")
        identity, files = identity_of(request), states_of(config_files(request.environment))
        kept = self._kept.get(identity)
        if kept is not None and kept.result.get("access_key") == message.get("refused"):
            del self._kept[identity]  # revoked before its time
            kept = None
        if kept is not None and kept.is_fresh(files, time.time()):
            client.send({**kept.result, "id": number})
            return
        flight = self._flights.get(identity)
        if flight is not None and flight.files == files:
            flight.waiting.append((client, number))
            return
        if flight is not None:  # the files changed under it: its waiters get the newer answer
            self._forget(identity)
        waiting = [*(flight.waiting if flight else ()), (client, number)]
        self._flights[identity] = _Flight(request, files, waiting)
        self._queue.append(identity)

    def _start_queued(self, now: float) -> None:
        while self._queue and sum(flight.lookup is not None for flight in self._flights.values()) < MAX_LOOKUPS:
            flight = self._flights.get(identity := self._queue.popleft())
            if flight is None or flight.lookup is not None:
                continue
            self._looked_up += 1
            if self._looked_up > _ALONE and not self._prepared:
                self._prepare()
                self._prepared = True
            foreign = [key.fd for key in self._selector.get_map().values()]
            flight.lookup = Lookup(flight.request, self._resolve, now + self._timeout_seconds, foreign)
            self._selector.register(flight.lookup, selectors.EVENT_READ, identity)

    def _hear_lookup(self, identity: Identity) -> None:
        flight = self._flights.get(identity)
        if flight is None or flight.lookup is None:
            return
        result = flight.lookup.read()
        if result is None:
            return
        self._forget(identity)
        self._answer(identity, flight, result)

    def _answer(self, identity: Identity, flight: _Flight, result: dict[str, object]) -> None:
        now = time.time()
        cacheable = result.pop("cacheable", False) is True
        kept = self._kept.get(identity)
        if result.get("type") == "credentials":
            self._kept.pop(identity, None)
            if cacheable and not is_racy(flight.files, now):
                self._kept[identity] = _kept(flight.files, result, now)
            while len(self._kept) > _MAX_KEPT:
                self._kept.pop(next(iter(self._kept)))
        elif result.get("permanent") is not True and kept is not None and kept.is_usable(flight.files, now):
            result = kept.result
        for client, number in flight.waiting:
            client.send({**result, "id": number})

    def _end_overdue(self, now: float) -> None:
        for identity, flight in list(self._flights.items()):
            if flight.lookup is not None and now >= flight.lookup.deadline:
                self._forget(identity)
                seconds = f"{self._timeout_seconds:.0f} s"
                reason = f"looking credentials up took longer than {seconds} (metadata service, SSO or helper program)"
                self._answer(identity, flight, {"type": "credentials-failed", "reason": reason, "permanent": False})

    def _forget(self, identity: Identity) -> None:
        flight = self._flights.pop(identity)
        if flight.lookup is not None:
            self._selector.unregister(flight.lookup)
            flight.lookup.end()

    def _patience(self, now: float) -> float | None:
        deadlines = [flight.lookup.deadline for flight in self._flights.values() if flight.lookup]
        return max(0.0, min(deadlines) - now) if deadlines else None

    def _watch_writes(self, channel: Channel) -> None:
        if channel.closed:
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if channel.wants_write else 0)
        if self._selector.get_key(channel).events != events:
            self._selector.modify(channel, events)


def _kept(files: tuple[FileState, ...], result: dict[str, object], now: float) -> Kept:
    expires = result.get("expires_at")
    if not isinstance(expires, int | float):
        return Kept(files, result, None, None)
    margin = min(_REFRESH_SECONDS, (expires - now) / 2)
    return Kept(files, result, expires - margin, float(expires))


def identity_of(request: CredentialRequest) -> Identity:
    """What makes two requests the same; holds secrets when the environment does."""
    return (
        request.profile, request.role_arn, request.region, request.endpoint_url, request.ca_bundle, request.anonymous,
        frozenset(request.environment.items()),
    )  # fmt: skip
