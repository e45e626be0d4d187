"""SIGKILL before and after each system call of each step of the folder's one door (P3): every version is somewhere."""

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.files import abilities as abilities_module
from runner.files import moves, system_calls
from tests.integration.killed_steps import ABILITIES, NEW, OLD, STEPS, replace
from tests.tree_in_folder import NOW, fork, tree_in, wait_for

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed process is the subject, not a power cut; the calls are still counted."""
    monkeypatch.setattr(os, "fsync", lambda fd: None)


@pytest.fixture(scope="module")
def killer() -> Iterator["subprocess.Popen[str]"]:
    """The program that forks and kills: a small process."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.integration.killed_steps"],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.mark.parametrize("abilities", ABILITIES)
@pytest.mark.parametrize("step", STEPS)
def test_kill_at_each_call_of_a_step_loses_nothing(
    tmp_path: Path, killer: "subprocess.Popen[str]", step: str, abilities: str
) -> None:
    assert killer.stdin is not None
    assert killer.stdout is not None
    killer.stdin.write(json.dumps([step, abilities, str(tmp_path)]) + "\n")
    killer.stdin.flush()
    wrong = json.loads(killer.stdout.readline())
    assert not wrong, wrong


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
