"""Periods as people say them, in their own time zone. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

from lms_bot.chat.language.dates import (
    DAYS_OF_UNIT,
    NUMBER,
    ONE_DAY,
    Span,
    begin_last_month,
    begin_next_month,
    find_span,
    get_midnight,
    read_count,
)
from lms_bot.core.clock import to_utc
from lms_bot.core.markdown import code

PERIOD_EXAMPLES = ("today", "last week", "since monday", "3 days", "march", "2026-01-10..2026-01-20")
PERIODS_ARE = f"A period is for example {', '.join(map(code, PERIOD_EXAMPLES[:-1]))} or {code(PERIOD_EXAMPLES[-1])}."
UNCLEAR_TIME = f"I know who you mean, but not which time. {PERIODS_ARE}"
UNCLEAR_PERIOD = f"I could not read that period. {PERIODS_ARE}"

MOST_DAYS = 3660
LONGEST = 100
"""Characters; nobody needs more to name a period."""


@dataclass(frozen=True)
class Period:
    """From `start` on and before `end`, both aware UTC, and what it is called."""

    start: datetime
    end: datetime
    label: str


class BackwardPeriod(ValueError):
    """Its end was said to be before its beginning."""


def parse_period(text: str, now: datetime, zone: tzinfo) -> Period | None:
    """The period that `text` names, or None. Days begin at midnight in `zone`. Raises BackwardPeriod.

    "week" is the last seven days, "this week" the time since Monday. A period of N days begins at the
    midnight before the moment N days ago, so that no day is cut in two. A range ends with the end of what
    it names last. A day or month without a year is the latest that has begun.
    """
    if len(text) > LONGEST:
        return None
    words = _tidy(text)
    today = now.astimezone(zone).date()
    span = find_span(words, today, today) or _find_since(words, today)
    length = None if span else _LENGTH.fullmatch(words)
    if length:
        return _make_last(read_count(length["number"]), length["unit"], now, zone)
    span = span or _find_range(words, today)
    return _make_period(span, zone) if span else None


def _tidy(text: str) -> str:
    """In lower case, with one kind of dash, and without other punctuation and words that change nothing."""
    dashed = _DASHES.sub("-", text.casefold()).replace("…", "..")
    bare = " ".join(_PUNCTUATION.sub(" ", dashed).split()).lstrip(":/. ").rstrip("-:/. ")
    return _SAID_AFTER.sub("", _SAID_BEFORE.sub("", bare))


def _make_last(number: int, unit: str, now: datetime, zone: tzinfo) -> Period | None:
    """The last `number` units up to now; the end lies ahead, for clocks that are ahead of ours."""
    today = now.astimezone(zone).date()
    end = get_midnight(today + 2 * ONE_DAY, zone)
    name = next((name for name in ("minute", "hour") if name.startswith(unit.rstrip("s"))), None)
    if name and number:
        return Period(to_utc(now) - timedelta(**{f"{name}s": number}), end, _count(number, name))
    days = 0 if name else number * DAYS_OF_UNIT[unit[0]]
    if not 0 < days <= MOST_DAYS:
        return None
    return Period(get_midnight(today - timedelta(days=days), zone), end, _count(days, "day"))


def _count(number: int, unit: str) -> str:
    return f"the last {unit}" if number == 1 else f"the last {number} {unit}s"


def _find_since(words: str, today: date) -> Span | None:
    match = _SINCE.fullmatch(words)
    span = find_span(match["day"], today, today) if match else None
    return Span(span.first, max(span.end, today + ONE_DAY), f"since {span.label}") if span else None


def _find_range(words: str, today: date) -> Span | None:
    for said_first, said_last in _ways_to_split(re.sub("^(?:from|between|since) ", "", words)):
        first, last = _find_ends(said_first, said_last, today)
        if first and last and first.first > last.first:
            raise BackwardPeriod
        if first and last:
            return Span(first.first, last.end, f"{first.label} to {last.label}")
    return None


def _find_ends(said_first: str, said_last: str, today: date) -> tuple[Span | None, Span | None]:
    """Where one of the two recurs, it is the one that makes the range go forward."""
    said_last = "today" if said_last == "now" else said_last
    last = find_span(said_last, today, today)
    first = find_span(said_first, today, last.first if last else today)
    if first and last and last.recurs_days and not first.recurs_days:
        last = find_span(said_last, today, first.first + timedelta(days=last.recurs_days - 1))
    return first, last


def _ways_to_split(words: str) -> Iterator[tuple[str, str]]:
    """The two ends, as a range may be said; "10 to 20 january" says the month once."""
    for between in _BETWEEN.finditer(words):
        first, last = words[: between.start()], words[between.end() :]
        rest_of_last = re.fullmatch(r"[0-9]{1,2}\S* (?P<month>.+)", last)
        rest_of_first = re.fullmatch(r"(?P<month>[a-z]+) [0-9]{1,2}\S*", first)
        yield first, last
        if _BARE_DAY.fullmatch(first) and rest_of_last:
            yield f"{first} {rest_of_last['month']}", last
        if _BARE_DAY.match(last) and rest_of_first:
            yield first, f"{rest_of_first['month']} {last}"


def _make_period(span: Span, zone: tzinfo) -> Period | None:
    start, end = get_midnight(span.first, zone), get_midnight(span.end, zone)
    return Period(start, end, span.label) if start < end else None  # zones have left out whole days


_DASHES = re.compile("[\u2010-\u2015\u2212]")
_PUNCTUATION = re.compile(r"[^\w\s.:/-]+")
_SAID_BEFORE = re.compile(r"^(?:(?:in|for|during|over|of|on|within|at) )?(?:the )?")
_SAID_AFTER = re.compile(r" (?:so far|until now|till now|up to now)$")
_SINCE = re.compile(r"(?:since|from|starting)(?: from)?(?: the)? (?P<day>.+)")
_BETWEEN = re.compile(r" ?\.{2,3} ?| ?- ?| (?:to|until|till?|through|thru|and) | ")
_BARE_DAY = re.compile("[0-9]{1,2}(?:st|nd|rd|th)?", re.ASCII)
_LENGTH = re.compile(
    rf"(?:since |from )?(?:the )?(?:last |past |previous )?(?:(?P<number>{NUMBER}) ?)?"
    r"(?P<unit>min(?:ute)?s?|hours?|days?|weeks?|months?|years?|(?<=[0-9])[hdw])",
    re.ASCII,
)


def get_period_before(period: Period, now: datetime, zone: tzinfo) -> Period:
    """The period of the same length just before; where the calendar has a like one, that.

    What is not over is compared as far as it has come: this week with last week by this time.
    """
    start, end, local_now = (moment.astimezone(zone) for moment in (period.start, period.end, now))
    if period.end > now:
        return _before_unfinished(start, max(start, local_now), end)
    if _is_first_of_month(start) and end == begin_next_month(start):
        first = begin_last_month(start)
        return _make(first, start, _name_month(first, start))
    if start.time() == end.time():  # whole days, though one may be 23 hours long
        days = (end.date() - start.date()).days
        return _make(start - days * ONE_DAY, start, "the day before" if days == 1 else f"the {days} days before")
    return _just_before(start, end)


def _before_unfinished(start: datetime, now: datetime, end: datetime) -> Period:
    """These are local: so many days less is the same time of the day."""
    is_today_last = end.date() == now.date() + ONE_DAY  # the last N days end later, for clocks ahead of ours
    if now.date() == start.date() and is_today_last:
        return _make(start - ONE_DAY, now - ONE_DAY, "yesterday by this time")
    if start.weekday() == 0 and now - start < 7 * ONE_DAY and is_today_last:
        return _make(start - 7 * ONE_DAY, now - 7 * ONE_DAY, "last week by this time")
    if _is_first_of_month(start) and (start.year, start.month) == (now.year, now.month):
        first = begin_last_month(start)
        return _make(first, min(start, first + (now - start)), f"{_name_month(first, start)} by this time")
    return _just_before(start, now)


def _just_before(start: datetime, end: datetime) -> Period:
    length = end - start
    days, hours = length // ONE_DAY, length // timedelta(hours=1)
    number, unit = (days, "day") if days else (max(1, hours), "hour")
    label = f"the {unit} before" if number == 1 else f"the {number} {unit}s before"
    return _make(to_utc(start) - length, start, label)


def _make(start: datetime, end: datetime, label: str) -> Period:
    return Period(to_utc(start), to_utc(end), label)


def _is_first_of_month(moment: datetime) -> bool:
    return moment.day == 1 and moment.time() == time.min


def _name_month(month: datetime, later: datetime) -> str:
    """`February`, with the year where it is not the one it is compared with."""
    return f"{month:%B}" if month.year == later.year else f"{month:%B %Y}"
