"""The one writer of logs, whole."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runner.config.settings import LoggingSettings
from runner.supervisor.log_sink import LogSink

AT = 1_795_412_435.0
PREFIX = "2026-11-23T05:40:35.000Z"


class Screen:
    """A pipe in the place of standard error."""

    def __init__(self) -> None:
        self.read_fd, self.write_fd = os.pipe()
        os.set_blocking(self.read_fd, False)

    def lines(self) -> list[str]:
        try:
            return os.read(self.read_fd, 1_000_000).decode().splitlines()
        except BlockingIOError:
            return []


@pytest.fixture
def screen() -> Iterator[Screen]:
    made = Screen()
    yield made
    os.close(made.read_fd)
    os.close(made.write_fd)


@pytest.fixture
def sink_of(screen: Screen) -> Iterator[Callable[..., LogSink]]:
    made: list[LogSink] = []

    def make(*, secrets: tuple[str, ...] = (), spawned: list[list[str]] | None = None, **keys: object) -> LogSink:
        spawn = spawned.append if spawned is not None else None
        settings = LoggingSettings.model_construct(**{**LoggingSettings().__dict__, **keys})
        made.append(LogSink(settings, spawn=spawn, secrets=secrets, stderr_fd=screen.write_fd))
        return made[-1]

    yield make
    for sink in made:
        sink.close()


Make = Callable[..., LogSink]


def test_without_a_file_everything_goes_to_standard_error(sink_of: Make, screen: Screen) -> None:
    sink = sink_of()
    sink.record("INFO", "site", "hello", "", AT)
    sink.record("DEBUG", "site", "too fine", "", AT)
    assert screen.lines() == [f"{PREFIX} INFO [site] hello"]


def test_with_a_file_standard_error_keeps_only_the_supervisors_troubles(
    sink_of: Make, screen: Screen, tmp_path: Path
) -> None:
    sink = sink_of(file=tmp_path / "r.log")
    sink.record("INFO", None, "started", "", AT)
    sink.record("ERROR", "site", "pass failed", "", AT)
    sink.record("WARNING", None, "config not taken over", "", AT)
    assert screen.lines() == [f"{PREFIX} WARNING [-] config not taken over"]
    assert len((tmp_path / "r.log").read_text().splitlines()) == 3


def test_pair_files_hold_a_pairs_lines_once_more(sink_of: Make, screen: Screen, tmp_path: Path) -> None:
    sink = sink_of(pair_files=str(tmp_path / "logs" / "{pair}.log"), format="json")
    sink.record("INFO", "a", "one", "", AT)
    sink.record("INFO", "b", "two", "", AT)
    sink.record("INFO", None, "three", "", AT)
    assert [json.loads(line)["message"] for line in screen.lines()] == ["one", "two", "three"]
    assert json.loads((tmp_path / "logs" / "a.log").read_text())["message"] == "one"
    assert sorted(os.listdir(tmp_path / "logs")) == ["a.log", "b.log"]


def test_unwritable_file_sends_lines_to_standard_error_and_says_why_once(
    sink_of: Make, screen: Screen, tmp_path: Path
) -> None:
    (tmp_path / "no").write_text("")
    sink = sink_of(file=tmp_path / "no" / "r.log")
    for number in range(3):
        sink.record("INFO", "a", f"line {number}", "", AT)
        sink.check(AT)
    lines = screen.lines()
    assert sum("cannot write the log file" in line for line in lines) == 1
    assert [line for line in lines if "[a]" in line] == [f"{PREFIX} INFO [a] line {n}" for n in range(3)]
    assert sink.dropped == 3
    (tmp_path / "no").unlink()
    sink.check(AT)
    sink.record("INFO", "a", "back", "", AT)
    written = (tmp_path / "no" / "r.log").read_text()
    assert "3 lines could not be written to this log" in written
    assert written.endswith("[a] back\n")


def test_secrets_reach_neither_file_nor_memory(sink_of: Make, screen: Screen) -> None:
    sink = sink_of(secrets=("s3cr3t-value",))
    sink.record("ERROR", "a", "failed with s3cr3t-value", "stderr", AT)
    assert "s3cr3t" not in "".join(screen.lines() + sink.tail("a", 10) + sink.tail(None, 10))


def test_storm_of_equal_lines_is_summed_up(sink_of: Make, screen: Screen) -> None:
    sink = sink_of()
    for _ in range(1000):
        sink.record("ERROR", "a", "storm", "", AT)
    sink.check(AT + 11)
    assert [line.split("] ")[1] for line in screen.lines()] == ["storm", "last message repeated 999 times"]


def test_close_writes_what_was_held_back(sink_of: Make, screen: Screen) -> None:
    sink = sink_of()
    sink.record("ERROR", "a", "twice", "", AT)
    sink.record("ERROR", "a", "twice", "", AT)
    sink.close()
    assert screen.lines()[-1].endswith("last message repeated once")


def test_rotated_file_is_compressed_by_another_process_asked_for_once(sink_of: Make, tmp_path: Path) -> None:
    spawned: list[list[str]] = []
    sink = sink_of(file=tmp_path / "r.log", max_size_bytes=100, spawned=spawned)
    for number in range(4):
        sink.record("INFO", "a", f"{number} {'x' * 60}", "", AT)
        sink.check(AT)
    archives = {command[-1] for command in spawned}
    assert len(archives) == len(spawned) == 3


def test_reopen_makes_the_file_anew(sink_of: Make, tmp_path: Path) -> None:
    sink = sink_of(file=tmp_path / "r.log")
    sink.record("INFO", "a", "one", "", AT)
    (tmp_path / "r.log").rename(tmp_path / "r.log.1")
    sink.reopen()
    sink.record("INFO", "a", "two", "", AT)
    assert (tmp_path / "r.log").read_text().endswith("two\n")


def test_listener_gets_its_pairs_lines_until_it_leaves(sink_of: Make) -> None:
    sink = sink_of()
    heard: list[str] = []
    leave = sink.subscribe("a", heard.append)
    sink.record("INFO", "a", "one\ntwo", "", AT)
    sink.record("INFO", "b", "other", "", AT)
    leave()
    leave()
    sink.record("INFO", "a", "three", "", AT)
    assert heard == [f"{PREFIX} INFO [a] one", f"{PREFIX} INFO [a] | two"]


def test_reconfigure_moves_to_the_new_file_and_keeps_memory(sink_of: Make, tmp_path: Path) -> None:
    sink = sink_of(file=tmp_path / "old.log")
    sink.record("INFO", "a", "one", "", AT)
    sink.reconfigure(LoggingSettings(file=tmp_path / "new.log", level="ERROR"))
    sink.record("INFO", "a", "filtered", "", AT)
    sink.record("ERROR", "a", "two", "", AT)
    assert (tmp_path / "old.log").read_text().count("\n") == 1
    assert (tmp_path / "new.log").read_text().endswith("two\n")
    assert len(sink.tail("a", 10)) == 2
