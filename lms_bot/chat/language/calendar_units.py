"""A period in the units that people count by, in their own time zone. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from itertools import pairwise

from lms_bot.core.clock import to_utc

Interval = tuple[datetime, datetime]
"""From the one moment on and before the other, both aware UTC."""


@dataclass(frozen=True)
class CalendarUnits:
    """One after the other, each a `unit` long: day, week, month or year."""

    unit: str
    intervals: list[Interval]


def get_calendar_units(start: datetime, end: datetime, zone: tzinfo) -> CalendarUnits:
    """The calendar days that hold this time, or weeks from Monday on, or months, or years: few enough to look at."""
    first, last = start.astimezone(zone).date(), (end - timedelta(microseconds=1)).astimezone(zone).date()
    unit = next(unit for unit in _UNITS if last - first < unit.longest)
    days = [unit.begin(first)]
    while days[-1] <= last:
        days.append(unit.begin_next(days[-1]))
    return CalendarUnits(unit.name, list(pairwise(get_midnight(day, zone) for day in days)))


def get_week(now: datetime, zone: tzinfo) -> Interval:
    """This week, from Monday on, to its end."""
    today = now.astimezone(zone).date()
    monday = _begin_week(today)
    return get_midnight(monday, zone), get_midnight(monday + timedelta(days=7), zone)


def get_midnight(day: date, zone: tzinfo) -> datetime:
    """When the day begins, in UTC."""
    return to_utc(datetime.combine(day, time.min, zone))


def _begin_week(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _begin_month(day: date) -> date:
    return day.replace(day=1)


@dataclass(frozen=True)
class _Unit:
    """What time is counted by, where it is not as long as `longest`; the first day of the one a day is in."""

    name: str
    longest: timedelta
    begin: Callable[[date], date]
    begin_next: Callable[[date], date]


_UNITS = (
    _Unit("day", timedelta(days=15), lambda day: day, lambda day: day + timedelta(days=1)),
    _Unit("week", timedelta(days=184), _begin_week, lambda day: day + timedelta(days=7)),
    _Unit("month", timedelta(days=3 * 366), _begin_month, lambda first: _begin_month(first + timedelta(days=31))),
    _Unit("year", timedelta.max, lambda day: date(day.year, 1, 1), lambda first: date(first.year + 1, 1, 1)),
)
