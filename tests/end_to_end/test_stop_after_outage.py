"""A stop in the first moment that S3 is back: what waited for the next try is pushed, not left behind."""

import time

import pytest

from tests.end_to_end.harness import Runner
from tests.gate import Gate
from tests.witness import objects, wait_until


@pytest.mark.parametrize("mode", ["push", "two-way"])
def test_stop_does_not_wait_for_the_backoff_of_an_outage_that_is_over(runner: Runner, bucket: str, mode: str) -> None:
    gate = Gate(runner.server.endpoint_url)
    pair = {"name": "it", "bucket": bucket, "folder": "data", "mode": mode, "every": "1h", "endpoint_url": gate.url}
    runner.write_config([pair], supervisor={"stop_timeout": "6s"})
    (runner.folder / "data").mkdir()
    (runner.folder / "data" / "file.txt").write_text("written during the outage\n")
    runner.start()
    wait_until(lambda: _next_try_in_seconds(runner) > 6.5, "a try that is farther away than this stop may last", 60)
    gate.open()
    try:
        assert runner.stop() == 0, runner.log_text()
        assert "file.txt" in objects(runner.server, bucket)
    finally:
        gate.shut()


def _next_try_in_seconds(runner: Runner) -> float:
    row = runner.pair("it")
    return float(row["next_pass_at"]) - time.time() if row.get("activity") == "retrying" else 0.0
