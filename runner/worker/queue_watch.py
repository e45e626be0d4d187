"""Events of the bucket, from an SQS queue: a thread that polls, and one that deletes what passes have carried over.

Only hints come of it. Whatever goes wrong here is told and tried again for ever; it never fails the pair, for scheduled
passes list the bucket anyway. A message is deleted after the pass that took its keys went through (at least once).
"""

import queue
import threading
from collections.abc import Callable, Iterable
from random import Random

from runner.engine.interface import ServiceUnavailableError
from runner.model.errors import UserError
from runner.store.credentials import Credentials
from runner.store.queue_message import Hint, read
from runner.store.sqs import MESSAGES, Message, QueueClient
from runner.worker import retries

Heard = Callable[[frozenset[str], tuple[str, ...]], None]
_FAULTS = (UserError, ServiceUnavailableError, OSError)


class QueueWatch:
    """heard(keys, receipts) and troubled(reason or "") are called in the polling thread: post them to the loop.

    credentials: a fresh snapshot, may block. make_client: of this queue; one for each thread.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str,
        make_client: Callable[[], QueueClient],
        credentials: Callable[[], Credentials],
        heard: Heard,
        troubled: Callable[[str], None],
        log: Callable[[str, str], None],
    ) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._poller = make_client()
        self._deleter = make_client()
        self._credentials = credentials
        self._heard = heard
        self._troubled = troubled
        self._log = log
        self._random = Random()  # noqa: S311 (spreads load)
        self._stopped = threading.Event()
        self._wanted = threading.Event()
        self._wanted.set()
        self._receipts: queue.SimpleQueue[tuple[str, ...]] = queue.SimpleQueue()
        self._nonsense: set[str] = set()

    def start(self) -> None:
        # Daemons: a worker that leaves does not wait for a poll.
        threading.Thread(target=self._poll, name="queue", daemon=True).start()
        threading.Thread(target=self._delete, name="queue-delete", daemon=True).start()

    def want(self, *, more: bool) -> None:
        """False: there is more than passes carry over; the queue keeps the rest."""
        if more:
            self._wanted.set()
        else:
            self._wanted.clear()

    def done(self, receipts: Iterable[str]) -> None:
        """The pass that took these messages' keys went through."""
        told = tuple(receipts)
        if told:
            self._receipts.put(told)

    def stop(self) -> None:
        """Ends both threads soon; what is not deleted comes again to the next worker."""
        self._stopped.set()
        self._wanted.set()
        self._receipts.put(())
        self._poller.close()
        self._deleter.close()

    def _poll(self) -> None:
        failures = 0
        while not self._stopped.is_set():
            self._wanted.wait()
            try:
                messages = self._poller.receive(self._credentials())
            except _FAULTS as error:
                if self._stopped.is_set():
                    return
                failures += 1
                self._troubled(f"events of the bucket are not heard: {error}")
                self._stopped.wait(retries.delay_seconds(failures, self._random))
                continue
            if failures:
                failures = 0
                self._troubled("")
            self._take(messages)

    def _take(self, messages: Iterable[Message]) -> None:
        keys: set[str] = set()
        receipts: list[str] = []
        useless: list[str] = []
        for message in messages:
            hint = read(message.body, self._bucket, self._prefix)
            self._name_nonsense(hint)
            keys |= hint.keys
            (receipts if hint.keys else useless).append(message.receipt)
        self.done(useless)
        if keys:
            self._heard(frozenset(keys), tuple(receipts))

    def _name_nonsense(self, hint: Hint) -> None:
        if hint.nonsense and hint.nonsense not in self._nonsense:
            self._nonsense.add(hint.nonsense)
            self._log("WARNING", f"events: {hint.nonsense}; it was deleted, and so will be others like it")

    def _delete(self) -> None:
        while True:
            receipts = self._receipts.get()
            if self._stopped.is_set():
                return
            for start in range(0, len(receipts), MESSAGES):
                self._delete_few(receipts[start : start + MESSAGES])

    def _delete_few(self, receipts: tuple[str, ...]) -> None:
        for _attempt in range(2):  # an idle connection may have been closed by the other side meanwhile
            try:
                self._deleter.delete(self._credentials(), receipts)
            except _FAULTS as error:
                reason = str(error)
            else:
                return
        if not self._stopped.is_set():
            self._log("DEBUG", f"events: messages could not be deleted and will come again: {reason}")
