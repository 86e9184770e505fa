"""Days out of an iCalendar file (RFC 5545): when each of its events is, as days. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from lms_bot.core.clock import UTC
from lms_bot.core.markdown import one_line

ONE_DAY = timedelta(days=1)
NOT_UNDERSTOOD = ("RDATE", "EXDATE", "RECURRENCE-ID", "EXRULE")
"""What changes when an event is, and is not supported."""

_NAME = re.compile(
    r'(?P<name>[\w-]+)(?P<parameters>(?:;[\w-]+=(?:"[^"]*"|[^";:,]*)(?:,(?:"[^"]*"|[^";:,]*))*)*):', re.A
)
_PARAMETER = re.compile(r';([\w-]+)=(?:"([^"]*)"|([^";:]*))', re.A)
_MOMENT = re.compile(
    r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)(?:T(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)(?P<utc>Z?))?",
    re.A,
)
_DURATION = re.compile(r"\+?P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", re.A)
_ESCAPED = re.compile(r"\\([\\;,nN])")


class NotUnderstood(ValueError):
    """The file says what cannot be understood; the message, the end of a sentence, says where and what."""


@dataclass(frozen=True)
class FileEvent:
    """From its `first` day to its `last`, in every year from then on where it is `yearly`."""

    first: date
    last: date
    name: str
    yearly: bool = False

    def get_days(self, year: int) -> Iterator[date]:
        """Those of its days that are in this year."""
        for first, last in self._get_spans(year):
            day, end = max(first, date(year, 1, 1)), min(last, date(year, 12, 31))
            yield from map(date.fromordinal, range(day.toordinal(), end.toordinal() + 1))

    def _get_spans(self, year: int) -> Iterator[tuple[date, date]]:
        if not self.yearly:
            yield self.first, self.last
            return
        length = self.last - self.first
        for begun in range(max(self.first.year, year - 1 - length.days // 366), year + 1):
            if (self.first.month, self.first.day) != (2, 29) or _is_leap(begun):
                first = self.first.replace(year=begun)
                yield first, first + length


@dataclass(frozen=True)
class _Property:
    name: str
    parameters: dict[str, str]
    value: str
    line: int


def read_events(content: bytes, zone: tzinfo) -> list[FileEvent]:
    """The events of the file that are not cancelled. Times without a zone of their own are in `zone`, and so are the
    days that an event touches. Raises NotUnderstood.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise NotUnderstood("is not UTF-8") from None
    events, opened, properties, begun_at, has_calendar = [], list[str](), dict[str, _Property](), 0, False
    for one in _read_properties(text):
        word = one.value.strip().upper()
        if one.name == "BEGIN":
            opened.append(word)
            has_calendar = has_calendar or word == "VCALENDAR"
            if word == "VEVENT":
                properties, begun_at = {}, one.line
        elif one.name == "END":
            if not opened or opened.pop() != word:
                raise NotUnderstood(f"ends in line {one.line} what was not begun: {one_line(one.value)}")
            if word == "VEVENT":
                events += _read_event(properties, begun_at, zone)
        elif opened and opened[-1] == "VEVENT":  # an alarm within it has times of its own
            properties.setdefault(one.name, one)
    if not has_calendar or opened:
        raise NotUnderstood("is cut off" if opened else "holds no calendar")
    return events


def _read_properties(text: str) -> Iterator[_Property]:
    unfolded: list[tuple[int, str]] = []
    for number, line in enumerate(re.split("\r\n|\n|\r", text), 1):
        if line[:1] in (" ", "\t") and unfolded:
            unfolded[-1] = (unfolded[-1][0], unfolded[-1][1] + line[1:])
        elif line.strip():
            unfolded.append((number, line))
    for number, line in unfolded:
        match = _NAME.match(line)
        if match is None:
            raise NotUnderstood(f"is no calendar in line {number}")
        parameters = {name.upper(): quoted or bare for name, quoted, bare in _PARAMETER.findall(match["parameters"])}
        yield _Property(match["name"].upper(), parameters, line[match.end() :], number)


def _read_event(properties: dict[str, _Property], line: int, zone: tzinfo) -> list[FileEvent]:
    status, summary = properties.get("STATUS"), properties.get("SUMMARY")
    if status is not None and status.value.strip().upper() == "CANCELLED":
        return []
    for name in NOT_UNDERSTOOD:
        if name in properties:
            raise NotUnderstood(f"has {name} in line {properties[name].line}, which is not supported")
    if "DTSTART" not in properties:
        raise NotUnderstood(f"has an event without DTSTART in line {line}")
    start = _read_moment(properties["DTSTART"], zone)
    try:
        first, last = _to_day(start, zone), _find_last_day(properties, start, zone)
    except OverflowError:
        raise NotUnderstood(f"has an event outside of the calendar in line {line}") from None
    name = _ESCAPED.sub(lambda match: " " if match[1] in "nN" else match[1], summary.value if summary else "")
    return [FileEvent(first, max(first, last), one_line(name), _is_yearly(properties.get("RRULE"), first))]


def _find_last_day(properties: dict[str, _Property], start: date, zone: tzinfo) -> date:
    """Ends are exclusive; what ends where it begins is on that day."""
    end = start
    if "DTEND" in properties:
        end = _read_moment(properties["DTEND"], zone)
    elif "DURATION" in properties:
        end = start + _read_duration(properties["DURATION"])
    if isinstance(end, datetime):
        return _to_day(end - timedelta(microseconds=1), zone)
    return end - ONE_DAY


def _to_day(moment: date, zone: tzinfo) -> date:
    return moment.astimezone(zone).date() if isinstance(moment, datetime) else moment


def _read_moment(one: _Property, zone: tzinfo) -> date:
    """A day, or an aware moment."""
    match = _MOMENT.fullmatch(one.value.strip())
    try:
        moment = _make_moment(match, one.parameters.get("TZID"), zone) if match else None
    except (ValueError, OverflowError):  # 30 February
        moment = None
    if moment is None:
        raise NotUnderstood(f"has no time in line {one.line}: {one_line(one.value)[:40]}")
    return moment


def _make_moment(match: re.Match[str], zone_name: str | None, zone: tzinfo) -> date:
    day = date(int(match["year"]), int(match["month"]), int(match["day"]))
    if match["hour"] is None:
        return day
    at = time(int(match["hour"]), int(match["minute"]), min(int(match["second"]), 59))  # 60 is a leap second
    return datetime.combine(day, at, UTC if match["utc"] else _find_said_zone(zone_name, zone)).astimezone(UTC)


def _find_said_zone(name: str | None, zone: tzinfo) -> tzinfo:
    """Outlook has names of its own for zones: the school's is nearest then."""
    try:
        return ZoneInfo(name) if name else zone
    except (LookupError, ValueError, OSError):
        return zone


def _read_duration(one: _Property) -> timedelta:
    match = _DURATION.fullmatch(one.value.strip().upper())
    if match is None:
        raise NotUnderstood(f"has no DURATION in line {one.line}: {one_line(one.value)[:40]}")
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)


def _is_yearly(rule: _Property | None, first: date) -> bool:
    """Parts that only repeat what DTSTART says change nothing."""
    if rule is None:
        return False
    parts = set(rule.value.strip().upper().rstrip(";").split(";"))
    says_nothing = {"INTERVAL=1", f"BYMONTH={first.month}", f"BYMONTHDAY={first.day}"}
    more = {part for part in parts - says_nothing if not part.startswith("WKST=")}
    if more != {"FREQ=YEARLY"} or (f"BYMONTHDAY={first.day}" in parts and f"BYMONTH={first.month}" not in parts):
        said = one_line(rule.value)[:80]
        raise NotUnderstood(f"repeats in line {rule.line} as is not supported: RRULE {said} (only FREQ=YEARLY is)")
    return True


def _is_leap(year: int) -> bool:
    return date(year, 12, 31).timetuple().tm_yday == 366
