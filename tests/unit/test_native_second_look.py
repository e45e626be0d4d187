"""What a step may still do while the worker stops."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from runner.engine.native.decide import Action, Decision
from runner.engine.native.second_look import carry_out
from runner.engine.native.steps import Step
from runner.store.errors import StoppedError


@pytest.mark.parametrize("action", [Action.DOWNLOAD, Action.DELETE_LOCAL, Action.SET_LOCAL_MODE])
def test_step_into_the_folder_is_not_begun_while_a_stop_only_pushes(action: Action) -> None:
    surroundings = SimpleNamespace(should_stop=lambda: False, only_push=lambda: True)
    shop = cast(Any, SimpleNamespace(surroundings=surroundings, capabilities=SimpleNamespace(writable=True)))
    ended = carry_out(shop, Step("a", Decision(action), None, None, None))
    assert isinstance(ended.error, StoppedError)
