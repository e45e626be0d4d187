"""Histories on the bucket in memory: always the same ones, so that `make test` means the same everywhere."""

import pytest

from tests.bench.drawing import wrong


@pytest.mark.parametrize("first", range(0, 60, 10))
def test_histories_hold(first: int) -> None:
    for seed in range(first, first + 10):
        assert not wrong(seed)
