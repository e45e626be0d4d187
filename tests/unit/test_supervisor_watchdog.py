from runner.supervisor.watchdog import Pulse, Verdict, check_interval_seconds

TIMEOUT = 60.0


def test_watchdog_leaves_a_speaking_process_alone() -> None:
    pulse = Pulse(0.0)
    pulse.heard(50.0)
    assert pulse.verdict(100.0, TIMEOUT) is Verdict.ALIVE
    assert not pulse.is_stuck


def test_watchdog_aborts_silence_then_kills_once() -> None:
    pulse = Pulse(0.0)
    assert pulse.verdict(60.0, TIMEOUT) is Verdict.ABORT
    pulse.aborted_at = 60.0
    assert pulse.is_stuck
    assert pulse.verdict(61.0, TIMEOUT) is Verdict.ALIVE
    assert pulse.verdict(62.0, TIMEOUT) is Verdict.KILL
    pulse.killed = True
    assert pulse.verdict(63.0, TIMEOUT) is Verdict.ALIVE


def test_watchdog_does_not_count_the_time_it_slept_itself() -> None:
    pulse = Pulse(0.0)
    pulse.forgive(100.0)
    assert pulse.verdict(120.0, TIMEOUT) is Verdict.ALIVE


def test_watchdog_looks_often_enough_and_no_oftener() -> None:
    assert [check_interval_seconds(timeout) for timeout in (600.0, 20.0, 0.1)] == [5.0, 2.0, 0.05]
