"""Periods as people say them, in their own time zone."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

from lms_bot.clock import to_utc

PERIODS = "today|yesterday|week|month|last hour|N days"
"""How usage lines write what may be said for a period."""

_DAYS_OF_UNIT = {"d": 1, "w": 7, "m": 30, "y": 365}
_HOUR = "h"


@dataclass(frozen=True)
class Period:
    """From `start` on and before `end`, both aware UTC, and what it is called."""

    start: datetime
    end: datetime
    label: str


def parse_period(text: str, now: datetime, zone: tzinfo) -> Period | None:
    """The period that `text` names, or None. Days begin at midnight in `zone`.

    "week" is the last seven days, "this week" the time since Monday. A period of N days begins at the
    midnight before the moment N days ago, so that no day is cut in two.
    """
    words = _FILLERS.sub("", " ".join(text.casefold().split()))
    today = now.astimezone(zone).date()
    for pattern, find_days in _CALENDAR.items():
        if re.fullmatch(pattern, words):
            first, after_last, label = find_days(today)
            return Period(_midnight(first, zone), _midnight(after_last, zone), label)
    match = _LENGTH.fullmatch(words)
    return match and _last(int(match["number"] or 1), match["unit"][0], now, zone)


def _last(number: int, unit: str, now: datetime, zone: tzinfo) -> Period | None:
    """The last `number` units up to now; the end lies ahead, for clocks that are ahead of ours."""
    today = now.astimezone(zone).date()
    end = _midnight(today + timedelta(days=2), zone)
    if unit == _HOUR:
        return Period(to_utc(now) - timedelta(hours=number), end, _counted(number, "hour"))
    days = number * _DAYS_OF_UNIT[unit]
    if not 0 < days <= _MOST_DAYS:
        return None
    return Period(_midnight(today - timedelta(days=days), zone), end, _counted(days, "day"))


def _counted(number: int, unit: str) -> str:
    return f"the last {unit}" if number == 1 else f"the last {number} {unit}s"


def _midnight(day: date, zone: tzinfo) -> datetime:
    return to_utc(datetime.combine(day, time.min, zone))


def _since(first: date, today: date, label: str) -> tuple[date, date, str]:
    return first, today + timedelta(days=1), label


def _monday(today: date) -> date:
    return today - timedelta(days=today.weekday())


def _first_of_month(today: date) -> date:
    return today.replace(day=1)


_MOST_DAYS = 3660

_FILLERS = re.compile(r"^(?:(?:in|for|from|during|over|of|within) )?(?:the )?")

_LENGTH = re.compile(
    r"(?:(?:last|past) )?(?:(?P<number>[0-9]{1,4}) ?)?"
    r"(?P<unit>hours?|days?|weeks?|months?|years?|(?<=[0-9])[hdw])"
)

_CALENDAR: dict[str, Callable[[date], tuple[date, date, str]]] = {
    "today": lambda today: _since(today, today, "today"),
    "yesterday": lambda today: (today - timedelta(days=1), today, "yesterday"),
    "this week": lambda today: _since(_monday(today), today, "this week"),
    "(last|previous) week": lambda today: (_monday(today) - timedelta(days=7), _monday(today), "last week"),
    "this month": lambda today: _since(_first_of_month(today), today, "this month"),
    "(last|previous) month": lambda today: (
        _first_of_month(_first_of_month(today) - timedelta(days=1)),
        _first_of_month(today),
        "last month",
    ),
}
"""Periods that go by the calendar: how they are said -> first day, day after the last one, label."""
