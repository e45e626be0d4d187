"""Each step of the folder's one door killed at each of its system calls, in a process of its own: forking pytest's,
which is large, a thousand times costs a minute of CPU.

A child process does one step and kills itself at its Nth call; N grows until the step comes through.
As a program: reads lines of JSON `[step, abilities, folder]`, answers each with `""` or with what went wrong.
"""

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runner.files import moves
from runner.files.abilities import Abilities
from runner.files.tree import ReplaceResult
from tests.tree_in_folder import NOW, TreeInFolder, fork, tree_in, wait_for

ABILITIES = {
    "all": Abilities(),
    "no-exchange": Abilities(exchange=False),
    "links-only": Abilities(exchange=False, no_replace=False),
    "no-links": Abilities(exchange=False, no_replace=False, hard_links=False),
}
CALLS = ["open", "close", "rename", "link", "unlink", "mkdir", "rmdir", "symlink"]
CALLS += ["fsync", "pwrite", "write", "utime", "fchmod", "chown", "chmod"]
OLD, NEW = b"old" * 1000, b"new" * 1000


class Failpoint:
    """Counts the calls that could change something; at the Nth one the process is gone."""

    def __init__(self, number: int, *, after: bool) -> None:
        self.left = number
        self.after = after

    def arm(self) -> None:
        for name in CALLS:
            setattr(os, name, self.wrapped(getattr(os, name)))
        for name in ("rename_new", "rename_exchange"):
            setattr(moves, name, self.wrapped(getattr(moves, name)))

    def wrapped(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **words: Any) -> Any:
            self.left -= 1
            if self.left == 0 and not self.after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = real(*arguments, **words)
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return call


Step = Callable[[TreeInFolder], None]


def place(home: TreeInFolder) -> None:
    with home.tree.temporary() as new:
        new.write_at(0, NEW)
        new.finish(mode=0o640, mtime_ns=10**18)
        assert home.tree.place("a/b/new", new)
    home.tree.sync()


def replace(home: TreeInFolder) -> None:
    entry = home.tree.look("d/file")
    assert entry is not None
    with home.tree.temporary() as new:
        new.write_at(0, NEW)
        new.finish()
        assert home.tree.replace("d/file", new, entry, NOW).result is ReplaceResult.DONE
    home.tree.sync()


def remove(home: TreeInFolder) -> None:
    entry = home.tree.look("d/file")
    assert entry is not None
    assert home.tree.remove("d/file", entry, NOW)
    home.tree.sync()


def set_aside(home: TreeInFolder) -> None:
    entry = home.tree.look("d/file")
    assert entry is not None
    assert home.tree.set_aside("d/file", entry, "e/aside")
    home.tree.sync()


def link_aside(home: TreeInFolder) -> None:
    entry = home.tree.look("d/file")
    assert entry is not None
    assert home.tree.link_aside("d/file", entry, "e/aside")
    home.tree.sync()


# What may be seen in the folder at any instant, besides what was there at the beginning.
ALLOWED: dict[Step, list[dict[str, bytes]]] = {
    place: [{"d/file": OLD}, {"d/file": OLD, "a/b/new": NEW}],
    replace: [{"d/file": OLD}, {"d/file": NEW}],
    remove: [{"d/file": OLD}, {}],
    set_aside: [{"d/file": OLD}, {"e/aside": OLD}, {"d/file": OLD, "e/aside": OLD}],
    link_aside: [{"d/file": OLD}, {"d/file": OLD, "e/aside": OLD}],
}
STEPS: dict[str, Step] = {step.__name__: step for step in ALLOWED}


def kill_at_each_call(base: Path, step: Step, abilities: Abilities) -> None:
    """AssertionError when any of them loses something."""
    number = 0
    while True:
        number += 1
        ended = {killed_at(base / f"{number}-{after}", step, abilities, number, after=after) for after in (False, True)}
        if ended == {0}:
            break
    assert number > 8


def killed_at(base: Path, step: Step, abilities: Abilities, number: int, *, after: bool) -> int:
    """The child's exit code; what it left behind was checked."""
    base.mkdir()
    with tree_in(base, abilities=abilities) as home:
        home.write("d/file", OLD)

        def work() -> None:
            Failpoint(number, after=after).arm()
            step(home)

        code = wait_for(fork(work))
    assert code in {0, -signal.SIGKILL}
    with tree_in(base, abilities=abilities) as restarted:
        visible = restarted.visible()
        assert visible in ALLOWED[step], (step, number, after)
        versions = set(restarted.trashed().values())
        assert OLD in {*visible.values(), *versions}, (step, number, after)
        for data in versions:  # where there are no links a copy is made in the trash: half of it at most is litter
            assert data in {OLD, NEW} or (not abilities.hard_links and OLD.startswith(data)), (step, number, after)
        restarted.tree.sweep(NOW)
        assert restarted.temporaries() == []
        assert restarted.visible() == visible
    return code


def main() -> None:
    setattr(os, "fsync", lambda _fd: None)  # noqa: B010 (a killed process is the subject, not a power cut)
    for line in sys.stdin:
        step, abilities, base = json.loads(line)
        try:
            kill_at_each_call(Path(base), STEPS[step], ABILITIES[abilities])
            answer = ""
        except BaseException:
            answer = traceback.format_exc()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
