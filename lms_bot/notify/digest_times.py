"""When a person's digest is due, and what time it is about. Pure."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, tzinfo

from lms_bot.core.clock import to_utc
from lms_bot.insight.school_calendar import SchoolCalendar
from lms_bot.notify.preferences import DIGEST_AT, OFF, Preferences, When
from lms_bot.settings.checks import WEEKDAYS

LATEST = timedelta(hours=6)
"""How late a digest may be, where the bot was away; after that the next one tells it."""

LONGEST = timedelta(days=35)
_DAY = timedelta(days=1)


def read_digest(digest: str | None) -> tuple[str | None, time] | None:
    """The day of the week, None for each school day, and the local time; None for no digest."""
    if digest == OFF:
        return None
    day, _, clock = (digest or "").rpartition(" ")
    return day or None, time.fromisoformat(clock) if clock else DIGEST_AT


def find_due_digest(
    preferences: Preferences, last_at: datetime | None, zone: tzinfo, calendar: SchoolCalendar, now: datetime
) -> datetime | None:
    """The moment at which the digest that is due now was to come; None where none is due.

    `last_at` is when the last one was to come. A week's digest comes on its day also in holidays.
    """
    wanted = read_digest(preferences.digest)
    if wanted is None or preferences.general is When.OFF:
        return None
    day, at = wanted
    today = now.astimezone(zone).date()
    planned = to_utc(datetime.combine(today, at, zone))
    due = preferences.get_end_of_quiet(planned, zone)
    is_time = due <= now < due + LATEST and (last_at is None or planned > last_at)
    if not is_time or (preferences.muted_until is not None and preferences.get_end_of_mutes(0, now) > now):
        return None
    is_day = WEEKDAYS[today.weekday()] == day if day else _is_work_day(preferences, today, calendar)
    return planned if is_day else None


def _is_work_day(preferences: Preferences, day: date, calendar: SchoolCalendar) -> bool:
    return calendar.is_school_day(day) and WEEKDAYS[day.weekday()] in (preferences.workdays or WEEKDAYS)


def find_start(preferences: Preferences, last_at: datetime | None, due_at: datetime) -> datetime:
    """From when on a digest tells: since the last one; the first tells of a day, or of a week."""
    if last_at is not None:
        return max(last_at, due_at - LONGEST)
    wanted = read_digest(preferences.digest)
    return due_at - (7 * _DAY if wanted and wanted[0] else _DAY)
