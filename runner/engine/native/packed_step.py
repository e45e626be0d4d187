"""A step as bytes for the pass's scratch table, and back. Pure.

`marshal` of plain tuples takes a tenth of the time of `pickle` of the words themselves; nothing outlives the pass, so
its version does not matter (Python library reference, marshal).
"""

import marshal
from typing import Any, Final

from runner.engine.native.decide import Action, Decision
from runner.engine.native.facts import UNKNOWN, Base, Kind, Local, Remote, Unknown
from runner.engine.native.step import Step
from runner.model.problem import Side

_KINDS: Final = {kind.value: kind for kind in Kind}
_ACTIONS: Final = {action.value: action for action in Action}
_SIDES: Final = {side.value: side for side in Side}


def packed(step: Step) -> bytes:
    decision = step.decision
    loser = None if decision.loser is None else decision.loser.value
    said = (decision.action.value, decision.reason, decision.code, loser)
    sides = (_plain(step.base), _plain(step.local), _plain(step.remote))
    return marshal.dumps((step.path, said, *sides, step.source, step.snapshot))


def unpacked(payload: bytes) -> Step:
    path, said, base, local, remote, source, snapshot = marshal.loads(payload)  # noqa: S302 (of this very pass)
    action, reason, code, loser = said
    decision = Decision(_ACTIONS[action], reason, code, None if loser is None else _SIDES[loser])
    return Step(
        path, decision, _side(Base, base), _side(Local, local), _side(Remote, remote), source, snapshot=snapshot
    )


def _plain(side: Base | Local | Remote | Unknown | None) -> Any:
    """Ellipsis for what is unknown."""
    if side is None:
        return None
    return ... if side is UNKNOWN else (side[0].value, *side[1:])


def _side(kind: Any, plain: Any) -> Any:
    if plain is None:
        return None
    return UNKNOWN if plain is ... else kind(_KINDS[plain[0]], *plain[1:])
