"""The period before a period, to compare it with. Pure."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, tzinfo

from lms_bot.chat.language.periods import Period
from lms_bot.core.clock import to_utc

_DAY = timedelta(days=1)


def get_period_before(period: Period, now: datetime, zone: tzinfo) -> Period:
    """The period of the same length just before; where the calendar has a like one, that.

    What is not over is compared as far as it has come: this week with last week by this time.
    """
    start, end, local_now = (moment.astimezone(zone) for moment in (period.start, period.end, now))
    if period.end > now:
        return _before_unfinished(start, max(start, local_now), end, zone)
    if _is_first_of_month(start) and end == _first_of_next_month(start, zone):
        first = _midnight(_month_before(start.date()), zone)
        return _make(first, start, _name_month(first, start))
    if start.time() == end.time():  # whole days, though one may be 23 hours long
        days = (end.date() - start.date()).days
        return _make(_shift(start, days), start, "the day before" if days == 1 else f"the {days} days before")
    return _just_before(start, end)


def _before_unfinished(start: datetime, now: datetime, end: datetime, zone: tzinfo) -> Period:
    is_today_last = end.date() == now.date() + _DAY  # the last N days end later, for clocks ahead of ours
    if now.date() == start.date() and is_today_last:
        return _make(_shift(start, 1), _shift(now, 1), "yesterday by this time")
    if start.weekday() == 0 and now - start < 7 * _DAY and is_today_last:
        return _make(_shift(start, 7), _shift(now, 7), "last week by this time")
    if _is_first_of_month(start) and (start.year, start.month) == (now.year, now.month):
        first = _midnight(_month_before(start.date()), zone)
        return _make(first, min(start, first + (now - start)), f"{_name_month(first, start)} by this time")
    return _just_before(start, now)


def _just_before(start: datetime, end: datetime) -> Period:
    length = end - start
    days, hours = length // _DAY, length // timedelta(hours=1)
    number, unit = (days, "day") if days else (max(1, hours), "hour")
    label = f"the {unit} before" if number == 1 else f"the {number} {unit}s before"
    return _make(to_utc(start) - length, start, label)


def _make(start: datetime, end: datetime, label: str) -> Period:
    return Period(to_utc(start), to_utc(end), label)


def _is_first_of_month(moment: datetime) -> bool:
    return moment.day == 1 and moment.time() == time.min


def _first_of_next_month(moment: datetime, zone: tzinfo) -> datetime:
    return _midnight((moment.date() + timedelta(days=31)).replace(day=1), zone)


def _month_before(first: date) -> date:
    return (first - _DAY).replace(day=1)


def _name_month(month: datetime, later: datetime) -> str:
    """`February`, with the year where it is not the one it is compared with."""
    return f"{month:%B}" if month.year == later.year else f"{month:%B %Y}"


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time.min, zone)


def _shift(moment: datetime, days: int) -> datetime:
    """So many days before, at the same time of the day where the moment's zone is."""
    return moment - days * _DAY
