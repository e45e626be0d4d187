import pytest

from runner.supervisor.output_lines import LINE_BYTES, OutputLine, OutputLines


def test_output_record_keeps_its_level() -> None:
    lines = OutputLines().feed(b'\x1e{"level":"ERROR","message":"no\\nway"}\n')
    assert lines == [OutputLine("ERROR", "no\nway", "")]


def test_output_in_pieces_is_put_together() -> None:
    output = OutputLines()
    assert output.feed(b"Fatal Python ") == []
    assert output.feed(b"error\nrest") == [OutputLine("WARNING", "Fatal Python error", "stderr")]
    assert output.end() == [OutputLine("WARNING", "rest", "stderr")]
    assert output.end() == []


@pytest.mark.parametrize("data", [b"\x1e{broken\n", b"\x1e[1]\n", b"\x1e\n", b"\xff\xfe\n", b"\x1e\x1e\x1e\n"])
def test_output_that_is_no_record_is_raw_text(data: bytes) -> None:
    assert [line.stream for line in OutputLines().feed(data)] in ([], ["stderr"])


@pytest.mark.parametrize("level", ['"LOUD"', '["x"]', "null", "7"])
def test_output_record_with_a_strange_level_is_info(level: str) -> None:
    data = f'\x1e{{"level":{level},"message":1}}\n'.encode()
    assert OutputLines().feed(data) == [OutputLine("INFO", "1", "")]


def test_output_line_without_end_is_cut_and_the_rest_of_it_dropped() -> None:
    output = OutputLines()
    lines = [line for _ in range(40) for line in output.feed(b"x" * 4096)]
    assert len(lines) == 1
    assert lines[0].message.startswith("x" * LINE_BYTES)
    assert lines[0].message.endswith("(cut)")
    assert output.feed(b"tail\nnext\n") == [OutputLine("WARNING", "next", "stderr")]


def test_output_empty_lines_are_not_worth_a_line() -> None:
    assert OutputLines().feed(b"\n\r\n  \n") == []
