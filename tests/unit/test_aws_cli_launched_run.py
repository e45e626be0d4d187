"""What the launcher says of a run, heard however it is bundled."""

import os

from runner.engine.aws_cli.launched_run import LaunchedRun
from runner.engine.aws_cli.run_request import RunRequest
from runner.wire.channel import Channel


def test_run_that_ends_at_once_is_heard_though_its_end_came_together_with_its_start() -> None:
    ours, launcher = Channel.pair()
    started = {"type": "started", "pid": 2**22 + 7, "way": "warm", "version": "aws-cli/1", "program": ""}
    null = os.open(os.devnull, os.O_RDWR)

    def answer_before_anybody_reads() -> bool:
        for received in launcher.receive():
            launcher.send({**started, "run_id": received.message["run_id"]})
            launcher.send({"type": "ended", "run_id": received.message["run_id"], "status": 256})
            for fd in received.fds:
                os.close(fd)
        return False

    run = LaunchedRun.start(ours, RunRequest((), {}, 0o022), (null,) * 4, answer_before_anybody_reads)
    assert run is not None
    end = run.end()
    assert end is not None
    assert end.wait_status == 256
    run.close()
    os.close(null)
    ours.close()
    launcher.close()
