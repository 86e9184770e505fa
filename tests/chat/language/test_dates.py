"""Days, weeks, months and years of a period."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import pairwise

from lms_bot.chat.language.dates import get_calendar_units
from lms_bot.core.clock import find_zone

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)


def test_days_weeks_and_months_join_without_a_gap_also_where_the_clock_is_changed() -> None:
    zone = find_zone("Europe/Madrid")
    start, end = (datetime(2026, month, 18, 12, tzinfo=timezone.utc) for month in (1, 12))
    for length, unit in ((DAY, "day"), (10 * WEEK, "week"), (30 * WEEK, "month"), (end - start, "month")):
        found, intervals = get_calendar_units(start, start + length, zone)
        assert found == unit
        assert intervals[0][0] <= start and intervals[-1][1] >= start + length
        assert all(one[1] == other[0] for one, other in pairwise(intervals))
        assert all(moment.astimezone(zone).hour == 0 for interval in intervals for moment in interval)
    assert get_calendar_units(start - 4000 * DAY, start, zone)[0] == "year"
