"""Periods as people say them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lms_bot.chat.periods import parse_period
from lms_bot.clock import find_zone

UTC = timezone.utc
KOLKATA = ZoneInfo("Asia/Kolkata")  # +05:30
NEW_YORK = ZoneInfo("America/New_York")  # -05:00, from 8 March 2026 on -04:00
NOW = datetime(2026, 3, 18, 20, 15, tzinfo=UTC)  # a Wednesday; in Kolkata it is Thursday, 01:45


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "start", "end", "label"),
    [
        ("today", "2026-03-18", "2026-03-19", "today"),
        ("TODAY", "2026-03-18", "2026-03-19", "today"),
        ("yesterday", "2026-03-17", "2026-03-18", "yesterday"),
        ("this week", "2026-03-16", "2026-03-19", "this week"),
        ("last week", "2026-03-09", "2026-03-16", "last week"),
        ("this month", "2026-03-01", "2026-03-19", "this month"),
        ("previous month", "2026-02-01", "2026-03-01", "last month"),
    ],
)
def test_calendar_periods_begin_and_end_at_midnight(said: str, start: str, end: str, label: str) -> None:
    period = parse_period(said, NOW, UTC)
    assert period is not None
    assert (period.start, period.end, period.label) == (utc(start), utc(end), label)


@pytest.mark.parametrize(
    ("said", "start", "label"),
    [
        ("last hour", "2026-03-18 19:15", "the last hour"),
        ("hour", "2026-03-18 19:15", "the last hour"),
        ("last 24 hours", "2026-03-17 20:15", "the last 24 hours"),
        ("24h", "2026-03-17 20:15", "the last 24 hours"),
        ("1 day", "2026-03-17", "the last day"),
        ("3 days", "2026-03-15", "the last 3 days"),
        ("3days", "2026-03-15", "the last 3 days"),
        ("3d", "2026-03-15", "the last 3 days"),
        ("the last   3 days", "2026-03-15", "the last 3 days"),
        ("in the past 3 days", "2026-03-15", "the last 3 days"),
        ("week", "2026-03-11", "the last 7 days"),
        ("past week", "2026-03-11", "the last 7 days"),
        ("2 weeks", "2026-03-04", "the last 14 days"),
        ("month", "2026-02-16", "the last 30 days"),
        ("last year", "2025-03-18", "the last 365 days"),
    ],
)
def test_lengths_of_time_reach_up_to_now(said: str, start: str, label: str) -> None:
    period = parse_period(said, NOW, UTC)
    assert period is not None
    assert (period.start, period.label) == (utc(start), label)
    assert period.end > NOW + timedelta(hours=1), (
        "what a clock ahead of ours dates in the future belongs to now"
    )


def test_days_begin_at_the_askers_midnight() -> None:
    today = parse_period("today", NOW, KOLKATA)
    yesterday = parse_period("yesterday", NOW, KOLKATA)
    assert today is not None and yesterday is not None
    assert (today.start, today.end) == (utc("2026-03-18 18:30"), utc("2026-03-19 18:30"))
    assert yesterday.end == today.start


def test_a_day_on_which_the_clocks_change_has_its_own_length() -> None:
    changed = parse_period("yesterday", datetime(2026, 3, 9, 12, tzinfo=UTC), NEW_YORK)
    assert changed is not None
    assert changed.end - changed.start == timedelta(hours=23)


@pytest.mark.parametrize(
    "said",
    ["", "someday", "0 days", "days 3", "99999 days", "9999 years", "-3 days", "3.5 days", "d", "٣ days"],
)
def test_what_is_no_period_is_none(said: str) -> None:
    assert parse_period(said, NOW, UTC) is None


@given(st.text(alphabet="0123456789 lastdaysweekhourmonth", max_size=30))
def test_any_text_gives_a_period_that_starts_before_it_ends_or_none(said: str) -> None:
    period = parse_period(said, NOW, KOLKATA)
    assert period is None or period.start < period.end


@pytest.mark.parametrize("name", ["", None, "Nowhere/Land", "../../etc/passwd", "America", "\0", "a" * 5000])
def test_a_time_zone_that_does_not_exist_is_utc(name: str | None) -> None:
    assert find_zone(name) is UTC


def test_a_time_zone_is_found_by_its_name() -> None:
    assert find_zone("Asia/Kolkata") == KOLKATA
