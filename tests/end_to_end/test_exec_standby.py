"""An `exec` behind another runner of the same folder: as ready as that one is."""

import subprocess
from pathlib import Path

from tests.end_to_end.harness import RUNNER, Runner
from tests.witness import put


def test_exec_in_standby_starts_its_app_when_the_holder_is_hydrated(
    runner: Runner, bucket: str, tmp_path: Path
) -> None:
    put(runner.server, bucket, "file", b"x")
    runner.write_config([{"name": "data", "bucket": bucket, "folder": str(tmp_path / "data"), "mode": "pull"}])
    second = tmp_path / "second.yaml"
    second.write_text(runner.config.read_text())
    runner.start()
    runner.wait_for("data", hydrated=True)
    command = [RUNNER, "--config", str(second), "exec", "--", "ls", str(tmp_path / "data")]
    done = subprocess.run(command, env=runner.environment, capture_output=True, text=True, timeout=40, check=False)
    assert (done.returncode, done.stdout) == (0, "file\n")
    assert "standby: " in done.stderr
    assert runner.stop() == 0
