"""Days, weeks, months and years as people name them. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from itertools import pairwise
from typing import TypeVar

from lms_bot.core.clock import to_utc

DAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTH_NAMES = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
NUMBER_WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
FIRST_YEAR, LAST_YEAR = 1970, 2199
DAYS_OF_UNIT = {"d": 1, "w": 7, "m": 30, "y": 365}
ONE_DAY = timedelta(days=1)

AnyDate = TypeVar("AnyDate", bound=date)
Interval = tuple[datetime, datetime]
"""From the one moment on and before the other, both aware UTC."""

NUMBER = rf"[0-9]{{1,4}}|an?|{'|'.join(NUMBER_WORDS)}"
_DAY = r"(?P<day>[0-9]{1,2})(?:st|nd|rd|th|\.)?"
_MONTH = r"(?P<month>[a-z]{3,9})\.?"
_YEAR = r"(?P<year>[0-9]{4})"


@dataclass(frozen=True)
class Span:
    """From the day `first` on and before the day `end`, and what it is called.

    `recurs_days`: so often there is one that is said the same way, as each year there is a march; 0 is never.
    """

    first: date
    end: date
    label: str
    recurs_days: int = 0


def find_span(words: str, today: date, latest: date) -> Span | None:
    """What the words (lower case) name, or None; of what recurs it is the latest that begins by `latest`."""
    for find in (_find_named, _find_ago, _find_weekday, _find_date):
        span = find(words, today, latest)
        if span is not None:
            return span
    return None


def read_count(said: str | None) -> int:
    """A number as `NUMBER` matches it; nothing is one."""
    if said in (None, "a", "an"):
        return 1
    assert said is not None
    return NUMBER_WORDS.index(said) + 1 if said in NUMBER_WORDS else int(said)


def format_day(day: date) -> str:
    return f"{day.day} {MONTH_NAMES[day.month - 1].capitalize()} {day.year}"


def _find_named(words: str, today: date, _latest: date) -> Span | None:
    for pattern, find in _NAMED.items():
        if re.fullmatch(pattern, words):
            return Span(*find(today))
    return None


def _find_ago(words: str, today: date, _latest: date) -> Span | None:
    match = re.fullmatch(rf"(?P<number>{NUMBER}) (?P<unit>day|week|month|year)s? ago", words, re.ASCII)
    days = read_count(match["number"]) * DAYS_OF_UNIT[match["unit"][0]] if match else 0
    return _make_day(today - timedelta(days=days)) if match and days < (today - date(FIRST_YEAR, 1, 1)).days else None


def _find_weekday(words: str, today: date, latest: date) -> Span | None:
    """The latest one, today included; "last monday" is before today."""
    match = re.fullmatch(r"(?P<last>last |previous |past )?(?:this )?(?P<name>[a-z]{3,9})", words)
    if match is None:
        return None
    weekday = _find_beginning(match["name"], DAY_NAMES)
    if weekday is None:
        return None
    until = min(latest, today - ONE_DAY) if match["last"] else latest
    day = until - timedelta(days=(until.weekday() - weekday) % 7)
    return Span(day, day + ONE_DAY, f"{DAY_NAMES[weekday].capitalize()}, {format_day(day)}", recurs_days=7)


def _find_date(words: str, _today: date, latest: date) -> Span | None:
    match = next(filter(None, (re.fullmatch(pattern, words, re.ASCII) for pattern in _DATES)), None)
    if match is None:
        return None
    said = match.groupdict()
    if said.get("first") and not (said := _tell_day_from_month(said)):
        return None
    month, day = _read_month(said.get("month")), int(said.get("day") or 0)
    if month is None:
        return None
    if said.get("year"):
        return _make(int(said["year"] or 0), month, day)
    years = range(latest.year, latest.year - 9, -1)  # leap years may be eight years apart
    spans = (_make(year, month, day, recurs_days=365) for year in years)
    return next((span for span in spans if span is not None and span.first <= latest), None)


def _tell_day_from_month(said: dict[str, str | None]) -> dict[str, str | None]:
    """`13/01/2026` and `01/13/2026` are one day; `10/01/2026` may be two, and is none."""
    first, second = str(said["first"]), str(said["second"])
    if int(first) > 12 or int(first) == int(second):
        return {"day": first, "month": second, "year": said["year"]}
    return {"day": second, "month": first, "year": said["year"]} if int(second) > 12 else {}


def _read_month(said: str | None) -> int | None:
    """0 where none is said, None where it is no month."""
    if not said:
        return 0
    if said.isdecimal():
        return int(said) if 1 <= int(said) <= 12 else None
    found = _find_beginning("september" if said == "sept" else said, MONTH_NAMES)
    return None if found is None else found + 1


def _find_beginning(said: str, names: tuple[str, ...]) -> int | None:
    """Which of the names is said, in full or its first letters, three or four."""
    beginning = said if len(said) <= 4 else None
    matches = (at for at, name in enumerate(names) if name == said or (beginning and name.startswith(beginning)))
    return next(matches, None) if len(said) >= 3 else None


def _make(year: int, month: int, day: int, recurs_days: int = 0) -> Span | None:
    """The day, or without one the month, or without that the year."""
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return None
    try:
        first = date(year, month or 1, day or 1)
    except ValueError:  # 30 February
        return None
    if day:
        return Span(first, first + ONE_DAY, format_day(first), recurs_days)
    if month:
        return Span(first, begin_next_month(first), f"{MONTH_NAMES[month - 1].capitalize()} {year}", recurs_days)
    return Span(first, date(year + 1, 1, 1), str(year), recurs_days)


def _make_day(day: date) -> Span:
    return Span(day, day + ONE_DAY, format_day(day))


def _monday(today: date) -> date:
    return today - timedelta(days=today.weekday())


def begin_next_month(first: AnyDate) -> AnyDate:
    """Where the month after the one begins whose first day this is, at the same time of the day."""
    return (first + timedelta(days=31)).replace(day=1)


def begin_last_month(day: AnyDate) -> AnyDate:
    return (day.replace(day=1) - ONE_DAY).replace(day=1)


def _last_saturday(today: date) -> date:
    return today - timedelta(days=(today.weekday() - 5) % 7)


_DATES = (
    rf"{_YEAR}([-/.])(?P<month>[0-9]{{1,2}})\2(?P<day>[0-9]{{1,2}})",  # 2026-01-10
    rf"{_YEAR}[-/](?P<month>[0-9]{{1,2}})",  # 2026-01
    rf"(?:year )?{_YEAR}",
    rf"(?P<day>[0-9]{{1,2}})\.(?P<month>[0-9]{{1,2}})(?:\.{_YEAR})?\.?",  # 10.01.2026, 10.1.
    rf"(?P<first>[0-9]{{1,2}})([-/])(?P<second>[0-9]{{1,2}})\2{_YEAR}",  # 13/01/2026
    rf"(?P<month>[0-9]{{1,2}})[-/.]{_YEAR}",  # 01/2026
    rf"(?:the )?{_DAY} (?:of )?{_MONTH}(?: {_YEAR})?",  # 10 january 2026
    rf"{_MONTH} (?:the )?{_DAY}(?: {_YEAR})?",  # january 10 2026
    rf"{_MONTH}(?: {_YEAR})?",  # january 2026
)

_NAMED: dict[str, Callable[[date], tuple[date, date, str]]] = {
    "today": lambda today: (today, today + ONE_DAY, "today"),
    "yesterday": lambda today: (today - ONE_DAY, today, "yesterday"),
    "(the )?day before yesterday": lambda today: (today - 2 * ONE_DAY, today - ONE_DAY, "the day before yesterday"),
    "this week": lambda today: (_monday(today), today + ONE_DAY, "this week"),
    "(last|previous) week": lambda today: (_monday(today) - timedelta(days=7), _monday(today), "last week"),
    "((this|last|the) )?weekend": lambda today: (
        _last_saturday(today),
        _last_saturday(today) + 2 * ONE_DAY,
        "the weekend",
    ),
    "this month": lambda today: (today.replace(day=1), today + ONE_DAY, "this month"),
    "(last|previous) month": lambda today: (begin_last_month(today), today.replace(day=1), "last month"),
    "this year": lambda today: (date(today.year, 1, 1), today + ONE_DAY, "this year"),
    "(last|previous) year": lambda today: (date(today.year - 1, 1, 1), date(today.year, 1, 1), "last year"),
}
"""How they are said -> first day, day after the last one, label."""


def get_calendar_units(start: datetime, end: datetime, zone: tzinfo) -> tuple[str, list[Interval]]:
    """The calendar days that hold this time, or weeks from Monday on, or months, or years: few enough to look at.

    First what they are: day, week, month or year.
    """
    first, last = start.astimezone(zone).date(), (end - timedelta(microseconds=1)).astimezone(zone).date()
    _, unit, length, begin = next(each for each in _UNITS if last - first < each[0])
    days = [begin(first)]
    while days[-1] <= last:
        days.append(begin(days[-1] + timedelta(days=length)))
    return unit, list(pairwise(get_midnight(day, zone) for day in days))


def get_week(now: datetime, zone: tzinfo) -> Interval:
    """This week, from Monday on, to its end."""
    monday = _monday(now.astimezone(zone).date())
    return get_midnight(monday, zone), get_midnight(monday + timedelta(days=7), zone)


def get_midnight(day: date, zone: tzinfo) -> datetime:
    """When the day begins, in UTC."""
    return to_utc(datetime.combine(day, time.min, zone))


_UNITS: tuple[tuple[timedelta, str, int, Callable[[date], date]], ...] = (
    (timedelta(days=15), "day", 1, lambda day: day),
    (timedelta(days=184), "week", 7, _monday),
    (timedelta(days=3 * 366), "month", 31, lambda day: day.replace(day=1)),
    (timedelta.max, "year", 366, lambda day: date(day.year, 1, 1)),
)
"""What time is counted by where it is shorter than this; how many days, at most; the first day of a day's."""
