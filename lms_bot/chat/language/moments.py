"""Moments ahead, clock times and days of the week as people say them, in their own time zone. Pure."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta, tzinfo

from lms_bot.chat.language.dates import DAY_NAMES, NUMBER, NUMBER_WORDS, read_count
from lms_bot.core.clock import to_utc
from lms_bot.settings.checks import WEEKDAYS

MOST_DAYS = 3660

_DAY_GROUPS = {"weekday": WEEKDAYS[:5], "weekdays": WEEKDAYS[:5], "weekend": WEEKDAYS[5:], "weekends": WEEKDAYS[5:]}
_TO = r"\s*[-\u2010-\u2015]\s*|\s+(?:to|until|till?|through|and)\s+"
_NAMED_CLOCKS = {"noon": time(12), "midday": time(12), "midnight": time(0)}
_CLOCK_WORD = r"[0-9]{1,2}(?:[:.h]?[0-5][0-9])?h?(?: ?[ap]\.?m\.?)?|noon|midday|midnight"
_CLOCK = re.compile(r"(?P<hour>[0-9]{1,2})(?:[:.h]?(?P<minute>[0-5][0-9]))?h?(?: ?(?P<half>[ap])\.?m\.?)?", re.ASCII)
_CLOCK_RANGE = re.compile(rf"(?:(?:from|between) )?({_CLOCK_WORD})(?:{_TO}| )({_CLOCK_WORD})", re.ASCII)

_PAST = {"half past": 30, "quarter past": 15, "quarter to": -15, "ten past": 10, "ten to": -10}
_SPOKEN_CLOCK = re.compile(
    rf"(?:at )?(?:a )?(?:(?P<past>{'|'.join(_PAST)}) )?(?P<hour>{'|'.join(NUMBER_WORDS)}|[0-9]{{1,2}})"
    r"(?P<oclock> o['\u2019]?clock)?"
    r"(?: (?:in the |at )(?P<part>morning|afternoon|evening|night))?"
)

EARLIEST_AT_NIGHT = 6
_UNITS = {"mi": "minutes", "h": "hours", "d": "days", "w": "weeks", "mo": "months"}
_LENGTH = re.compile(
    rf"(?:the )?(?:next )?(?:(?P<number>{NUMBER}) ?)?"
    r"(?P<unit>min(?:ute)?s?|hours?|days?|weeks?|months?|(?<=[0-9 ])[hdw])",
    re.ASCII,
)
_DAY_AND_CLOCK = re.compile(rf"(?P<day>.+?)(?:,? at|,)? (?P<clock>{_CLOCK_WORD})", re.ASCII)
_CLOCK_AND_DAY = re.compile(rf"(?P<clock>{_CLOCK_WORD})(?: on|,)? (?P<day>.+)", re.ASCII)


def parse_moment(text: str, now: datetime, zone: tzinfo) -> datetime | None:
    """The moment after `now` that `text` names, in UTC, or None: "3 days", "until tomorrow", "until monday 9:00".

    A day alone begins at its midnight, and "today" ends there. "3 days" from now is at the same time of the day.
    """
    words = " ".join(text.casefold().split())
    is_point = re.match(r"(?:until|till?|by) ", words) is not None
    words = re.sub(r"^(?:until|till?|by|for) ", "", words)
    length = _LENGTH.fullmatch(words)
    is_length = length is not None and (length["number"] or not is_point)  # "until next week" is a point
    try:
        moment = _after(length, now, zone) if length and is_length else _find_point(words, is_point, now, zone)
    except OverflowError:  # the first and the last day of the calendar
        return None
    if moment is None or not now < moment <= now + timedelta(days=MOST_DAYS):
        return None
    return moment


def _after(length: re.Match[str], now: datetime, zone: tzinfo) -> datetime:
    number = read_count(length["number"])
    unit = next(name for start, name in _UNITS.items() if length["unit"].startswith(start))
    if unit in ("minutes", "hours"):
        return to_utc(now) + timedelta(**{unit: number})
    days = number * {"days": 1, "weeks": 7, "months": 30}[unit]
    return to_utc(now.astimezone(zone) + timedelta(days=days))  # by the wall clock, whatever it does meanwhile


def _find_point(words: str, is_point: bool, now: datetime, zone: tzinfo) -> datetime | None:
    today = now.astimezone(zone).date()
    if day := _find_day("tomorrow" if words == "today" else words, today):
        return _at(day, time(0), zone)
    clock = parse_clock(words)
    if clock is not None and (is_point or not words.isdecimal()):  # "mute all 3" means no clock
        moment = _at(today, clock, zone)
        return moment if moment > now else _at(today + timedelta(days=1), clock, zone)
    for pattern in (_DAY_AND_CLOCK, _CLOCK_AND_DAY):
        match = pattern.fullmatch(words)
        day, clock = (_find_day(match["day"], today), parse_clock(match["clock"])) if match else (None, None)
        if day is not None and clock is not None:
            return _at(day, clock, zone)
    return None


def _find_day(words: str, today: date) -> date | None:
    """Today, tomorrow, a day of the week after today, the first of the next week or month, or a date."""
    if words in ("today", "tomorrow"):
        return today + timedelta(days=words == "tomorrow")
    if words == "next month":
        return (today.replace(day=1) + timedelta(days=32)).replace(day=1)
    if re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", words, re.ASCII):
        try:
            return date.fromisoformat(words)
        except ValueError:
            return None
    weekday = "mon" if words == "next week" else _find_weekday(re.sub("^(?:on |next )", "", words))
    if weekday is None:
        return None
    return today + timedelta(days=(WEEKDAYS.index(weekday) - today.weekday() - 1) % 7 + 1)


def _at(day: date, clock: time, zone: tzinfo) -> datetime:
    return to_utc(datetime.combine(day, clock, zone))


def parse_clock(text: str) -> time | None:
    """ "21:00", "9pm", "7.30", "21h", "noon", "half past seven in the evening"."""
    words = _in_figures(text.casefold().strip())
    if words in _NAMED_CLOCKS:
        return _NAMED_CLOCKS[words]
    match = _CLOCK.fullmatch(words)
    if match is None:
        return None
    hour, minute = int(match["hour"]), int(match["minute"] or 0)
    if match["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if match["half"] == "p" else 0)
    if (hour, minute) == (24, 0):
        return time(0)
    return time(hour, minute) if hour < 24 else None


def _in_figures(words: str) -> str:
    """`half past seven in the evening` as `19:30`; what is not spelled out, as it is."""
    match = _SPOKEN_CLOCK.fullmatch(words)
    if match is None or not (match["past"] or match["oclock"] or match["part"]):
        return words
    hour = read_count(match["hour"])
    minute = _PAST.get(match["past"] or "", 0)
    if minute < 0:
        hour, minute = (hour - 1) % 12 or 12, 60 + minute
    part = match["part"]
    if part == "night" and hour == 12:
        hour = 0
    elif hour < 12 and (part in ("afternoon", "evening") or (part == "night" and hour >= EARLIEST_AT_NIGHT)):
        hour += 12
    return f"{hour}:{minute:02}"


def parse_clock_range(text: str) -> tuple[time, time] | None:
    """ "21:00-07:00", "9pm to 7am", "from 21 until 7"; the second may be on the next day."""
    match = _CLOCK_RANGE.fullmatch(" ".join(text.casefold().split()))
    start, end = (parse_clock(match[1]), parse_clock(match[2])) if match else (None, None)
    return (start, end) if start is not None and end is not None else None


def parse_days(text: str) -> tuple[str, ...] | None:
    """Days of the week, as in WEEKDAYS: "mon-fri", "sunday to thursday", "mon, wed and fri", "weekdays"."""
    words = re.sub(r"\s*[-\u2010-\u2015]\s*|\s+(?:to|until|till?|through)\s+", "-", text.casefold())
    chosen: set[str] = set()
    for said in re.split(r"[\s,;/+&]+", words):
        days = () if said in ("", "and", "on", "only") else _find_days(said)
        if days is None:
            return None
        chosen.update(days)
    return tuple(day for day in WEEKDAYS if day in chosen) or None


def _find_days(said: str) -> tuple[str, ...] | None:
    if said in _DAY_GROUPS:
        return _DAY_GROUPS[said]
    start, has_end, end = said.partition("-")
    first = _find_weekday(start)
    last = _find_weekday(end) if has_end else first
    if first is None or last is None:
        return None
    begin = WEEKDAYS.index(first)
    length = (WEEKDAYS.index(last) - begin) % 7 + 1
    return (WEEKDAYS * 2)[begin : begin + length]


def _find_weekday(said: str) -> str | None:
    """The day whose English name begins so."""
    beginning = said.removesuffix("s") if len(said) > 2 else said
    if len(beginning) < 2:
        return None
    return next((name[:3] for name in DAY_NAMES if name.startswith(beginning)), None)
