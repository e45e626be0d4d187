"""Two-way behind an app: whatever it called safe before it ended is in the bucket, however the container ends."""

import pytest

from tests.container.conftest import HARDENED, Ground
from tests.container.podman import Container
from tests.container.reporter import app, assert_all_is_there, said
from tests.witness import wait_until


def start(ground: Ground, bucket: str, *command: str, options: tuple[str, ...] = (), stop: str = "40s") -> Container:
    variables = {
        "s3_bucket": bucket, "endpoint_url": ground.server.endpoint_url, "every": "1h", "RUNNER_STOP_TIMEOUT": stop,
    }  # fmt: skip
    return ground.start("exec", "--", *command, options=options, variables=variables)


@pytest.mark.parametrize(
    ("options", "seconds_after_term"),
    [(HARDENED, 0.0), (("--init",), 0.0), (("-it",), 0.0), ((), 12.0)],
    ids=["hardened", "init", "terminal", "slow-app"],
)
def test_stopped_container_has_every_line_in_the_bucket(
    ground: Ground, bucket: str, options: tuple[str, ...], seconds_after_term: float
) -> None:
    container = start(ground, bucket, *app(seconds_after_term=seconds_after_term), options=options)
    wait_until(lambda: len(said(container)) > 50, "the app is at work", timeout_seconds=40)
    before = len(said(container))
    assert container.stop(60) == 0
    numbers = said(container)
    assert len(numbers) > before + 20 * seconds_after_term / 4  # went on while it had time
    assert_all_is_there(ground.server, bucket, numbers)


def test_app_that_ends_by_itself_has_every_line_in_the_bucket(ground: Ground, bucket: str) -> None:
    container = start(ground, bucket, *app(most=100))
    assert container.wait() == 0
    assert said(container) == list(range(1, 101))
    assert_all_is_there(ground.server, bucket, said(container))
