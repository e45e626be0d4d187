"""One thing a pass is going to do. Facts only."""

from dataclasses import dataclass

from runner.engine.native.decide import Action, Decision
from runner.engine.native.facts import UNKNOWN, Base, Kind, Local, LocalSide, Remote, RemoteSide


@dataclass(frozen=True, slots=True)
class Step:
    """One path and what is to be done about it. source: of a move, the path that it had."""

    path: str
    decision: Decision
    base: Base | None
    local: LocalSide
    remote: RemoteSide
    source: str = ""
    snapshot: bool = False

    @property
    def action(self) -> Action:
        return self.decision.action

    @property
    def kind(self) -> Kind:
        for side in (self.local, self.remote, self.base):
            if side is not None and side is not UNKNOWN:
                return side.kind
        return Kind.FILE

    @property
    def size_bytes(self) -> int:
        """Of what is moved or removed."""
        uploads = self.action in {Action.UPLOAD, Action.DELETE_LOCAL, Action.SET_REMOTE_MODE}
        sides = (self.local, self.remote) if uploads else (self.remote, self.local)
        for side in sides:
            if isinstance(side, Local | Remote):
                return side.size
        return self.base.remote_size if self.base else 0

    @property
    def is_new_remotely(self) -> bool:
        return self.action is Action.UPLOAD and self.base is None and self.remote is None

    @property
    def is_new_locally(self) -> bool:
        return self.action is Action.DOWNLOAD and self.base is None and self.local is None
