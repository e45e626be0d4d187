import pytest

from runner.supervisor import memory
from runner.supervisor.memory_book import MemoryBook


class Kernel:
    """A fake of what the book asks: each look takes 10 ms."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.looked_at: list[int] = []
        self.children: dict[str, set[int]] = {}
        monkeypatch.setattr(memory, "pss_bytes", self.look)
        monkeypatch.setattr(memory, "descendants", lambda _roots: self.children)

    def look(self, pid: int) -> int:
        self.now += 0.01
        self.looked_at.append(pid)
        return pid * 1000

    def clock(self) -> float:
        return self.now


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    return Kernel(monkeypatch)


def test_refresh_over_its_budget_goes_on_with_the_oldest_next_time(kernel: Kernel) -> None:
    book = MemoryBook(kernel.clock)
    roots = {f"p{pid}": [pid] for pid in range(1, 6)}
    book.refresh(roots, older_than_seconds=5, budget_seconds=0.02)
    assert book.used(roots) == {"p1": 1000, "p2": 2000}
    book.refresh(roots, older_than_seconds=5, budget_seconds=0.02)
    book.refresh(roots, older_than_seconds=5, budget_seconds=0.02)
    assert kernel.looked_at == [1, 2, 3, 4, 5]
    assert len(book.used(roots)) == 5


def test_refresh_of_fresh_figures_looks_at_nothing(kernel: Kernel) -> None:
    book = MemoryBook(kernel.clock)
    book.refresh({"a": [1]}, older_than_seconds=5, budget_seconds=1)
    book.refresh({"a": [1]}, older_than_seconds=5, budget_seconds=1)
    assert kernel.looked_at == [1]
    kernel.now += 5
    book.refresh({"a": [1]}, older_than_seconds=5, budget_seconds=1)
    assert kernel.looked_at == [1, 1]


def test_refresh_counts_descendants_and_a_new_run_once(kernel: Kernel) -> None:
    book = MemoryBook(kernel.clock)
    kernel.children = {"a": {1, 2}}
    book.refresh({"a": [1, 3]}, older_than_seconds=5, budget_seconds=1)
    assert book.used({"a": [1, 3]}) == {"a": 6000}


def test_refresh_forgets_pairs_that_are_gone(kernel: Kernel) -> None:
    book = MemoryBook(kernel.clock)
    book.refresh({"a": [1]}, older_than_seconds=5, budget_seconds=1)
    book.refresh({"b": [2]}, older_than_seconds=5, budget_seconds=1)
    assert book.used({"a": [1], "b": [2]}) == {"b": 2000}
