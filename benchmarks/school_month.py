"""A month of a school, made up: who did what and when, and of what somebody should hear."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, tzinfo
from functools import cached_property
from typing import NamedTuple
from zoneinfo import ZoneInfo

from benchmarks.year import SUBJECTS
from lms_bot.core.activities import Activity, ActivityType
from lms_bot.core.clock import to_utc

SCHOOL_ZONE = "Europe/Berlin"
ZONES = (SCHOOL_ZONE, SCHOOL_ZONE, SCHOOL_ZONE, "Asia/Kolkata", "America/New_York")
CLASS_SIZE = 10
EXAMS, CONTENTS = 72, 360
DIGEST_AT = time(7, 30)
SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)

ACTIVE_PART, WEEKEND_PART, EVENING_PART = 0.93, 0.12, 0.35
CLASS_EXAM_PART, OWN_EXAM_PART, RETRY_PART = 0.3, 0.47, 0.62
SILENT_PART, BACK_PART, NEVER_PART, RUSHING_PART = 0.095, 0.4, 0.004, 0.02
LEFT_EXAM_PART, LEFT_CONTENT_PART, WATCHED_PART = 0.012, 0.015, 0.4
MOST_CONTENTS = 7
ABILITY, PASS_AT = (76, 9), 50
SLUMP, SLUMP_PART, SLUMP_DAYS = 38, 0.06, (5, 9)


class Happened(NamedTuple):
    """One fact: what type of event, of whom, in which attempt at which exam or content."""

    at: datetime
    kind: ActivityType
    student_id: int
    attempt: int
    about: int
    percentage: int | None
    started_at: datetime


@dataclass(frozen=True)
class School:
    """How big, from when on and for how long. `holiday` are the days without school, counted from the first."""

    students: int
    mentors: int
    days: int
    holiday: tuple[int, ...]
    silent_days: int
    first: date = date(2026, 3, 2)  # a Monday; of the zones, two put their clocks forward within the month
    seed: int = 12

    @property
    def each(self) -> int:
        """Students of a mentor."""
        return self.students // self.mentors

    @cached_property
    def school_days(self) -> list[int]:
        days = [one for one in range(self.days) if self.get_date(one).weekday() < 5]
        return [one for one in days if one not in self.holiday]

    def get_date(self, day: int) -> date:
        return self.first + day * DAY

    def get_mentor(self, student_id: int) -> int:
        return 1 + (student_id - 1) // self.each

    def get_zone(self, mentor: int) -> ZoneInfo:
        """The mentor's, and that of the students."""
        return ZoneInfo(ZONES[mentor % len(ZONES)])


@dataclass(frozen=True)
class Pause:
    """A student does nothing after the one day until the other."""

    after: int
    until: int


@dataclass
class Month:
    """Makes the facts. The same for the same school."""

    school: School
    _attempts: int = 0
    _retries: dict[int, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.school.seed)
        self._bells = {number: self._ring_bells() for number in range(self.school.students // CLASS_SIZE + 1)}

    def make(self) -> list[Happened]:
        """The oldest first."""
        facts = [one for student_id in range(1, self.school.students + 1) for one in self._live(student_id)]
        return sorted(facts, key=lambda one: (one.at, one.attempt))

    def _ring_bells(self) -> dict[int, tuple[int, int]]:
        """When a class sits down to an exam, by day: the minute of the day, and which exam."""
        days = [one for one in self.school.school_days if self._chance.random() < CLASS_EXAM_PART]
        return {one: (60 * self._chance.randrange(8, 15), self._chance.randrange(EXAMS)) for one in days}

    def _live(self, student_id: int) -> Iterator[Happened]:
        school, chance = self.school, self._chance
        pause = self._choose_pause()
        if chance.random() < NEVER_PART:
            return
        ability = min(92.0, max(40.0, chance.gauss(*ABILITY)))
        self._retries = defaultdict(list)
        slump_until = -1
        for day in range(school.days):
            is_school_day = day in school.school_days
            is_last = pause is not None and day == pause.after
            if day in school.holiday or (pause is not None and pause.after < day < pause.until):
                continue
            if not is_last and chance.random() >= (ACTIVE_PART if is_school_day else WEEKEND_PART):
                continue
            yield from self._learn(student_id, day)
            if is_school_day:
                if day > slump_until and chance.random() < SLUMP_PART:
                    slump_until = day + chance.randint(*SLUMP_DAYS)
                yield from self._take_exams(student_id, day, ability - (SLUMP if day <= slump_until else 0))

    def _choose_pause(self) -> Pause | None:
        """Long enough to be a silence, and early enough that somebody can hear of it within the month."""
        days, silent = self.school.school_days, self.school.silent_days
        last = len(days) - silent - 2
        if self._chance.random() >= SILENT_PART or last < 0:
            return None
        begin = self._chance.randint(0, last)
        back = begin + silent + 2 + self._chance.randrange(3)
        is_back = back < len(days) and self._chance.random() < BACK_PART
        return Pause(days[begin], days[back] if is_back else self.school.days)

    def _learn(self, student_id: int, day: int) -> Iterator[Happened]:
        """Contents, one after the other; a few students rush through many."""
        chance = self._chance
        is_rushing = chance.random() < RUSHING_PART / len(self.school.school_days)
        at = self._choose_moment(student_id, day)
        for _ in range(12 if is_rushing else chance.randint(1, MOST_CONTENTS)):
            about = chance.randrange(CONTENTS)
            usual = (4 + about * 7 % 14) * MINUTE
            takes = usual * (0.12 if is_rushing else chance.uniform(0.7, 1.3))
            is_left = chance.random() < LEFT_CONTENT_PART
            kind = ActivityType.CONTENT_WATCHED if about % 5 < 5 * WATCHED_PART else ActivityType.CONTENT_COMPLETED
            yield from self._try(
                student_id, (ActivityType.CONTENT_STARTED, about), at, takes, None if is_left else kind
            )
            at += takes + chance.randrange(5, 240) * SECOND

    def _take_exams(self, student_id: int, day: int, ability: float) -> Iterator[Happened]:
        """With the class, again what was failed, and when one feels like it."""
        chance = self._chance
        bell = self._bells[(student_id - 1) // CLASS_SIZE].get(day)
        if bell is not None:
            at = self._get_moment(student_id, day, bell[0]) + chance.randrange(180) * SECOND
            yield from self._take_exam(student_id, bell[1], day, at, ability)
        own = [chance.randrange(EXAMS)] if chance.random() < OWN_EXAM_PART else []
        for about in [*self._retries.pop(day, ()), *own]:
            at = self._choose_moment(student_id, day)
            yield from self._take_exam(student_id, about, day, at, ability)

    def _take_exam(self, student_id: int, about: int, day: int, at: datetime, ability: float) -> Iterator[Happened]:
        chance = self._chance
        takes = min(45.0, chance.gauss(36, 8)) * MINUTE
        percentage = min(100, max(0, round(chance.gauss(ability, 9))))
        is_passed = percentage >= PASS_AT
        kind = ActivityType.EXAM_PASSED if is_passed else ActivityType.EXAM_FAILED
        ending = None if chance.random() < LEFT_EXAM_PART else kind
        yield from self._try(student_id, (ActivityType.EXAM_STARTED, about), at, takes, ending, percentage)
        if ending is ActivityType.EXAM_FAILED and chance.random() < RETRY_PART:
            later = [one for one in self.school.school_days if one > day][:3]
            if later:
                self._retries[chance.choice(later)].append(about)

    def _try(
        self,
        student_id: int,
        what: tuple[ActivityType, int],
        at: datetime,
        takes: timedelta,
        ending: ActivityType | None,
        percentage: int | None = None,
    ) -> Iterator[Happened]:
        self._attempts += 1
        start, about = what
        yield Happened(at, start, student_id, self._attempts, about, None, at)
        if ending is not None:
            yield Happened(at + takes, ending, student_id, self._attempts, about, percentage, at)

    def _choose_moment(self, student_id: int, day: int) -> datetime:
        hours = (17, 20) if self._chance.random() < EVENING_PART else (8, 15)
        return self._get_moment(student_id, day, self._chance.randrange(hours[0] * 60, hours[1] * 60))

    def _get_moment(self, student_id: int, day: int, minute: int) -> datetime:
        zone = self.school.get_zone(self.school.get_mentor(student_id))
        midnight = datetime.combine(self.school.get_date(day), time(0), zone)
        return to_utc(midnight + minute * MINUTE) + self._chance.randrange(60) * SECOND


def to_activity(fact: Happened) -> Activity:
    """As it would be read from the LMS."""
    is_exam = fact.kind.is_exam
    result = {} if fact.percentage is None else {"score": fact.percentage, "percentage": fact.percentage}
    return Activity(
        stream="attempts" if is_exam else "content_attempts",
        row_key=str(fact.attempt),
        event_type=fact.kind,
        student_id=fact.student_id,
        student_username=f"student{fact.student_id}",
        student_display_name=f"Given{fact.student_id} Family{fact.student_id}",
        activity_id=1 + fact.about,
        activity_title=f"{SUBJECTS[fact.about % len(SUBJECTS)]} {'Test' if is_exam else 'Lesson'} {fact.about}",
        activity_metadata=result if is_exam else {"content_type": "Video", "course_title": "Course"},
        happened_at=fact.at,
        attempt_id=fact.attempt,
        started_at=fact.started_at,
    )


def find_third_failures(facts: Iterable[Happened]) -> list[Happened]:
    """Those that were the third in a row of their students; the facts are in order."""
    in_row: dict[int, int] = defaultdict(int)
    found = []
    for one in facts:
        if one.kind is ActivityType.EXAM_FAILED:
            in_row[one.student_id] += 1
            found += [one] if in_row[one.student_id] == 3 else []
        elif one.kind is ActivityType.EXAM_PASSED:
            in_row[one.student_id] = 0
    return found


def find_silent(school: School, facts: Sequence[Happened]) -> dict[int, set[date]]:
    """By student who was active and then was not for so many school days: the days on which that was so.

    Of a day on which they did something again, the time up to their mentor's digest counts.
    """
    moments: dict[int, list[datetime]] = defaultdict(list)
    for one in facts:
        moments[one.student_id].append(one.at)
    zone = ZoneInfo(SCHOOL_ZONE)
    found: dict[int, set[date]] = defaultdict(set)
    for student_id, theirs in moments.items():
        local = school.get_zone(school.get_mentor(student_id))
        for at, back in zip(theirs, [*theirs[1:], None], strict=True):
            last = at.astimezone(zone).date()
            for day in _find_silent_days(school, last)[school.silent_days :]:
                if back is None or back > get_digest_moment(day, local):
                    found[student_id].add(day)
    return dict(found)


def _find_silent_days(school: School, last: date) -> list[date]:
    return [day for day in map(school.get_date, school.school_days) if day > last]


def get_digest_moment(day: date, zone: tzinfo) -> datetime:
    return to_utc(datetime.combine(day, DIGEST_AT, zone))
