"""A pass's deletions before the brakes: what is counted, what a person is shown, what was approved.

The rules are in engine/brakes.py. Raises before the first change or lets the whole plan through, never a part of it.
"""

import os

from runner.config.settings import Mode
from runner.engine import brakes
from runner.engine.aws_cli.memory import path_text
from runner.engine.aws_cli.one_pass import OnePass
from runner.engine.interface import Surroundings
from runner.engine.outcomes import PassHaltedError
from runner.model.passes import Halt

APPROVAL_VARIABLE = "RUNNER_APPROVE"


def approved_tokens(surroundings: Surroundings) -> set[str]:
    """From the control socket, the config and the environment."""
    tokens = {surroundings.approved_token(), surroundings.pair.approve or "", os.environ.get(APPROVAL_VARIABLE, "")}
    return {token.strip() for token in tokens} - {""}


def brake_of(one: OnePass, plan: brakes.Deletions) -> brakes.Brake | None:
    """Pure look, for plans."""
    return brakes.judge(plan, one.pair.max_delete)


def brake(one: OnePass, plan: brakes.Deletions) -> None:
    """Asks the brakes about the table `doomed`; raises PassHaltedError with what a person must know."""
    found = brake_of(one, plan)
    if found is None:
        return
    paths = [row[0] for row in one.seen.rows("SELECT path FROM doomed ORDER BY path")]
    approved = [token for token in approved_tokens(one.surroundings) if one.memory.plan_covers(token, paths)]
    if approved:
        one.approved = approved
        one.log("WARNING", f"{found.reason}: approved, going on")
        return
    spent = one.memory.spent_plans  # an `approve:` that stays in a config must not fit the same paths for ever
    token = brakes.token(found.name, [*paths, b"%d" % spent] if spent else paths)
    one.memory.show_plan(token, found.name, paths)
    sample = tuple(path_text(path) for path in paths[: brakes.SAMPLE_PATHS])
    raise PassHaltedError(Halt(found.name, found.reason, token, len(paths), sample))


# One new name makes up for one old one: twenty empty files that are gone are no moves to one new empty file.
_MOVES = """
SELECT sum(min(old.number, new.number)) FROM
  (SELECT {old}, count(*) AS number FROM doomed d JOIN main.files m ON m.path = d.path GROUP BY {old}) old
  JOIN (SELECT {new}, count(*) AS number FROM {look} n
    WHERE NOT EXISTS (SELECT 1 FROM main.files k WHERE k.path = n.path) GROUP BY {new}) new USING ({same})
"""


def moves(one: OnePass) -> int:
    """How many of `doomed` are the old name of a file that has a new one on the side that decides: no deletions."""
    if one.seen.number("SELECT count(*) FROM doomed") < brakes.COUNTS_FROM:
        return 0
    look, names = ("here", ("size", "mtime_ns", "inode")) if one.pair.mode is Mode.PUSH else ("there", ("size", "etag"))
    old, new = (", ".join(f"{table}.{name}" for name in names) for table in ("m", "n"))
    return one.seen.number(_MOVES.format(look=look, old=old, new=new, same=", ".join(names)))
