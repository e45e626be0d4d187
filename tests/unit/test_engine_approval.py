"""A plan before the brakes: halted with a token, let through once by it, and never another plan."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runner.engine.approval import APPROVAL_VARIABLE, brake
from runner.engine.brakes import Brake
from runner.engine.memory_file import MemoryFile
from runner.engine.native.memory import Memory
from runner.engine.outcomes import PassHaltedError

BRAKE = Brake("max-delete", "too many")
PATHS = [b"a", b"b"]
Ask = Callable[..., tuple[str, ...]]


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[MemoryFile]:
    opened = Memory.open(tmp_path / "state.db")
    yield opened
    opened.close()


@pytest.fixture
def ask(memory: MemoryFile) -> Ask:
    def asked(paths: list[bytes], token: str = "", configured: str = "", judged: Brake | None = BRAKE) -> Any:
        pair = SimpleNamespace(approve=configured)
        around: Any = SimpleNamespace(approved_token=lambda: token, pair=pair, log=lambda _level, _message: None)
        return brake(memory, around, judged, iter(paths))

    return asked


def _halted(ask: Ask, paths: list[bytes], token: str = "") -> str:
    with pytest.raises(PassHaltedError) as raised:
        ask(paths, token)
    halt = raised.value.halt
    assert (halt.brake, halt.count) == ("max-delete", len(paths))
    return halt.token


def test_plan_that_no_brake_stops_goes_on_without_a_token(ask: Ask) -> None:
    assert ask(PATHS, judged=None) == ()


def test_plan_halts_until_its_own_token_is_approved(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    token = _halted(ask, PATHS)
    assert _halted(ask, PATHS, "guessed") == token
    assert ask(PATHS, token) == (token,)
    assert ask(PATHS, configured=f" {token} ") == (token,)
    monkeypatch.setenv(APPROVAL_VARIABLE, token)
    assert ask(PATHS) == (token,)


def test_token_covers_less_than_was_shown_and_nothing_more(ask: Ask) -> None:
    token = _halted(ask, PATHS)
    assert ask([b"b"], token) == (token,)
    assert _halted(ask, [b"b", b"c"], token) != token


def test_token_that_was_spent_never_fits_the_same_paths_again(ask: Ask, memory: MemoryFile) -> None:
    token = _halted(ask, PATHS)
    memory.spend_plan(token)
    assert _halted(ask, PATHS, token) != token
