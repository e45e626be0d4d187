"""Golden lines: what a log reader sees."""

import json

from runner.supervisor.log_records import (
    MESSAGE_CHARACTERS,
    LogRecord,
    json_lines,
    rank,
    shortened,
    text_lines,
    timestamp,
)

AT = 1_795_412_435.123


def test_timestamp_is_utc_with_milliseconds() -> None:
    assert timestamp(AT) == "2026-11-23T05:40:35.123Z"
    assert timestamp(0) == "1970-01-01T00:00:00.000Z"
    assert timestamp(1e300).startswith("@")


def test_text_line_names_time_level_and_pair() -> None:
    assert text_lines(LogRecord(AT, "INFO", "site", "pass done")) == ["2026-11-23T05:40:35.123Z INFO [site] pass done"]
    assert text_lines(LogRecord(AT, "ERROR", None, "x")) == ["2026-11-23T05:40:35.123Z ERROR [-] x"]


def test_text_of_a_traceback_has_the_prefix_on_each_line() -> None:
    lines = text_lines(LogRecord(AT, "ERROR", "site", "boom\nTraceback:\n  File x\n"))
    assert lines == [
        "2026-11-23T05:40:35.123Z ERROR [site] boom",
        "2026-11-23T05:40:35.123Z ERROR [site] | Traceback:",
        "2026-11-23T05:40:35.123Z ERROR [site] |   File x",
    ]


def test_raw_output_names_its_stream() -> None:
    assert text_lines(LogRecord(AT, "ERROR", "site", "x", "stderr")) == [
        "2026-11-23T05:40:35.123Z ERROR [site stderr] x"
    ]


def test_names_cannot_forge_lines_or_colours() -> None:
    message = "put a\r2026-01-01 ERROR [-] forged\x1b[31m\u202e\u2028\x85 \udcff"
    (line,) = text_lines(LogRecord(AT, "INFO", "site", message))
    assert line.endswith(r"put a\x0d2026-01-01 ERROR [-] forged\x1b[31m\u202e\u2028\x85 \xff")
    line.encode("utf-8")


def test_json_line_is_one_object_and_keeps_line_ends_escaped() -> None:
    (line,) = json_lines(LogRecord(AT, "INFO", None, "a\nb\x1b"))
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2026-11-23T05:40:35.123Z", "level": "INFO", "pair": None, "message": "a\nb\\x1b",
    }  # fmt: skip
    (raw,) = json_lines(LogRecord(AT, "INFO", "site", "x", "stderr"))
    assert json.loads(raw)["stream"] == "stderr"


def test_long_message_is_cut_and_says_so() -> None:
    assert shortened("x" * MESSAGE_CHARACTERS) == "x" * MESSAGE_CHARACTERS
    assert shortened("x" * (MESSAGE_CHARACTERS + 5)).endswith("x ... (5 characters cut)")


def test_unknown_level_counts_as_info() -> None:
    assert rank("LOUD") == rank("INFO")
    assert rank("DEBUG") < rank("INFO") < rank("WARNING") < rank("ERROR") < rank("CRITICAL")
