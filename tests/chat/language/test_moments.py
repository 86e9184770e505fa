"""Moments, clock times and days as people say them."""

from __future__ import annotations

from datetime import datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lms_bot.chat.language.moments import MOST_DAYS, parse_clock, parse_clock_range, parse_days, parse_moment
from lms_bot.core.clock import UTC

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 18, 12, 0, tzinfo=UTC)  # a Wednesday; 13:00 in Berlin


@pytest.mark.parametrize(
    ("said", "local"),
    [
        ("tomorrow", "2026-03-19 00:00"),
        ("until tomorrow", "2026-03-19 00:00"),
        ("Till Tomorrow", "2026-03-19 00:00"),
        ("today", "2026-03-19 00:00"),
        ("until tomorrow 8:00", "2026-03-19 08:00"),
        ("until 8am tomorrow", "2026-03-19 08:00"),
        ("until tomorrow at noon", "2026-03-19 12:00"),
        ("until 18:00", "2026-03-18 18:00"),
        ("until 6pm", "2026-03-18 18:00"),
        ("until 18", "2026-03-18 18:00"),
        ("18:00", "2026-03-18 18:00"),
        ("until 12:30", "2026-03-19 12:30"),
        ("until today 18:00", "2026-03-18 18:00"),
        ("until midnight", "2026-03-19 00:00"),
        ("until monday", "2026-03-23 00:00"),
        ("until next Monday", "2026-03-23 00:00"),
        ("until mon", "2026-03-23 00:00"),
        ("monday 9:00", "2026-03-23 09:00"),
        ("until 9:00 on monday", "2026-03-23 09:00"),
        ("until wednesday", "2026-03-25 00:00"),
        ("until next week", "2026-03-23 00:00"),
        ("until next month", "2026-04-01 00:00"),
        ("until 2026-04-01", "2026-04-01 00:00"),
        ("until 2026-04-01 7:30", "2026-04-01 07:30"),
        ("3 days", "2026-03-21 13:00"),
        ("for 3 days", "2026-03-21 13:00"),
        ("for the next 3 days", "2026-03-21 13:00"),
        ("3d", "2026-03-21 13:00"),
        ("2 weeks", "2026-04-01 13:00"),
        ("a week", "2026-03-25 13:00"),
        ("week", "2026-03-25 13:00"),
        ("1 month", "2026-04-17 13:00"),
        ("an hour", "2026-03-18 14:00"),
        ("90 minutes", "2026-03-18 14:30"),
        ("30 min", "2026-03-18 13:30"),
        ("12h", "2026-03-19 01:00"),
    ],
)
def test_moments_ahead_in_ones_own_zone(said: str, local: str) -> None:
    assert parse_moment(said, NOW, BERLIN) == datetime.fromisoformat(local).replace(tzinfo=BERLIN).astimezone(UTC)


@pytest.mark.parametrize(
    "said",
    [
        *("", "until", "3", "soon", "fortnight", "0 days", "-3 days", "99999 days", "9999 weeks"),
        "until today 10:00",
        *("until 2026-03-01", "until 2026-02-30", "until 9999-12-31", "until 25:00", "until 13pm", "friday 3 days"),
        *("until \uff12026-04-01", "\uff13 days", "the", "until the", "h", "next"),
    ],
)
def test_what_is_no_moment_ahead(said: str) -> None:
    assert parse_moment(said, NOW, BERLIN) is None


def test_days_go_by_the_clock_on_the_wall_when_it_is_put_forward() -> None:
    before = datetime(2026, 3, 28, 18, 0, tzinfo=BERLIN)
    assert parse_moment("1 day", before, BERLIN) == datetime(2026, 3, 29, 18, 0, tzinfo=BERLIN).astimezone(UTC)
    assert parse_moment("24 hours", before, BERLIN) == before.astimezone(UTC) + timedelta(hours=24)


ZONES = st.sampled_from([UTC, BERLIN, ZoneInfo("Pacific/Kiritimati"), timezone(-timedelta(hours=23))])
WORDS = st.sampled_from(["until", "next", "monday", "3", "days", "9:00", "at", "2026-04-01", "9999-12-31", "pm"])


@given(st.one_of(st.text(max_size=40), st.lists(WORDS, max_size=5).map(" ".join)), ZONES)
def test_whatever_is_said_it_is_ahead_and_not_too_far(said: str, zone: tzinfo) -> None:
    moment = parse_moment(said, NOW, zone)
    assert moment is None or NOW < moment <= NOW + timedelta(days=MOST_DAYS)
    parse_clock(said), parse_clock_range(said), parse_days(said)


@pytest.mark.parametrize("now", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
def test_the_ends_of_the_calendar_are_no_trouble(now: datetime) -> None:
    for said in ("3 days", "until monday", "until 18:00"):
        parse_moment(said, now, UTC)


@pytest.mark.parametrize(
    ("said", "clock"),
    [
        ("21:00", time(21)),
        ("7", time(7)),
        ("07:30", time(7, 30)),
        ("7.30", time(7, 30)),
        ("0730", time(7, 30)),
        ("21h", time(21)),
        ("9pm", time(21)),
        ("9:15 PM", time(21, 15)),
        ("9 p.m", time(21)),
        ("12am", time(0)),
        ("12pm", time(12)),
        ("24:00", time(0)),
        ("midnight", time(0)),
        ("25", None),
        ("24:01", None),
        ("13pm", None),
        ("0am", None),
        ("9:60", None),
        ("", None),
        ("nine", None),
    ],
)
def test_clock_times(said: str, clock: time | None) -> None:
    assert parse_clock(said) == clock


@pytest.mark.parametrize(
    "said",
    [
        *("21:00-07:00", "9pm-7am", "21-7", "21 - 7", "21:00 to 07:00", "from 9pm until 7am", "between 21h and 7h"),
        *("21:00\u201307:00", "21:00 07:00", "9 pm 7 am", "2100-0700"),
    ],
)
def test_ranges_of_clock_times(said: str) -> None:
    assert parse_clock_range(said) == (time(21), time(7))


@pytest.mark.parametrize("said", ["", "21:00", "21:00-", "-7", "21-25", "21-7-9", "now-then", "21:00-07:00 or so"])
def test_what_is_no_range(said: str) -> None:
    assert parse_clock_range(said) is None


@pytest.mark.parametrize(
    ("said", "days"),
    [
        ("mon-fri", "mon tue wed thu fri"),
        ("Monday to Friday", "mon tue wed thu fri"),
        ("mon \u2013 fri", "mon tue wed thu fri"),
        ("weekdays", "mon tue wed thu fri"),
        ("mondays through thursdays", "mon tue wed thu"),
        ("sun-thu", "mon tue wed thu sun"),
        ("fri-mon", "mon fri sat sun"),
        ("mon,wed,fri", "mon wed fri"),
        ("mon, weds and fri", "mon wed fri"),
        ("fri mon", "mon fri"),
        ("only tues", "tue"),
        ("weekends", "sat sun"),
        ("mon-tue, sat", "mon tue sat"),
        ("mo-fr", "mon tue wed thu fri"),
        ("mon-sun", "mon tue wed thu fri sat sun"),
    ],
)
def test_days_of_the_week(said: str, days: str) -> None:
    assert parse_days(said) == tuple(days.split())


@pytest.mark.parametrize("said", ["", "and", "m", "mon-", "-fri", "monty", "mon-fri-sun", "holidays", "mon john"])
def test_what_is_no_days(said: str) -> None:
    assert parse_days(said) is None
