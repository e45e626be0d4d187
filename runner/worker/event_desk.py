"""Events of the bucket in the loop: what the queue's threads hear becomes due, what passes carried over is deleted.

Without `events` in the config it does nothing at all.
"""

import os
import threading
import time
from collections.abc import Callable

from runner.config.settings import Pair
from runner.model.passes import PassReport
from runner.store.credentials import CredentialClient, CredentialRequest, Credentials
from runner.store.sqs import QueueClient
from runner.wire.channel import Channel
from runner.worker import clocks
from runner.worker.account import Account
from runner.worker.local_work import THROUGH
from runner.worker.queue_watch import QueueWatch
from runner.worker.reporter import Reporter
from runner.worker.triggers import Order, Triggers

_SNAPSHOT_SECONDS = 10.0


class QueueCredentials:
    """Snapshots for the queue's threads, kept for a few seconds: messages may come in many small answers."""

    def __init__(self, pair: Pair, connect: Callable[[str], Channel]) -> None:
        self._request = CredentialRequest.of(pair, os.environ)
        self._client = CredentialClient(connect)
        self._lock = threading.Lock()
        self._kept: Credentials | None = None
        self._until = 0.0

    def __call__(self) -> Credentials:
        """Raises CredentialsError, ServiceUnavailableError."""
        with self._lock:
            if self._kept is None or time.monotonic() >= self._until:
                self._kept = None
                self._kept = self._client.lookup(self._request)
                self._until = time.monotonic() + _SNAPSHOT_SECONDS
            return self._kept


class EventDesk:
    """On the loop. post: makes a call on the loop, from any thread."""

    def __init__(
        self,
        pair: Pair,
        triggers: Triggers,
        account: Account,
        reporter: Reporter,
        credentials: QueueCredentials,
        post: Callable[[Callable[[], None]], None],
        log: Callable[[str, str], None],
    ) -> None:
        self._pair = pair
        self._triggers = triggers
        self._account = account
        self._reporter = reporter
        self._credentials = credentials
        self._post = post
        self._log = log
        self._watch: QueueWatch | None = None

    def start(self) -> None:
        """The pair is held. Idempotent."""
        url, ca_bundle = self._pair.events, self._pair.ca_bundle
        if url is None or self._watch is not None:
            return
        self._watch = QueueWatch(
            self._pair.bucket,
            self._pair.prefix,
            lambda: QueueClient(url, ca_bundle=str(ca_bundle) if ca_bundle else None),
            self._credentials,
            lambda keys, receipts: self._post(lambda: self._heard(keys, receipts)),
            lambda reason: self._post(lambda: self._troubled(reason)),
            self._log,
        )
        self._watch.start()

    def stop(self) -> None:
        """For good."""
        if self._watch is not None:
            self._watch.stop()

    def pass_ended(self, order: Order, report: PassReport) -> None:
        if self._watch is not None:
            if report.outcome in THROUGH:
                self._watch.done(order.events.receipts)
            self._watch.want(more=not self._triggers.events.is_full)

    def _heard(self, keys: frozenset[str], receipts: tuple[str, ...]) -> None:
        if self._triggers.events.is_empty:
            self._reporter.changed()
        self._triggers.notified(keys, receipts, clocks.read().now)
        if self._watch is not None and self._triggers.events.is_full:
            self._watch.want(more=False)

    def _troubled(self, reason: str) -> None:
        if reason != self._account.queue_note:
            self._account.queue_note = reason
            self._reporter.changed()
            self._log("WARNING" if reason else "INFO", reason or "events of the bucket are heard again")
