import pytest

from runner.supervisor.slots import Slots, default_limit


def test_slots_beyond_the_limit_wait_in_order() -> None:
    slots = Slots(2)
    assert [slots.request(name) for name in "abcd"] == [True, True, False, False]
    assert slots.release("a") == ["c"]
    assert slots.release("c") == ["d"]


def test_slots_asked_twice_are_held_once() -> None:
    slots = Slots(1)
    assert slots.request("a")
    assert slots.request("a")
    assert not slots.request("b")
    assert not slots.request("b")
    assert slots.release("a") == ["b"]
    assert slots.release("a") == []


def test_slots_of_the_dead_are_forgotten_while_they_wait() -> None:
    slots = Slots(1)
    slots.request("a")
    slots.request("b")
    slots.request("c")
    assert slots.release("b") == []
    assert slots.release("a") == ["c"]


def test_slots_resized_grant_at_once_and_take_nothing_away() -> None:
    slots = Slots(1)
    for name in "abc":
        slots.request(name)
    assert slots.resize(2) == ["b"]
    assert slots.resize(1) == []
    assert slots.release("a") == []
    assert slots.release("b") == ["c"]


@pytest.mark.parametrize(("cpus", "limit"), [(None, 4), (1, 4), (2, 4), (8, 16)])
def test_slots_default_follows_the_cpus(cpus: int | None, limit: int) -> None:
    assert default_limit(cpus) == limit
