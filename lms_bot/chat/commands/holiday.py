"""`holiday`: on which days there is no school, as an admin declares it and as the settings say."""

from __future__ import annotations

import re
from datetime import date, timedelta

from lms_bot.chat.commands.rendering import MAX_LENGTH, NAME_LENGTH, count
from lms_bot.chat.language.dates import DAY_NAMES, ONE_DAY, Span, find_span, format_day
from lms_bot.chat.language.question import Command, Question, WrongArguments
from lms_bot.chat.language.words import get_said, strip_fillers
from lms_bot.core.markdown import code, disarm, fit_lines, one_line, table_head, table_row
from lms_bot.insight.school_calendar import Declared, SchoolCalendar
from lms_bot.people.access import Audience
from lms_bot.settings.checks import WEEKDAYS

MOST_DAYS = 184
"""Longer than any school's holidays: a year that is typed alone is none."""
DAYS_AHEAD = 365
MOST_SHOWN = 10
MOST_WORDS_OF_DATES = 10
UNCLEAR_DAYS = "Which days, for example `2026-12-24` or `2026-12-23..2027-01-06`?"

_OFF = frozenset(("off", "remove", "delete"))
_DASHES = re.compile("[\u2010-\u2015\u2212]")
_SAID_BEFORE = re.compile(r"^(?:(?:from|on|between) )?(?:the )?")
_BETWEEN = re.compile(r" ?\.{2,3} ?| ?- ?| (?:to|until|till?|through|and) ")
_AROUND_A_NAME = " :,;.-\u2010\u2011\u2012\u2013\u2014\u2015\"'()\u201c\u201d\u201e"


def answer_holiday(question: Question) -> str:
    words = strip_fillers(question.words)
    if not words:
        return _list_holidays(question.context.calendar, question.context.calendar.get_date(question.now))
    if words[0].casefold() in _OFF:
        first, last, name = _read(question, words[1:])
        if name:
            raise WrongArguments(UNCLEAR_DAYS)
        return _take_back(question.context.calendar, first, last)
    return _declare(question.context.calendar, *_read(question, words))


def _read(question: Question, words: tuple[str, ...]) -> tuple[date, date, str]:
    """First and last day, and what is said after them."""
    today = question.context.calendar.get_date(question.now)
    for length in range(min(len(words), MOST_WORDS_OF_DATES), 0, -1):
        days = read_days_ahead(get_said(words[:length]), today)
        if days is None:
            continue
        first, last = days
        if first > last:
            raise WrongArguments("That holiday would end before it begins.")
        if last - first >= timedelta(days=MOST_DAYS):
            raise WrongArguments(f"That is too long: a holiday has at most {MOST_DAYS} days.")
        return first, last, one_line(get_said(words[length:])).strip(_AROUND_A_NAME)[:NAME_LENGTH]
    raise WrongArguments(UNCLEAR_DAYS)


def read_days_ahead(text: str, today: date) -> tuple[date, date] | None:
    """The first and the last day that are named, or None. A day without a year is the next that is called so."""
    words = _SAID_BEFORE.sub("", _DASHES.sub("-", one_line(text).casefold()).replace("…", "..").rstrip(" .,:;-"))
    span = _find_ahead(words, today)
    if span is not None:
        return span.first, span.end - ONE_DAY
    for between in _BETWEEN.finditer(words):
        first = _find_ahead(words[: between.start()], today)
        last = _find_ahead(words[between.end() :], first.first if first else today)
        if first is not None and last is not None:
            return first.first, last.end - ONE_DAY
    return None


def _find_ahead(words: str, today: date) -> Span | None:
    if words == "tomorrow":
        return find_span("today", today + ONE_DAY, today + ONE_DAY)
    span = find_span(words, today, today)
    if span is None or not span.recurs_days or span.end > today:
        return span
    return find_span(words, today, today + timedelta(days=span.recurs_days - 1))


def _declare(calendar: SchoolCalendar, first: date, last: date, name: str) -> str:
    fewer = calendar.count_school_days(first - ONE_DAY, last + ONE_DAY)
    calendar.declare(first, last, name)
    called = f": {disarm(name)}" if name else ""
    lost = f"That is {count(fewer, 'school day')} fewer." if fewer else "There was none then anyway."
    undo = code(f"holiday off {_type(first, last)}")
    return f"🏖️ No school {_format_days(first, last)}{called}. {lost} {undo} takes it back."


def _take_back(calendar: SchoolCalendar, first: date, last: date) -> str:
    was_declared = calendar.take_back(first, last)
    days = calendar.count_school_days(first - ONE_DAY, last + ONE_DAY)
    when = _format_days(first, last)
    if was_declared:
        return f"🏫 No declared holiday {when} any more: {count(days, 'school day')} then."
    others = calendar.get_holidays(first, last)
    if others:
        name = disarm(others[0].name) or "holiday"
        return f"Nobody declared a holiday {when}. {name} is one that `LMS_HOLIDAYS` names: it ends only there."
    return f"Nobody declared a holiday {when}. {code('holiday')} shows what was declared."


def _list_holidays(calendar: SchoolCalendar, today: date) -> str:
    named = zip(WEEKDAYS, DAY_NAMES, strict=True)
    week = ", ".join(name.capitalize() for day, name in named if day in calendar.school_days)
    sources = ", ".join(map(code, calendar.holidays)) or "none, `LMS_HOLIDAYS` names them"
    declared = [one for one in calendar.get_declared() if one.last >= today]
    none = "**Declared**: none. `holiday 2026-12-23..2027-01-06 Christmas` declares one."
    head = [
        f"🏫 **School days**: {week} ({calendar.zone})",
        f"**Holidays of**: {sources}",
        "**Declared**:" if declared else none,
    ]
    ahead = calendar.get_holidays(today, today + timedelta(days=DAYS_AHEAD))[:MOST_SHOWN]
    table = [*table_head(["Next holiday", ""]), *map(_format_row, ahead)] if ahead else ["No holiday within a year."]
    return fit_lines(head, list(map(_format_declared, declared)), ["", *table], limit=MAX_LENGTH)


def _format_declared(one: Declared) -> str:
    return f"- {code(_type(one.first, one.last))} {disarm(one.name, max_length=NAME_LENGTH)}".rstrip()


def _format_row(one: Declared) -> str:
    until = "" if one.first == one.last else f" to {format_day(one.last)}"
    return table_row([format_day(one.first) + until, disarm(one.name, max_length=NAME_LENGTH)])


def _format_days(first: date, last: date) -> str:
    return f"on {format_day(first)}" if first == last else f"from {format_day(first)} to {format_day(last)}"


def _type(first: date, last: date) -> str:
    """As one would type it."""
    return str(first) if first == last else f"{first}..{last}"


COMMANDS = (
    Command(
        "holiday", "holiday [[off] <day>[..<day>] [name]]", "days without school: see, declare or take them back",
        Audience.ADMINS, "holiday 2026-12-23..2027-01-06 Christmas", answer_holiday, aliases=("holidays",),
        changes=True,
    ),
)  # fmt: skip
