"""Periods as people say them."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lms_bot.chat.language.periods import BackwardPeriod, parse_period
from lms_bot.core.clock import find_zone
from tests.worlds.chat_world import JOHN, World, add_exam
from tests.worlds.chat_world import NOW as NOON

UTC = timezone.utc
KOLKATA = ZoneInfo("Asia/Kolkata")  # +05:30
NEW_YORK = ZoneInfo("America/New_York")  # -05:00, from 8 March 2026 on -04:00
NOW = datetime(2026, 3, 18, 20, 15, tzinfo=UTC)  # a Wednesday; in Kolkata it is Thursday, 01:45
ZONES = [UTC, KOLKATA, NEW_YORK, *map(ZoneInfo, ("Pacific/Apia", "Africa/Cairo", "Australia/Lord_Howe"))]
SAID = (
    "last past this since from to until - .. ago today yesterday week days hour month year monday weekend march may "
    "31 29 0 1 9999 2026 2011-12-30 2011-12 31.12. 10/13/2026 february december twelve a the of in 1st"
)


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
        ("this week so far", "2026-03-16", "2026-03-19", "this week"),
        ("this year", "2026-01-01", "2026-03-19", "this year"),
        ("last year", "2025-01-01", "2026-01-01", "last year"),
        ("2026", "2026-01-01", "2027-01-01", "2026"),
        ("march", "2026-03-01", "2026-04-01", "March 2026"),
        ("in may", "2025-05-01", "2025-06-01", "May 2025"),
        ("Sept", "2025-09-01", "2025-10-01", "September 2025"),
        ("march 2025", "2025-03-01", "2025-04-01", "March 2025"),
        ("2026-01", "2026-01-01", "2026-02-01", "January 2026"),
        ("monday", "2026-03-16", "2026-03-17", "Monday, 16 March 2026"),
        ("on wed", "2026-03-18", "2026-03-19", "Wednesday, 18 March 2026"),
        ("last wednesday", "2026-03-11", "2026-03-12", "Wednesday, 11 March 2026"),
        ("the weekend", "2026-03-14", "2026-03-16", "the weekend"),
        ("3 days ago", "2026-03-15", "2026-03-16", "15 March 2026"),
        ("2026-01-10", "2026-01-10", "2026-01-11", "10 January 2026"),
        ("10.01.2026", "2026-01-10", "2026-01-11", "10 January 2026"),
        ("10.1.", "2026-01-10", "2026-01-11", "10 January 2026"),
        ("13/01/2026", "2026-01-13", "2026-01-14", "13 January 2026"),
        ("01/13/2026", "2026-01-13", "2026-01-14", "13 January 2026"),
        ("10 january", "2026-01-10", "2026-01-11", "10 January 2026"),
        ("the 10th of January", "2026-01-10", "2026-01-11", "10 January 2026"),
        ("January 10th, 2025", "2025-01-10", "2025-01-11", "10 January 2025"),
        ("10 december", "2025-12-10", "2025-12-11", "10 December 2025"),
        ("29 february", "2024-02-29", "2024-03-01", "29 February 2024"),
        ("2027-01-01", "2027-01-01", "2027-01-02", "1 January 2027"),
        ("since monday", "2026-03-16", "2026-03-19", "since Monday, 16 March 2026"),
        ("since 1 march", "2026-03-01", "2026-03-19", "since 1 March 2026"),
        ("since yesterday", "2026-03-17", "2026-03-19", "since yesterday"),
        ("since last week", "2026-03-09", "2026-03-19", "since last week"),
        ("from 1 march", "2026-03-01", "2026-03-19", "since 1 March 2026"),
        ("since 2027-01-01", "2027-01-01", "2027-01-02", "since 1 January 2027"),
        ("november to february", "2025-11-01", "2026-03-01", "November 2025 to February 2026"),
        ("march to november", "2025-03-01", "2025-12-01", "March 2025 to November 2025"),
        ("10 december to 20 january 2025", "2024-12-10", "2025-01-21", "10 December 2024 to 20 January 2025"),
        ("march 2024 until april", "2024-03-01", "2024-05-01", "March 2024 to April 2024"),
        ("yesterday to friday", "2026-03-17", "2026-03-21", "yesterday to Friday, 20 March 2026"),
        ("2026-01-10 to now", "2026-01-10", "2026-03-19", "10 January 2026 to today"),
    ],
)
def test_calendar_periods_begin_and_end_at_midnight(said: str, start: str, end: str, label: str) -> None:
    period = parse_period(said, NOW, UTC)
    assert period is not None
    assert (period.start, period.end, period.label) == (utc(start), utc(end), label)


@pytest.mark.parametrize(
    "said",
    [
        *("2026-01-10..2026-01-20", "2026-01-10...2026-01-20", "2026-01-10 - 2026-01-20", "2026-01-10 2026-01-20"),
        *("from 2026-01-10 to 2026-01-20", "2026-01-10 until 2026-01-20", "2026-01-10\u20132026-01-20"),
        *("10.01.2026-20.01.2026", "10.01. to 20.01.2026", "between 10 january and 20 january"),
        *("10-20 january", "10 to 20 January 2026", "january 10 to 20", "10th \u2013 20th of january"),
    ],
)
def test_a_range_ends_with_the_end_of_its_last_day(said: str) -> None:
    period = parse_period(said, NOW, UTC)
    assert period is not None
    assert (period.start, period.end) == (utc("2026-01-10"), utc("2026-01-21"))
    assert period.label == "10 January 2026 to 20 January 2026"


@pytest.mark.parametrize("said", ["2026-01-20..2026-01-10", "today to yesterday", "march 2026 to january 2026"])
def test_a_range_that_ends_before_it_begins_is_told_apart_from_none(said: str) -> None:
    with pytest.raises(BackwardPeriod):
        parse_period(said, NOW, UTC)


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
        ("past year", "2025-03-18", "the last 365 days"),
        ("past two weeks", "2026-03-04", "the last 14 days"),
        ("the last twelve months", "2025-03-23", "the last 360 days"),
        ("a week", "2026-03-11", "the last 7 days"),
        ("since 3 days", "2026-03-15", "the last 3 days"),
        ("90 minutes", "2026-03-18 18:45", "the last 90 minutes"),
    ],
)
def test_lengths_of_time_reach_up_to_now(said: str, start: str, label: str) -> None:
    period = parse_period(said, NOW, UTC)
    assert period is not None
    assert (period.start, period.label) == (utc(start), label)
    assert period.end > NOW + timedelta(hours=1), "what a clock ahead of ours dates in the future belongs to now"


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
    [
        *("", "someday", "0 days", "days 3", "99999 days", "9999 years", "-3 days", "3.5 days", "d", "٣ days"),
        *("10/01/2026", "30 february", "2026-13-01", "0001-01-01", "9999-12-31", "since", "to", ".."),
        "9999 weeks ago",
    ],
)
def test_what_is_no_period_is_none(said: str) -> None:
    assert parse_period(said, NOW, UTC) is None


@settings(max_examples=50, deadline=None)
@given(
    said=st.one_of(st.lists(st.sampled_from(SAID.split()), max_size=6).map(" ".join), st.text(max_size=30)),
    zone=st.sampled_from(ZONES),
    now=st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
)
def test_any_text_gives_a_period_that_starts_before_it_ends_or_none(said: str, zone: tzinfo, now: datetime) -> None:
    with suppress(BackwardPeriod):
        period = parse_period(said, now, zone)
        assert period is None or period.start < period.end
        assert period is None or (period.start.tzinfo, period.end.tzinfo) == (UTC, UTC)


def test_a_day_that_a_zone_left_out_is_no_period() -> None:
    assert parse_period("2011-12-30", NOW, ZoneInfo("Pacific/Apia")) is None
    assert parse_period("2011-12-31", NOW, ZoneInfo("Pacific/Apia")) is not None


@pytest.mark.parametrize("name", ["", None, "Nowhere/Land", "../../etc/passwd", "America", "\0", "a" * 5000])
def test_a_time_zone_that_does_not_exist_is_utc(name: str | None) -> None:
    assert find_zone(name) is UTC


def test_a_time_zone_is_found_by_its_name() -> None:
    assert find_zone("Asia/Kolkata") == KOLKATA


@pytest.mark.parametrize(
    ("said", "before", "start", "end"),
    [
        ("today", "yesterday by this time", (3, 17, 0), (3, 17, 12)),
        ("yesterday", "the day before", (3, 16, 0), (3, 17, 0)),
        ("this week", "last week by this time", (3, 9, 0), (3, 11, 12)),
        ("last week", "the 7 days before", (3, 2, 0), (3, 9, 0)),
        ("this month", "February by this time", (2, 1, 0), (2, 18, 12)),
        ("last month", "January", (1, 1, 0), (2, 1, 0)),
        ("february", "January", (1, 1, 0), (2, 1, 0)),
        ("last 7 days", "the 7 days before", (3, 3, 12), (3, 11, 0)),
        ("2026-03-10..2026-03-12", "the 3 days before", (3, 7, 0), (3, 10, 0)),
        ("last hour", "the hour before", (3, 18, 10), (3, 18, 11)),
    ],
)
def test_a_period_is_compared_with_the_like_one_before(
    small_world: World, said: str, before: str, start: tuple[int, int, int], end: tuple[int, int, int]
) -> None:
    """What is at its first moment and just before its end counts; what is beside it does not."""
    first, last = (datetime(2026, *moment, tzinfo=NOON.tzinfo) for moment in (start, end))
    second = timedelta(seconds=1)
    for moment in (first, last - second):
        add_exam(small_world, JOHN, "Algebra", 80, ago=NOON - moment)
    for moment in (first - second,):
        add_exam(small_world, JOHN, "Algebra", 20, ago=NOON - moment)

    text = small_world.ask(f"summary {said}").text

    assert before in text
    assert "2 passed" in text or "passed (▼ 2)" in text or "passed (▼ 1)" in text, text
    assert "failed (▼" not in text and "failed." not in text
