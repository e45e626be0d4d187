"""The last lines in memory are bounded."""

from runner.supervisor.log_tail import ALL_LINES, PAIR_CHARACTERS, PAIR_LINES, Tail


def test_tail_gives_a_pairs_last_lines_oldest_first() -> None:
    tail = Tail()
    for number in range(5):
        tail.add("a", f"a{number}")
        tail.add("b", f"b{number}")
    tail.add(None, "supervisor")
    assert tail.last("a", 2) == ["a3", "a4"]
    assert tail.last(None, 2) == ["b4", "supervisor"]
    assert tail.last("nobody", 5) == []
    assert tail.last("a", 0) == []


def test_tail_is_bounded_in_lines_and_characters() -> None:
    tail = Tail()
    for number in range(3 * ALL_LINES):
        tail.add("a", str(number))
    assert len(tail.last("a", 10_000)) == PAIR_LINES
    assert len(tail.last(None, 10_000)) == ALL_LINES
    for _ in range(100):
        tail.add("a", "x" * 10_000)
    assert sum(map(len, tail.last("a", 10_000))) <= PAIR_CHARACTERS


def test_forgotten_pair_has_no_lines() -> None:
    tail = Tail()
    tail.add("a", "x")
    tail.forget("a")
    assert tail.last("a", 5) == []
