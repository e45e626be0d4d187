import os

from runner.supervisor.memory import OverLimit, measure


def test_memory_over_the_limit_counts_only_in_a_row() -> None:
    over = OverLimit()
    assert [over.check("a", used, 100) for used in (101, 101, 100, 101, 101, 101, 101)] == [
        *(False, False, False),
        *(False, False, True),
        False,
    ]


def test_memory_counts_are_kept_apart_and_can_be_forgotten() -> None:
    over = OverLimit()
    over.check("a", 2, 1)
    over.check("a", 2, 1)
    assert not over.check("b", 2, 1)
    over.forget("a")
    assert not over.check("a", 2, 1)


def test_memory_of_this_process_is_measured_and_of_a_missing_one_is_nothing() -> None:
    used = measure({"here": [os.getpid()], "gone": [2**22 + 1]})
    assert used["here"] > 1 << 20
    assert used["gone"] == 0
