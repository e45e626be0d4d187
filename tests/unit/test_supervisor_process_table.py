"""Whom a kill may hit: a number alone is nobody's identity."""

import os
import signal

import pytest

from runner.supervisor import process_table
from runner.supervisor.process_table import kill_if_same, start_ticks


def test_process_that_has_a_dead_ones_number_is_not_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[int] = []
    monkeypatch.setattr(process_table, "kill_group", killed.append)
    monkeypatch.setattr(process_table, "send_signal", lambda pid, number: killed.append(number))
    ticks = start_ticks(os.getpid())
    assert ticks is not None
    kill_if_same(os.getpid(), ticks - 1)
    assert killed == []
    kill_if_same(os.getpid(), ticks)
    assert killed == [os.getpid(), signal.SIGKILL]
