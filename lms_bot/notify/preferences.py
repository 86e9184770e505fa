"""What one person wants to be told, how and when. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta, tzinfo
from enum import Enum
from typing import NamedTuple

from lms_bot.core.activities import ActivityType
from lms_bot.core.clock import UTC, to_utc
from lms_bot.settings.checks import ALL_TYPES, WEEKDAYS

DAILY_AT = time(18, 0)  # local time of the daily message: when the day's work is done
FOR_EVER = "for ever"
FAR_FUTURE = datetime(9000, 1, 1, tzinfo=UTC)
"""Later than anything; far enough from the end of the calendar for time zones and weekends."""

DIGEST_AT = time(7, 30)  # before the lessons of the day
OFF = "off"

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_KNOWN_TYPES = frozenset(kind.value for kind in ActivityType)


class When(str, Enum):
    """What may be chosen: a level, or how soon events are told."""

    CALM = "calm"  # failures and recoveries now, other results an hour at most, the rest in the digest
    DIGEST = "digest"  # failures and recoveries now, the rest in the digest
    EVERYTHING = "everything"  # each as it comes, gathered
    NOW = "now"  # the same
    HOURLY = "hourly"
    DAILY = "daily"
    OFF = "off"

    def __str__(self) -> str:
        return self.value


LEVELS = (When.CALM, When.DIGEST, When.EVERYTHING)


class Told(NamedTuple):
    """As much of an event as it takes to say how it is told."""

    event_type: str
    student_id: int
    is_recovery: bool = False


class Pace(Enum):
    """How news reach a person, once they may."""

    URGENT = "urgent"  # at once; what follows is gathered
    RESULT = "result"  # one message an hour at most
    AT_ONCE = "at once"  # as it comes, gathered for a short time
    SUMMED = "summed"  # in the sums of the digest, with no message of its own


@dataclass(frozen=True)
class Plan:
    """How an event is told, and when at the earliest (UTC); FAR_FUTURE or later for a mute without an end."""

    pace: Pace
    due_at: datetime


_RESULTS = frozenset((ActivityType.EXAM_PASSED.value, ActivityType.EXAM_COMPLETED.value))
_FAILED = ActivityType.EXAM_FAILED.value


@dataclass(frozen=True)
class Preferences:
    """`level` is what a person chose of everything, `notify` by event type, `students` by student id; each is the
    value of a `When`, and the more precise wins. `default` is the admin's, by event type, ALL_TYPES for the rest.

    `mutes`: student id -> until when (ISO) or FOR_EVER. `quiet`: local times `HH:MM` from and to, may span midnight.
    `workdays`: three-letter days. `digest`: `HH:MM` on each school day, `mon HH:MM` weekly, or OFF.
    """

    default: Mapping[str, str] = field(default_factory=dict)
    level: str | None = None
    notify: Mapping[str, str] = field(default_factory=dict)
    students: Mapping[str, str] = field(default_factory=dict)
    mutes: Mapping[str, str] = field(default_factory=dict)
    muted_until: str | None = None
    quiet: tuple[str, str] | None = None
    workdays: tuple[str, ...] | None = None
    failed_pass: bool = True
    """Failed exams are told in quiet times, too."""
    digest: str | None = None

    @property
    def general(self) -> When:
        """What holds for all that nothing more precise is chosen for."""
        return When(self.level or self.default.get(ALL_TYPES) or When.CALM)

    @property
    def has_chosen(self) -> bool:
        """Whether they said anything themselves of what they are told."""
        return bool(self.level or self.notify or self.students)

    def get_when(self, event_type: str, student_id: int | None = None) -> When:
        return self._find(event_type, student_id)[0]

    def _find(self, event_type: str, student_id: int | None) -> tuple[When, bool]:
        """What is chosen, and whether for this type in particular."""
        of_student = self.students.get(str(student_id)) if student_id is not None else None
        if of_student:
            return When(of_student), False
        if event_type in self.notify:
            return When(self.notify[event_type]), True
        if self.level is None and event_type in self.default:
            return When(self.default[event_type]), True
        return self.general, False

    def get_pace(self, event_type: str, student_id: int | None = None, *, is_recovery: bool = False) -> Pace | None:
        """None for what is not told at all."""
        when, is_of_type = self._find(event_type, student_id)
        if when is When.OFF:
            return None
        if when not in (When.CALM, When.DIGEST):
            return Pace.AT_ONCE
        if is_recovery or (event_type == _FAILED and not (when is When.DIGEST and is_of_type)):
            return Pace.URGENT
        if when is When.CALM and (event_type in _RESULTS or event_type not in _KNOWN_TYPES):
            return Pace.RESULT
        return Pace.SUMMED

    @property
    def depend_on_zone(self) -> bool:
        """Whether it matters where the person lives."""
        rounds = {When.HOURLY.value, When.DAILY.value}
        chosen = [self.level, *self.default.values(), *self.notify.values(), *self.students.values()]
        return bool(self.quiet or self.workdays or not rounds.isdisjoint(chosen))

    def make_plan(self, event: Told, since: datetime, zone: tzinfo, now: datetime | None = None) -> Plan | None:
        """How and when an event that could be told at `since` is to be told; None: not at all.

        What is due at `now` already but was not told, since the bot or Zulip was away, keeps quiet times, too.
        """
        pace = self.get_pace(event.event_type, event.student_id, is_recovery=event.is_recovery)
        if pace is None or pace is Pace.SUMMED:
            return None if pace is None else Plan(pace, since)
        when = self.get_when(event.event_type, event.student_id)
        due = self._next_round(max(since, self.get_end_of_mutes(event.student_id, since)).astimezone(zone), when)
        if self.failed_pass and event.event_type == _FAILED:
            return Plan(pace, to_utc(due))
        return Plan(pace, self.get_end_of_quiet(due, zone, now))

    def find_concern_due(self, student_id: int, since: datetime, zone: tzinfo, now: datetime) -> datetime:
        """When an urgent concern of this student, found at `since`, may be told, whatever is wanted of events."""
        due = self.get_end_of_mutes(student_id, since)
        return due if self.failed_pass else self.get_end_of_quiet(due, zone, now)

    def get_end_of_quiet(self, due: datetime, zone: tzinfo, now: datetime | None = None) -> datetime:
        """The first moment from `due` on, in UTC, that is neither quiet nor on a free day; seen from `now` on."""
        end = to_utc(self._end_of_quiet(due.astimezone(zone)))
        if now is None or end >= now:
            return end
        later = to_utc(self._end_of_quiet(now.astimezone(zone)))
        return later if later > now else end

    def get_end_of_mutes(self, student_id: int, since: datetime) -> datetime:
        """`since`, or when the person wants to hear of the student again if that is later."""
        mutes = (self.muted_until, self.mutes.get(str(student_id)))
        return max([since, *(get_end_of_mute(until) for until in mutes if until is not None)])

    def _next_round(self, since: datetime, when: When) -> datetime:
        """The next full hour, or the next time of the daily message on a work day; local time."""
        if when is When.HOURLY:
            into_hour = timedelta(minutes=since.minute, seconds=since.second, microseconds=since.microsecond)
            # Real time, not the clock's: it may be put back within the hour.
            return since if not into_hour else (to_utc(since) + _HOUR - into_hour).astimezone(since.tzinfo)
        if when is When.DAILY:
            today = datetime.combine(since.date(), DAILY_AT, since.tzinfo)
            return self._after_free_days(today if since <= today else today + _DAY, DAILY_AT)
        return since

    def _end_of_quiet(self, due: datetime) -> datetime:
        """The first moment from `due` on (local time) that is neither quiet nor outside the work days.

        Where the clock is put forward over the end of a quiet time, that ends so much later.
        """
        for _ in range(16):  # a night and a weekend at a time; the days of a week suffice
            later = self._after_quiet_time(self._after_free_days(due, time(0)))
            if later == due:
                break
            due = later
        return due

    def _after_free_days(self, due: datetime, at: time) -> datetime:
        """`due`, or on the next work day `at` that time."""
        days = [due.date() + timedelta(days=ahead) for ahead in range(len(WEEKDAYS))]
        works = [day for day in days if WEEKDAYS[day.weekday()] in (self.workdays or WEEKDAYS)]
        if not works or works[0] == due.date():
            return due
        return datetime.combine(works[0], at, due.tzinfo)

    def _after_quiet_time(self, due: datetime) -> datetime:
        if self.quiet is None:
            return due
        start, end = (time.fromisoformat(one) for one in self.quiet)
        now = due.time()
        if start == end or not (start <= now < end if start < end else now >= start or now < end):
            return due
        if start > end and now >= start:
            return datetime.combine(due.date() + _DAY, end, due.tzinfo)
        # An hour that comes twice, since the clock is put back, has a second end, too.
        return datetime.combine(due.date(), end, due.tzinfo).replace(fold=due.fold)


def get_end_of_mute(until: str) -> datetime:
    """When a mute ends, in UTC; FAR_FUTURE where that is only when the person says so."""
    return FAR_FUTURE if until == FOR_EVER else min(to_utc(datetime.fromisoformat(until)), FAR_FUTURE)
