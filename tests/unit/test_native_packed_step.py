"""A step survives its way through the scratch table."""

import pytest

from runner.engine.native.decide import Action, Decision
from runner.engine.native.facts import UNKNOWN, Base, Kind, Local, Remote
from runner.engine.native.packed_step import packed, unpacked
from runner.engine.native.step import Step
from runner.model.problem import Side

_LOCAL = Local(Kind.FILE, 1 << 40, 5, 7, (1 << 64) - 1, 0o100644, "", "ab")
_LINK = Local(Kind.LINK, 3, 5, 7, 9, 0o120777, "\udce9")
_REMOTE = Remote(Kind.FOLDER, "k\udcff", 0, "e", 1.5, looked=True, mode=None, mtime_ns=-1, restored=True)
_BASE = Base(Kind.FILE, 1, 2, 3, 4, 5, "", "k", "e", 6, 7.25, racy=True)


@pytest.mark.parametrize(
    "step",
    [
        Step("a", Decision(Action.UPLOAD), None, _LOCAL, None),
        Step(
            "\udce9/b", Decision(Action.KEEP_BOTH, "why", loser=Side.LOCAL), _BASE, _LINK, _REMOTE, "c", snapshot=True
        ),
        Step("d", Decision(Action.PROBLEM, "why", "code"), _BASE, UNKNOWN, UNKNOWN),
    ],
)
def test_step_that_was_packed_comes_out_as_it_was(step: Step) -> None:
    out = unpacked(packed(step))
    assert out == step
    assert [type(side) for side in (out.base, out.local, out.remote)] == [
        type(side) for side in (step.base, step.local, step.remote)
    ]
    assert out.kind is step.kind
    assert out.action is step.action
