"""A plan's deletions before the brakes: what a person is shown, and what a person has approved.

The rules are in brakes.py. Raises before the first change or lets the whole plan through, never a part of it.
"""

import os
from collections.abc import Iterable

from runner.engine import brakes
from runner.engine.interface import Surroundings
from runner.engine.memory_file import MemoryFile, path_text
from runner.engine.outcomes import PassHaltedError
from runner.model.passes import Halt

APPROVAL_VARIABLE = "RUNNER_APPROVE"


def approved_tokens(surroundings: Surroundings) -> set[str]:
    """From the control socket, the config and the environment."""
    tokens = {surroundings.approved_token(), surroundings.pair.approve or "", os.environ.get(APPROVAL_VARIABLE, "")}
    return {token.strip() for token in tokens} - {""}


def brake(
    memory: MemoryFile, surroundings: Surroundings, judged: brakes.Brake | None, paths: Iterable[bytes]
) -> tuple[str, ...]:
    """The tokens by which this plan goes on: none were needed when `judged` is None.

    paths: all that the plan deletes, in a stable order. The tokens are spent (memory.spend_plan) when the pass has
    gone through. Raises PassHaltedError with what a person must know.
    """
    if judged is None:
        return ()
    shown = list(paths)
    approved = tuple(token for token in sorted(approved_tokens(surroundings)) if memory.plan_covers(token, shown))
    if approved:
        surroundings.log("WARNING", f"{judged.reason}: approved, going on")
        return approved
    spent = memory.spent_plans  # an `approve:` that stays in a config must not fit the same paths for ever
    token = brakes.token(judged.name, [*shown, b"%d" % spent] if spent else shown)
    memory.show_plan(token, judged.name, shown)
    sample = tuple(path_text(path) for path in shown[: brakes.SAMPLE_PATHS])
    raise PassHaltedError(Halt(judged.name, judged.reason, token, len(shown), sample))
