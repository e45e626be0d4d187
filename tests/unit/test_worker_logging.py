"""Records into a pipe: whole, bounded, and never waiting for its reader."""

import json
import os
from collections.abc import Iterator

import pytest

from runner.supervisor.output_lines import OutputLine, OutputLines
from runner.worker.logging import WorkerLog


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read_fd, write_fd = os.pipe()
    os.set_blocking(read_fd, False)
    yield read_fd, write_fd
    os.close(read_fd)
    os.close(write_fd)


def read_all(fd: int) -> bytes:
    data = b""
    try:
        while piece := os.read(fd, 65536):
            data += piece
    except BlockingIOError:
        pass
    return data


def test_log_record_is_one_line_that_the_supervisor_reads(pipe: tuple[int, int]) -> None:
    log = WorkerLog(pipe[1], "INFO", "site")
    log.log("WARNING", "name with \x1b and \udcff\nsecond line")
    data = read_all(pipe[0])
    assert data.startswith(b"\x1e{")
    assert json.loads(data[1:])["pair"] == "site"
    assert OutputLines().feed(data) == [OutputLine("WARNING", "name with \\x1b and \\xff\nsecond line", "")]


def test_log_below_the_level_is_not_sent(pipe: tuple[int, int]) -> None:
    WorkerLog(pipe[1], "WARNING", "site").log("INFO", "hello")
    assert read_all(pipe[0]) == b""


def test_log_full_pipe_keeps_a_bounded_amount_and_says_what_was_dropped(pipe: tuple[int, int]) -> None:
    log = WorkerLog(pipe[1], "INFO", "site")
    woken: list[bool] = []
    log.on_backlog = lambda: woken.append(True)
    for number in range(5000):
        log.log("INFO", f"{number} " + "x" * 300)
    assert log.wants_write
    assert woken
    lines, parser = [], OutputLines()
    while log.wants_write:
        lines += parser.feed(read_all(pipe[0]))
        log.flush()
    log.log("INFO", "last")
    lines += parser.feed(read_all(pipe[0]))
    assert 1000 < len(lines) < 2000
    assert lines[-1].message == "last"
    assert "log messages were dropped" in lines[-2].message
    assert all(not line.stream for line in lines), "no record was torn"


def test_log_long_record_arrives_whole(pipe: tuple[int, int]) -> None:
    log = WorkerLog(pipe[1], "INFO", "site")
    log.log("ERROR", "y" * 11_000)
    (line,) = OutputLines().feed(read_all(pipe[0]))
    assert line.message == "y" * 11_000


def test_log_reader_gone_is_silence() -> None:
    read_fd, write_fd = os.pipe()
    os.close(read_fd)
    log = WorkerLog(write_fd, "INFO", "site")
    log.log("ERROR", "nobody")
    assert not log.wants_write
    os.close(write_fd)
