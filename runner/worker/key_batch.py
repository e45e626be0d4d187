"""Keys of the bucket that events named, gathered for a pass, with the messages that are deleted when it went through.

Pure. Everything here is a hint: what does not fit is dropped, for each scheduled pass lists the bucket anyway, and a
message that is not deleted comes again. What events said is gone, only a listing proves: it is due soon afterwards.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from runner.worker.batch import CALM, Pace, earliest_after

KEYS_KEPT = 10_000
RECEIPTS_KEPT = 10_000
BRISK = Pace(0.02, 0.1)
DELETIONS = Pace(1.0, 10.0)


@dataclass(frozen=True, slots=True)
class KeyShare:
    """What a pass took over."""

    keys: frozenset[str] = frozenset()
    receipts: tuple[str, ...] = ()
    deletions: bool = False

    @property
    def is_empty(self) -> bool:
        return not self.keys and not self.receipts and not self.deletions


@dataclass(slots=True)
class KeyBatch:
    native: bool
    _keys: set[str] = field(default_factory=set)
    _receipts: list[str] = field(default_factory=list)
    _first_at: float | None = None
    _last_at: float | None = None
    _gone_first_at: float | None = None
    _gone_last_at: float | None = None
    _listed_at: float | None = None
    _listing_seconds: float = 0.0

    @property
    def is_empty(self) -> bool:
        return not self._keys and not self._receipts and self._gone_first_at is None

    @property
    def is_full(self) -> bool:
        """Enough for now: the queue keeps the rest."""
        return len(self._keys) >= KEYS_KEPT // 2 or len(self._receipts) >= RECEIPTS_KEPT // 2

    def add(self, keys: Iterable[str], receipts: Iterable[str], now: float) -> None:
        """receipts: of the messages that named these keys."""
        self._keys.update(keys)
        while len(self._keys) > KEYS_KEPT:
            self._keys.pop()
        self._receipts = [*self._receipts, *receipts][-RECEIPTS_KEPT:]
        self._first_at = now if self._first_at is None else self._first_at
        self._last_at = now

    def due_at(self) -> float | None:
        if self._first_at is None or self._last_at is None:
            return None
        pace = BRISK if self.native else CALM
        return min(self._last_at + pace.quiet_seconds, self._first_at + pace.longest_seconds)

    def listing_due_at(self) -> float | None:
        """When a pass with a listing may carry over what is gone; listings made so take at most a tenth of the time."""
        if self._gone_first_at is None or self._gone_last_at is None:
            return None
        at = min(self._gone_last_at + DELETIONS.quiet_seconds, self._gone_first_at + DELETIONS.longest_seconds)
        return max(at, earliest_after(self._listed_at, self._listing_seconds))

    def gone(self, now: float) -> None:
        """A pass over keys found what it leaves to a listing."""
        self._gone_first_at = now if self._gone_first_at is None else self._gone_first_at
        self._gone_last_at = now

    def listed(self, now: float, seconds: float) -> None:
        """A pass with a listing that events made ended; it took so long."""
        self._listed_at, self._listing_seconds = now, seconds

    def taken(self, *, listing: bool = False) -> KeyShare:
        """listing: the pass lists the bucket."""
        share = KeyShare(frozenset(self._keys), tuple(self._receipts), listing and self._gone_first_at is not None)
        self._keys, self._receipts, self._first_at, self._last_at = set(), [], None, None
        if listing:
            self._gone_first_at = self._gone_last_at = None
        return share

    def put_back(self, share: KeyShare, now: float) -> None:
        if share.keys or share.receipts:
            self.add(share.keys, share.receipts, now)
        if share.deletions:
            self.gone(now)
