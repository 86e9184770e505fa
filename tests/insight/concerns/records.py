"""Records of students as values, and a calendar without holidays."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

from lms_bot.core.clock import UTC, to_utc
from lms_bot.insight.concerns.rules import Try

MONDAY = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


@dataclass
class WeekdayCalendar:
    """School from Monday to Friday, but on `holidays`."""

    zone: tzinfo = UTC
    holidays: Collection[date] = ()

    def get_date(self, moment: datetime) -> date:
        return moment.astimezone(self.zone).date()

    def get_midnight(self, day: date) -> datetime:
        return to_utc(datetime.combine(day, time(), self.zone))

    def is_school_day(self, day: date) -> bool:
        return day.weekday() < 5 and day not in self.holidays

    def count_school_days(self, after: date, before: date) -> int:
        days = range(after.toordinal() + 1, before.toordinal())
        return sum(self.is_school_day(date.fromordinal(day)) for day in days)


def exam(
    number: int,
    outcome: str = "failed",
    at: datetime = MONDAY,
    percentage: float | None = None,
    *,
    of: int | None = None,
    judged: str | None = None,
) -> Try:
    """The `number`th attempt, at an exam of its own unless said; it took an hour."""
    judged = outcome if outcome in ("passed", "failed") else judged
    began_at = at if outcome == "started" else at - HOUR
    return Try(True, number if of is None else of, str(number), outcome, judged, began_at, at, percentage)


def content(number: int, at: datetime = MONDAY, seconds: float | None = 60, outcome: str = "completed") -> Try:
    began_at = None if seconds is None else at - timedelta(seconds=seconds)
    return Try(False, 100 + number, f"c{number}", outcome, None, began_at, at)


def name_title(coursework_id: int | None) -> str | None:
    return None if coursework_id is None else f"Exam {coursework_id}"
