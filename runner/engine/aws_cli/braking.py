"""A pass's deletions before the brakes, as the aws-cli engine counts them: what is doomed, less what only moved.

The rules are in engine/brakes.py, the asking in engine/approval.py.
"""

from runner.config.settings import Mode
from runner.engine import approval, brakes
from runner.engine.aws_cli.one_pass import OnePass


def brake_of(one: OnePass, plan: brakes.Deletions) -> brakes.Brake | None:
    """Pure look, for plans."""
    return brakes.judge(plan, one.pair.max_delete)


def brake(one: OnePass, plan: brakes.Deletions) -> None:
    """Asks the brakes about the table `doomed`; raises PassHaltedError with what a person must know."""
    found = brake_of(one, plan)
    if found is not None:
        paths = [row[0] for row in one.seen.rows("SELECT path FROM doomed ORDER BY path")]
        one.approved = list(approval.brake(one.memory, one.surroundings, found, paths))


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
