"""Histories on the bucket in memory: always the same ones, so that `make test` means the same everywhere."""

import pytest

from tests.bench.histories import drawn, run


@pytest.mark.parametrize("first", range(0, 40, 10))
def test_histories_hold(first: int) -> None:
    for seed in range(first, first + 10):
        try:
            run(drawn(seed))
        except Exception as error:
            raise AssertionError(f"python -m tests.bench --seed {seed} --scenes 5: {error!r}") from error
