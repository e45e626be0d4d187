"""Standard error never blocks and never raises."""

import os
from pathlib import Path

from runner.supervisor.log_stderr import StandardError


def test_lines_go_through_a_pipe() -> None:
    read, write = os.pipe()
    stderr = StandardError(write)
    stderr.write(b"one\n")
    assert os.read(read, 100) == b"one\n"
    stderr.close()
    os.close(read)
    os.close(write)


def test_descriptor_that_others_share_stays_blocking() -> None:
    read, write = os.pipe()
    stderr = StandardError(write)
    assert os.get_blocking(write)
    stderr.close()
    os.write(write, b"still open\n")
    os.close(read)
    os.close(write)


def test_stalled_reader_does_not_block_and_gets_everything_later() -> None:
    read, write = os.pipe()
    stderr = StandardError(write)
    line = b"x" * 999 + b"\n"
    for _ in range(200):
        stderr.write(line)
    assert stderr.lost == 0
    got = 0
    while got < 200_000:
        got += len(os.read(read, 65536))
        stderr.flush()
    stderr.close()
    os.close(read)
    os.close(write)


def test_stalled_reader_loses_what_no_longer_fits() -> None:
    read, write = os.pipe()
    stderr = StandardError(write)
    for _ in range(2000):
        stderr.write(b"x" * 999 + b"\n")
    assert stderr.lost > 0
    stderr.close(timeout_seconds=0)
    os.close(read)
    os.close(write)


def test_closed_reader_is_harmless() -> None:
    read, write = os.pipe()
    stderr = StandardError(write)
    os.close(read)
    stderr.write(b"one\n")
    stderr.write(b"two\n")
    assert stderr.lost == 2
    stderr.close()
    os.close(write)


def test_closed_descriptor_is_harmless() -> None:
    stderr = StandardError(987)
    stderr.write(b"one\n")
    assert stderr.lost == 1
    stderr.close()


def test_redirected_file_is_continued_where_it_is(tmp_path: Path) -> None:
    fd = os.open(tmp_path / "err", os.O_WRONLY | os.O_CREAT)
    os.write(fd, b"before\n")
    stderr = StandardError(fd)
    stderr.write(b"ours\n")
    os.write(fd, b"after\n")
    stderr.close()
    os.close(fd)
    assert (tmp_path / "err").read_bytes() == b"before\nours\nafter\n"
