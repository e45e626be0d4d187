import pytest

from runner.supervisor.exits import read_status


@pytest.mark.parametrize(
    ("status", "code", "name", "reason"),
    [
        (0, 0, None, "ended"),
        (1 << 8, 1, None, "ended with exit code 1"),
        (78 << 8, 78, None, "ended with exit code 78"),
        (9, None, "SIGKILL", "killed by SIGKILL"),
        (6 | 0x80, None, "SIGABRT", "killed by SIGABRT"),
        (40, None, "signal 40", "killed by signal 40"),
    ],
)
def test_exit_is_read_from_the_wait_status(status: int, code: int | None, name: str | None, reason: str) -> None:
    found = read_status(status, at=1.0)
    assert (found.code, found.signal, found.reason, found.at) == (code, name, reason, 1.0)


def test_exit_that_we_caused_names_our_reason() -> None:
    assert read_status(9, at=0.0, why_we_ended_it="stuck").reason == "stuck"
    assert read_status(0, at=0.0, why_we_ended_it="stuck").reason == "stuck"


def test_exit_with_its_own_words_says_them() -> None:
    found = read_status(78 << 8, at=0.0, its_own_words="no aws on this machine")
    assert found.is_permanent
    assert found.reason == "no aws on this machine"
    assert read_status(0, at=0.0, its_own_words="old words").reason == "ended"
