"""Two-way behind an app: whatever it called safe before it ended is in the bucket, however the container ends."""

from pathlib import Path

import pytest

from tests.container.conftest import HARDENED, Ground
from tests.container.reporter import app, assert_all_is_there, assert_latest_is_there, said
from tests.container.test_life import seed_variables
from tests.witness import wait_until


@pytest.mark.parametrize(
    ("options", "seconds_after_term"),
    [(HARDENED, 0.0), (("--init",), 3.0), (("-it",), 0.0)],
    ids=["hardened", "init-slow-app", "terminal"],
)
def test_stopped_container_has_every_line_in_the_bucket(
    ground: Ground, bucket: str, options: tuple[str, ...], seconds_after_term: float, tmp_path: Path
) -> None:
    command = ("exec", "--", *app(seconds_after_term=seconds_after_term))
    variables = seed_variables(ground, bucket, RUNNER_STOP_TIMEOUT="40s")
    container = ground.start(*command, options=options, variables=variables)
    wait_until(lambda: len(said(container)) > 20, "the app is at work", timeout_seconds=40)
    before = len(said(container))
    assert container.stop(60) == 0
    numbers = said(container)
    assert len(numbers) > before + 20 * seconds_after_term / 4  # went on while it had time
    assert_all_is_there(ground.server, bucket, numbers)
    assert_latest_is_there(ground.server, bucket, numbers, tmp_path)
