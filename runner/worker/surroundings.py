"""What the worker lends its engine, callable from the pass thread: connections to services, slots, the wish to stop.

Each call that has to reach the supervisor is posted to the loop, which alone sends messages. Waiting here is waiting on
a condition, never polling; a stop ends it.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from runner.config.settings import Pair, Settings
from runner.engine.interface import ServiceUnavailableError, Surroundings
from runner.model.passes import Progress
from runner.wire.channel import Channel
from runner.worker.hang_guard import HangGuard

CONNECT_SECONDS = 10.0
Say = Callable[[dict[str, object]], None]


@dataclass(eq=False, slots=True)
class _Waiter:
    """One thread that wants a connection."""

    answered: threading.Event = field(default_factory=threading.Event)
    fd: int | None = None
    given_up: bool = False


class Lending:
    """say: sends a message to the supervisor, from any thread. progressed: called when new progress is to be told."""

    def __init__(self, say: Say, progressed: Callable[[Progress], None], guard: HangGuard) -> None:
        self._say = say
        self._progressed = progressed
        self._guard = guard
        self._condition = threading.Condition()
        self._cut = False
        self._only_push = False
        self._offered: set[str] = set()
        self._unwanted: Callable[[], bool] = lambda: False
        self._has_slot = False
        self._asked_slot = False
        self._under_slots = False
        self._waiters: dict[str, deque[_Waiter]] = {}
        self.token = ""

    def surroundings(self, pair: Pair, settings: Settings, log: Callable[[str, str], None]) -> Surroundings:
        return Surroundings(
            pair=pair,
            state_dir=settings.supervisor.state_dir,
            connect=self.connect,
            should_stop=self.should_stop,
            report_progress=self._progress,
            run_started=lambda pid: self._run("run", pid),
            run_ended=lambda pid: self._run("run-ended", pid),
            slot_acquire=self.slot_acquire,
            slot_release=self.slot_release,
            approved_token=lambda: self.token,
            wall_clock=time.time,
            log=log,
            only_push=lambda: self._only_push,
            more_paths=self._more_paths,
        )

    def offer(self, paths: Iterable[str]) -> None:
        """The running pass may take these up beside what it does."""
        with self._condition:
            self._offered.update(paths)

    def withdraw(self) -> frozenset[str]:
        """What no pass has taken up."""
        return self._more_paths()

    def _more_paths(self) -> frozenset[str]:
        if not self._offered:
            return frozenset()
        with self._condition:
            taken = frozenset(self._offered)
            self._offered.clear()
        return taken

    @property
    def is_cut(self) -> bool:
        return self._cut

    def begin(self, *, under_slots: bool) -> None:
        """A new pass starts."""
        self._under_slots = under_slots

    def need_no_slot(self) -> None:
        """The worker stops: its running pass goes on as a flush, outside the slots."""
        with self._condition:
            self._under_slots = False
            self._condition.notify_all()

    def push_only(self) -> None:
        """The worker stops with a flush: downloads end at once, uploads go on."""
        self._only_push = True

    def cut(self) -> None:
        """The running pass is to end soon."""
        with self._condition:
            self._cut = True
            self._condition.notify_all()

    def uncut(self) -> None:
        with self._condition:
            self._cut = False

    def should_stop(self) -> bool:
        self._guard.alive(time.monotonic())
        return self._cut or self._unwanted()

    @contextmanager
    def guarded(self, unwanted: Callable[[], bool] = lambda: False) -> Iterator[None]:
        """Around a job in the pass thread: a hang is noticed. unwanted: who asked for it has left, so it may stop."""
        self._unwanted = unwanted
        self._guard.begin(time.monotonic())
        try:
            yield
        finally:
            self._guard.end()
            self._unwanted = lambda: False

    def slot_acquire(self) -> None:
        """Returns without a slot when the pass is to stop, or is one that needs none."""
        if not self._under_slots:
            return
        self._guard.waiting(time.monotonic(), waits=True)
        with self._condition:
            if not self._has_slot and not self._cut:
                self._asked_slot = True
                self._say({"type": "slot?"})
                self._condition.wait_for(lambda: self._has_slot or self._cut or not self._under_slots)
        self._guard.waiting(time.monotonic(), waits=False)

    def slot_release(self) -> None:
        """Idempotent; also takes back a question that was not answered yet."""
        with self._condition:
            if self._asked_slot:
                self._has_slot = self._asked_slot = False
                self._say({"type": "slot-release"})

    def slot_granted(self) -> None:
        with self._condition:
            if self._asked_slot:
                self._has_slot = True
                self._condition.notify_all()

    def connect(self, name: str) -> Channel:
        """Raises ServiceUnavailableError after CONNECT_SECONDS."""
        self._guard.alive(time.monotonic())
        try:
            return self.connect_beside(name)
        finally:
            self._guard.alive(time.monotonic())

    def connect_beside(self, name: str) -> Channel:
        """The same for another thread, whose life says nothing of the pass thread's."""
        waiter = _Waiter()
        with self._condition:
            self._waiters.setdefault(name, deque()).append(waiter)
        self._say({"type": "service?", "name": name})
        waiter.answered.wait(CONNECT_SECONDS)
        with self._condition:
            waiter.given_up = True
            if waiter.fd is not None:
                return Channel.from_fd(waiter.fd)
        raise ServiceUnavailableError(f"the {name} process could not be reached")

    def service_arrived(self, name: str, fds: Sequence[int]) -> None:
        """Takes the descriptors over; without one the service is not to be had now."""
        with self._condition:
            waiters = self._waiters.get(name, deque())
            waiter = next((waiter for waiter in _emptied(waiters) if not waiter.given_up), None)
            keep = fds[0] if waiter is not None and fds else None
            if waiter is not None:
                waiter.fd = keep
                waiter.answered.set()
        for fd in fds:
            if fd != keep:
                os.close(fd)

    def _progress(self, progress: Progress) -> None:
        self._guard.alive(time.monotonic())
        self._progressed(progress)

    def _run(self, kind: str, pid: int) -> None:
        self._guard.alive(time.monotonic())
        self._say({"type": kind, "pid": pid})


def _emptied(waiters: deque[_Waiter]) -> "list[_Waiter]":
    """The waiters up to and with the first that still waits, taken out: the oldest question is answered first."""
    taken: list[_Waiter] = []
    while waiters:
        taken.append(waiters.popleft())
        if not taken[-1].given_up:
            break
    return taken
