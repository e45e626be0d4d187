"""What every step needs: the two doors, the pair, the looks, the clock of the pass. Holds, decides nothing."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from runner.config.settings import Pair
from runner.engine.interface import Surroundings
from runner.engine.native.looking import Looker
from runner.engine.native.reading import Reader
from runner.engine.native.waiting import StepProblemError
from runner.engine.remote_trash import Keeper
from runner.files.spelling import SpelledOtherwiseError
from runner.files.tree import Tree
from runner.model.problem import Side
from runner.store.capabilities import Capabilities
from runner.store.door import ObjectStore
from runner.store.keys import Refusal, key_of_path


@dataclass(slots=True)
class Workshop:
    """now: seconds since the epoch at the start of the pass. keeper: the bucket's trash. host: for conflict names.
    on_bytes: progress of transfers, from any thread."""

    surroundings: Surroundings
    pair: Pair
    tree: Tree
    store: ObjectStore
    reader: Reader
    looker: Looker
    keeper: Callable[[], Keeper]
    capabilities: Capabilities
    now: float
    host: str
    on_bytes: Callable[[int], None]
    min_free_bytes: int
    lock: threading.Lock = field(default_factory=threading.Lock)

    def refuse_other_spelling(self, path: str) -> None:
        """Before anything is fetched for it. Raises SpelledOtherwiseError, OSError."""
        other = self.tree.other_spelling(path)
        if other:
            raise SpelledOtherwiseError(path, other)

    def key_of(self, path: str) -> str:
        """The key of a path. Raises StepProblemError: a conflict copy's name may be too long for one."""
        key = key_of_path(path, self.pair.prefix)
        if isinstance(key, Refusal):
            raise StepProblemError(Side.LOCAL, key.code, key.reason, permanent=True)
        return key
