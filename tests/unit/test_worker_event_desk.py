"""When a message of the bucket's queue may be deleted: only what a pass has carried over."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from runner.model.passes import Outcome, PassReport, Trigger
from runner.worker.event_desk import EventDesk
from runner.worker.key_batch import KeyShare
from runner.worker.triggers import Order


@pytest.mark.parametrize(
    ("outcome", "deleted"),
    [
        (Outcome.DONE, ["r1"]),
        (Outcome.DONE_WITH_PROBLEMS, ["r1"]),
        (Outcome.FAILED, []),
        (Outcome.HALTED, []),
        (Outcome.STOPPED, []),
    ],
)
def test_message_is_deleted_when_a_pass_went_through_and_stays_for_the_next_worker_otherwise(
    outcome: Outcome, deleted: list[str]
) -> None:
    nobody = cast(Any, None)
    triggers = cast(Any, SimpleNamespace(events=SimpleNamespace(is_full=False)))
    desk = EventDesk(nobody, triggers, nobody, nobody, nobody, nobody, nobody)
    gone: list[str] = []
    desk._watch = cast(Any, SimpleNamespace(done=gone.extend, want=lambda *, more: None))
    order = Order(Trigger.EVENT, events=KeyShare(frozenset({"k"}), ("r1",)))
    desk.pass_ended(order, PassReport(outcome))
    assert gone == deleted
