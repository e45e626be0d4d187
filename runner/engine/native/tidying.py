"""What a pass does besides syncing: folders that its own deletions emptied, expiry of both trashes, who is not busy."""

from dataclasses import dataclass

from runner.config.settings import Mode, RemoteTrash
from runner.engine import remote_trash
from runner.engine.native.memory import Memory
from runner.engine.native.observation import Observation
from runner.engine.native.workshop import Workshop
from runner.store.errors import StoreError

_EXPIRED_AT = "remote_trash_expired_at"
_DAY_SECONDS = 86400.0
_FORBIDDEN = 403


@dataclass(frozen=True, slots=True)
class Tidying:
    """For the pass's thread."""

    shop: Workshop
    memory: Memory
    seen: Observation

    def remove_emptied(self, folders: set[str]) -> None:
        """Deepest first, unless memory or the bucket says that the folder exists. Raises OSError."""
        for path in sorted(folders, key=lambda name: name.count("/"), reverse=True):
            folder = path
            while folder and self.memory.get(folder) is None and not self.seen.placeholders(folder):
                if self.seen.has_below_remote(folder) or not self.shop.tree.remove_folder(folder):
                    break
                folder = folder.rpartition("/")[0]

    def finish(self, busy: set[str]) -> None:
        """After a pass that looked at everything. busy: files found open for writing. Raises OSError, StoreError."""
        self.memory.not_busy([path for path in self.memory.busy_paths() if path not in busy])
        self.shop.tree.trash.expire(self.shop.now)
        self._expire_remote_trash()

    def _expire_remote_trash(self) -> None:
        """Once a day: it costs a listing."""
        pair, now = self.shop.pair, self.shop.now
        if not self.shop.tree.trash.ages_are_told:
            return
        if pair.mode is Mode.PULL or pair.remote_trash is RemoteTrash.OFF or pair.trash is None:
            return
        if 0.0 <= now - float(self.memory.meta(_EXPIRED_AT) or 0.0) < _DAY_SECONDS:
            return
        try:
            remote_trash.expire(self.shop.store, pair.prefix, pair.trash.keep_seconds, now)
        except StoreError as error:
            if error.status != _FORBIDDEN:  # without the right to delete copies they stay
                raise
        self.memory.set_meta(_EXPIRED_AT, str(now))
