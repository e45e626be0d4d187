"""Histories that once broke a promise, as small as hypothesis made them; each has the name of what went wrong."""

import pytest

from runner.config.settings import Mode
from tests.bench.fake_s3 import Kind
from tests.bench.histories import History, Make, client_world, failure, fake_world
from tests.bench.steps import Pass
from tests.bench.world import BUCKET, Act

A, B = 0, 1
KEYS = {"prefix": "", "accept_unsafe_server": True}
HISTORIES = {
    # A pull looked for the file under the placeholder's key, found it, and said "changing" for ever.
    "file that took the place of a pulled empty folder goes and the folder comes back": History(
        Kind(),
        [(Mode.TWO_WAY, KEYS), (Mode.PULL, KEYS | {"delete": True})],
        (
            Act("write", BUCKET, "b"),
            Act("mkdir", BUCKET, "c"),
            *(Pass(A), Pass(B)),
            Act("remove", B, "c"),
            Act("write", B, "c"),
        ),
    ),
}


@pytest.mark.parametrize("make", [fake_world, client_world])
@pytest.mark.parametrize("name", HISTORIES)
def test_history_that_once_broke_a_promise_keeps_them_all(name: str, make: Make) -> None:
    assert failure(HISTORIES[name], make) is None
