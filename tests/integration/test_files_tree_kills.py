"""SIGKILL before and after each system call of each step of the folder's one door (P3): every version is somewhere.

A child process does one step and kills itself at its Nth call; N grows until the step comes through.
"""

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.files import abilities as abilities_module
from runner.files import moves, system_calls
from runner.files.abilities import Abilities
from runner.files.tree import ReplaceResult
from tests.tree_in_folder import NOW, TreeInFolder, fork, tree_in, wait_for

ABILITIES = [
    pytest.param(Abilities(), id="all"),
    pytest.param(Abilities(exchange=False), id="no-exchange"),
    pytest.param(Abilities(exchange=False, no_replace=False), id="links-only"),
    pytest.param(Abilities(exchange=False, no_replace=False, hard_links=False), id="no-links"),
]
CALLS = ["open", "close", "rename", "link", "unlink", "mkdir", "rmdir", "symlink"]
CALLS += ["fsync", "pwrite", "write", "utime", "fchmod", "chown", "chmod"]
OLD, NEW = b"old" * 1000, b"new" * 1000


@pytest.fixture(autouse=True)
def _quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed process is the subject, not a power cut; the calls are still counted."""
    monkeypatch.setattr(os, "fsync", lambda fd: None)


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


@pytest.mark.parametrize("abilities", ABILITIES)
@pytest.mark.parametrize("step", [place, replace, remove, set_aside, link_aside])
def test_kill_at_each_call_of_a_step_loses_nothing(tmp_path: Path, step: Step, abilities: Abilities) -> None:
    number = 0
    while True:
        number += 1
        ended = {
            killed_at(tmp_path / f"{number}-{after}", step, abilities, number, after=after) for after in (False, True)
        }
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
        assert OLD in {*visible.values(), *versions}
        for data in versions:  # where there are no links a copy is made in the trash: half of it at most is litter
            assert data in {OLD, NEW} or (not abilities.hard_links and OLD.startswith(data))
        restarted.tree.sweep(NOW)
        assert restarted.temporaries() == []
        assert restarted.visible() == visible
    return code


def test_kill_between_exchange_and_look_keeps_both_an_edit_and_the_new_version(tmp_path: Path) -> None:
    with tree_in(tmp_path) as home:
        home.write("d/file", OLD)

        def work() -> None:
            real = system_calls.rename_exchange

            def edited(one: int, name: str, two: int, other: str) -> None:
                (home.root / "mine").write_bytes(b"an edit")
                os.replace(home.root / "mine", home.root / "d/file")
                real(one, name, two, other)
                os.kill(os.getpid(), signal.SIGKILL)

            setattr(moves, "rename_exchange", edited)  # noqa: B010  # in the child only
            replace(home)

        assert wait_for(fork(work)) == -signal.SIGKILL
        home.tree.sweep(NOW)
        assert home.visible() == {"d/file": NEW}
        assert list(home.trashed().values()) == [b"an edit"]


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EROFS, errno.EDQUOT])
@pytest.mark.parametrize("call", ["rename_new", "rename_exchange"])
def test_replace_that_the_disk_refuses_leaves_the_old_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    with tree_in(tmp_path) as home:
        home.write("d/file", OLD)
        entry = home.tree.look("d/file")
        assert entry is not None
        with home.tree.temporary() as new:
            new.write_at(0, NEW)
            new.finish()
            real = getattr(moves, call)
            calls: list[int] = []

            def refuse(*arguments: Any) -> None:
                calls.append(1)
                if len(calls) == 1:
                    raise OSError(number, os.strerror(number))
                real(*arguments)

            monkeypatch.setattr(moves, call, refuse)
            with pytest.raises(OSError, match=os.strerror(number)):
                home.tree.replace("d/file", new, entry, NOW)
        assert home.visible() == {"d/file": OLD}
        assert home.temporaries() == []
        assert home.trashed() == {}


def test_file_system_that_refuses_exchange_at_the_last_moment_is_served_by_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    with tree_in(tmp_path) as home:
        home.write("d/file", OLD)
        monkeypatch.setattr(moves, "rename_exchange", refuse)
        monkeypatch.setattr(abilities_module, "rename_exchange", refuse)
        replace(home)
        assert home.visible() == {"d/file": NEW}
        assert list(home.trashed().values()) == [OLD]
    with tree_in(tmp_path) as home:
        assert not home.tree.abilities.exchange
