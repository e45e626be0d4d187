"""`cron` and `at`: right on both edges of summer time, one catch-up, never twice."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from runner.worker.calendar_times import CalendarTimes

BERLIN = ZoneInfo("Europe/Berlin")


def wall(text: str, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).timestamp()


def moments(times: CalendarTimes, count: int) -> list[str]:
    found = []
    for _ in range(count):
        assert times.next_at is not None
        found.append(datetime.fromtimestamp(times.next_at, BERLIN).isoformat(timespec="minutes"))
        times.started(times.next_at)
    return found


def test_at_skipped_hour_of_spring_runs_right_after_the_gap() -> None:
    times = CalendarTimes(None, ("02:30",), "Europe/Berlin", wall("2026-03-28T12:00"))
    assert moments(times, 2) == ["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"]


def test_at_doubled_hour_of_autumn_runs_once() -> None:
    times = CalendarTimes(None, ("02:30",), "Europe/Berlin", wall("2026-10-24T12:00"))
    assert moments(times, 2) == ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]


def test_at_asked_in_the_second_doubled_hour_waits_for_the_next_day() -> None:
    times = CalendarTimes(None, ("02:30",), "Europe/Berlin", wall("2026-10-25T02:10", fold=1))
    assert moments(times, 1) == ["2026-10-26T02:30+01:00"]


def test_cron_every_half_hour_goes_on_through_both_edges() -> None:
    times = CalendarTimes("*/30 * * * *", (), "Europe/Berlin", wall("2026-10-25T01:45"))
    assert moments(times, 5) == [
        "2026-10-25T02:00+02:00",
        "2026-10-25T02:30+02:00",
        "2026-10-25T02:00+01:00",
        "2026-10-25T02:30+01:00",
        "2026-10-25T03:00+01:00",
    ]


def test_at_several_times_come_in_order() -> None:
    times = CalendarTimes("0 12 * * *", ("18:00", "06:00"), "UTC", 0.0)
    hours = []
    for _ in range(4):
        assert times.next_at is not None
        hours.append(int(times.next_at // 3600) % 24)
        times.started(times.next_at)
    assert hours == [6, 12, 18, 6]


def test_cron_gap_costs_one_catch_up() -> None:
    times = CalendarTimes("0 * * * *", (), "UTC", 0.0)
    assert times.is_due(10 * 3600.0 + 5)
    times.started(10 * 3600.0 + 5)
    assert times.next_at == 11 * 3600.0


def test_cron_clock_set_back_a_little_serves_nothing_twice() -> None:
    times = CalendarTimes("0 * * * *", (), "UTC", 0.0)
    times.started(3600.0)
    times.clock_stepped(1800.0, -1800.0)
    assert not times.is_due(3600.0)
    assert times.next_at == 7200.0


def test_cron_clock_corrected_by_a_year_does_not_wait_a_year() -> None:
    year = 365 * 86400.0
    times = CalendarTimes("0 * * * *", (), "UTC", year)
    times.clock_stepped(100.0, 100.0 - year)
    assert times.next_at == 3600.0


@given(
    st.integers(0, 23),
    st.integers(0, 59),
    st.datetimes(datetime(2025, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001 (hypothesis wants naive bounds)
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"]),
)
def test_at_any_zone_and_day_is_strictly_later_and_within_two_days(
    hour: int, minute: int, start: datetime, zone: str
) -> None:
    now = start.replace(tzinfo=ZoneInfo("UTC")).timestamp()
    times = CalendarTimes(None, (f"{hour:02}:{minute:02}",), zone, now)
    days = []
    for _ in range(3):
        assert times.next_at is not None
        assert now < times.next_at <= now + timedelta(days=1, hours=2).total_seconds()
        now = times.next_at
        days.append(datetime.fromtimestamp(now, ZoneInfo(zone)).date())
        times.started(now)
        assert not times.is_due(now)
    assert len(set(days)) == 3
