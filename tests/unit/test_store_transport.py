"""One exchange without a network: how long an answer is waited for."""

import math

from runner.store.transport import _Exchange


def test_server_that_says_nothing_for_so_long_is_given_up_before_the_deadline() -> None:
    asked = iter([False, True])
    exchange = _Exchange(100, is_head=False)
    assert exchange.wait(0.0, lambda: next(asked), math.inf) == "silent"
