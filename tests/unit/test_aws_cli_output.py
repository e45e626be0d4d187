"""The output parser: both versions' statements, progress, odd names, and any cutting of the streams."""

from hypothesis import given, settings
from hypothesis import strategies as st

from runner.engine.aws_cli.output import STDERR, STDOUT, OutputParser, RunCounts

SESSION = (
    b"Completed 256.0 KiB/~1.5 MiB (3.2 MiB/s) with ~3 file(s) remaining (calculating...)\r"
    b"upload: ./a.txt to s3://b/a.txt                                   \n"
    b"Completed 1.5 MiB/2.0 GiB (10 Bytes/s) with 2 file(s) remaining\r"
    b"upload: ./new\nline to s3://b/new\nline\n"
    b"download: s3://b/x to ./x\ncopy: s3://b/y to s3://c/y\ndelete: s3://b/z\n(dryrun) upload: q to s3://b/q\n"
)
COMPLAINTS = (
    b"warning: Skipping file /x/fifo. File is character special device, block special device, FIFO, or socket.\n"
    b"upload failed: ./b to s3://b/b An error occurred (AccessDenied) when calling the PutObject operation: no\n"
    b"download failed: s3://b/d\nir to ./d\nir [Errno 21] Is a directory: 'd.1234'\n"
    b"upload failed: ./\xff to s3://b/? 'utf-8' codec can't encode character '\\udcff' in position 1\n"
)


def parsed(stdout: bytes, stderr: bytes = b"") -> RunCounts:
    parser = OutputParser()
    parser.feed(stdout, STDOUT)
    parser.feed(stderr, STDERR)
    parser.close()
    return parser.counts


def test_counts_of_a_session_are_of_line_starts_only() -> None:
    counts = parsed(SESSION, COMPLAINTS)

    assert (counts.uploaded, counts.downloaded, counts.copied, counts.deleted) == (2, 1, 1, 1)
    assert (counts.failed, counts.lasting_failures, counts.warnings, counts.fatal) == (3, 2, 1, 0)
    assert counts.moved == 4


def test_last_progress_line_gives_bytes_rate_and_files_left() -> None:
    counts = parsed(SESSION)

    assert (counts.bytes_done, counts.bytes_total) == (1_572_864, 2 << 30)
    assert (counts.bytes_per_second, counts.files_left) == (10.0, 2)


def test_progress_without_bytes_gives_files_left() -> None:
    counts = parsed(b"Completed 5 file(s) with ~7 file(s) remaining (calculating...)\r")

    assert (counts.bytes_done, counts.files_left) == (None, 7)


def test_statements_inside_a_line_or_on_the_other_stream_do_not_count() -> None:
    counts = parsed(b"x upload: a to b\n upload: a to b\nwarning: a\n", b"upload: a to b\n x warning: a\n")

    assert (counts.uploaded, counts.warnings, counts.failed) == (0, 0, 0)


def test_fatal_error_and_interrupt_count_as_fatal() -> None:
    assert parsed(b"", b"fatal error: An error occurred (NoSuchBucket)\n").fatal == 1
    assert parsed(b"", b"cancelled: ctrl-c received").fatal == 1


def test_unfinished_last_line_counts_after_close() -> None:
    assert parsed(b"upload: a to s3://b/a").uploaded == 1


def test_error_lines_are_bounded_and_printable() -> None:
    counts = parsed(b"", b"".join(b"bad \x1b[31m\xff%d " % number + b"x" * 9000 + b"\n" for number in range(50)))

    assert len(counts.error_lines) == 20
    assert counts.error_lines[-1].startswith("bad \\x1b[31m\\xff49 x")
    assert max(map(len, counts.error_lines)) <= 600


def test_nonsense_numbers_do_not_raise() -> None:
    assert parsed(b"Completed 1.2.3 MiB/~... GiB (1 MiB/s) with 1 file(s) remaining\r").bytes_done == 0


@settings(max_examples=150)
@given(
    st.lists(st.integers(1, 60), max_size=60),
    st.lists(st.sampled_from([SESSION, b"\r", b"\n", b"upload: ", b"x" * 10_000]), max_size=4).map(b"".join),
)
def test_any_chunking_gives_the_same_counts(cuts: list[int], extra: bytes) -> None:
    stdout, stderr = extra + SESSION, COMPLAINTS + extra
    parser = OutputParser()
    for stream, data in ((STDOUT, stdout), (STDERR, stderr)):
        rest = data
        for cut in cuts:
            parser.feed(rest[:cut], stream)
            rest = rest[cut:]
        parser.feed(rest, stream)
    parser.close()

    assert parser.counts == parsed(stdout, stderr)


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_any_bytes_are_taken(stdout: bytes, stderr: bytes) -> None:
    assert parsed(stdout, stderr).moved >= 0
