"""What the messages of a simulated month come to, against what had happened."""

from __future__ import annotations

import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from benchmarks.measuring import Target, at_least, at_most, rounded
from benchmarks.school_month import SCHOOL_ZONE, Happened, School, find_silent, find_third_failures
from lms_bot.core.activities import ActivityType
from lms_bot.store.concerns import ConcernKind

MARKS = re.compile(r"\*\*|`+|\||~~|^#+ |^- |^-{3,}$|:?-{3,}:?|^spoiler ", re.MULTILINE)
TIME_TAG = re.compile(r"<time:[^>]*>")
SHOWN_TIME = "Fri, Nov 27 2026, 11:23 PM"
THIRD = re.compile(r"\b(3rd failure|[3-9] exams in a row|[3-9] in a row|failed .{1,80} [3-9] times|[4-9]th failure)")

SOON = {"failed_told_median_minutes": 1.0, "failed_told_p95_minutes": 15.0}
MOST = {
    "calm": SOON
    | {"messages_of_one_an_event_ratio": 0.06, "mentor_day_words": 200, "busiest_hour_median_messages": 8},
    "digest": SOON
    | {"messages_of_one_an_event_ratio": 0.03, "mentor_day_words": 120, "busiest_hour_median_messages": 5},
    "everything": {"messages_of_one_an_event_ratio": 0.35},
}
NONE = (
    "failed_untold_that_day_exams",
    "failed_shown_as_started_exams",
    "told_twice_concerns",
    "not_silent_but_told_students",
    "holiday_messages",
)
ALL = ("silent_heard_of_ratio", "third_failures_told_ratio")
"""At each level."""


class ToldConcern(NamedTuple):
    """As it was told; `exam` is the one that was failed again and again, where that is the reason."""

    student_id: int
    kind: str
    since_at: datetime
    number: int
    exam: str | None


class Told(NamedTuple):
    """One message, and what it carried."""

    at: datetime
    mentor: int
    text: str
    facts: Sequence[Happened]
    concerns: Sequence[ToldConcern]


@dataclass(frozen=True)
class Truth:
    """What had happened, and so what should be told."""

    school: School
    facts: Sequence[Happened]

    @cached_property
    def failed(self) -> list[Happened]:
        return [one for one in self.facts if one.kind is ActivityType.EXAM_FAILED]

    @cached_property
    def third_failures(self) -> list[Happened]:
        return find_third_failures(self.facts)

    @cached_property
    def silent(self) -> dict[int, set[date]]:
        return find_silent(self.school, self.facts)

    @cached_property
    def mentor_days(self) -> int:
        return self.school.mentors * self.school.days

    @property
    def sizes(self) -> dict[str, int]:
        return {
            "days": self.school.days,
            "school_days": len(self.school.school_days),
            "facts": len(self.facts),
            "failed": len(self.failed),
            "third_failures": len(self.third_failures),
            "silent_students": len(self.silent),
        }

    def get_local(self, mentor: int, at: datetime) -> datetime:
        return at.astimezone(self.school.get_zone(mentor))


def count_up(truth: Truth, told: Sequence[Told]) -> dict[str, Any]:
    return {
        **_count_messages(truth, told),
        **_time_failures(truth, told),
        **_count_concerns(truth, told),
    }


def _count_messages(truth: Truth, told: Sequence[Told]) -> dict[str, Any]:
    hours = Counter((one.mentor, truth.get_local(one.mentor, one.at).strftime("%d %H")) for one in told)
    busiest: dict[int, int] = defaultdict(int)
    for (mentor, _), count in hours.items():
        busiest[mentor] = max(busiest[mentor], count)
    return {
        "messages_of_one_an_event_ratio": rounded(len(told) / len(truth.facts)),
        "mentor_day_messages": rounded(len(told) / truth.mentor_days),
        "mentor_day_words": rounded(sum(count_words(one.text) for one in told) / truth.mentor_days),
        "busiest_hour_median_messages": statistics.median(busiest.values()),
        "busiest_hour_most_messages": max(busiest.values()),
    }


def count_words(text: str) -> int:
    """As it is rendered, times as Zulip shows them; what has no letter or digit is a sign, not a word."""
    return sum(any(map(str.isalnum, one)) for one in MARKS.sub(" ", TIME_TAG.sub(SHOWN_TIME, text)).split())


def _time_failures(truth: Truth, told: Sequence[Told]) -> dict[str, Any]:
    told_at: dict[int, tuple[datetime, int]] = {}
    started: dict[int, list[int]] = defaultdict(list)
    for number, message in enumerate(told):
        for one in message.facts:
            if one.kind is ActivityType.EXAM_FAILED:
                told_at.setdefault(one.attempt, (message.at, number))
            elif one.kind is ActivityType.EXAM_STARTED:
                started[one.attempt].append(number)
    minutes = sorted(
        (told_at[one.attempt][0] - one.at) / timedelta(minutes=1) for one in truth.failed if one.attempt in told_at
    )
    missed = [one for one in truth.failed if not _is_same_day(truth, one, told_at.get(one.attempt))]
    late = [
        one
        for one in truth.failed
        for number in started[one.attempt]
        if told[number].at > one.at and number != told_at.get(one.attempt, (None, None))[1]
    ]
    return {
        "failed_told_median_minutes": rounded(statistics.median(minutes)),
        "failed_told_p95_minutes": rounded(minutes[len(minutes) * 95 // 100]),
        "failed_told_longest_minutes": rounded(minutes[-1]),
        "failed_untold_that_day_exams": len(missed),
        "failed_shown_as_started_exams": len(late),
    }


def _is_same_day(truth: Truth, fact: Happened, told_at: tuple[datetime, int] | None) -> bool:
    mentor = truth.school.get_mentor(fact.student_id)
    days = [truth.get_local(mentor, at).date() for at in (fact.at, *(told_at or ())[:1])]
    return len(days) == 2 and days[0] == days[1]


def _count_concerns(truth: Truth, told: Sequence[Told]) -> dict[str, Any]:
    tellings = [(message, one) for message in told for one in message.concerns]
    patterns = Counter((message.mentor, one) for message, one in tellings)
    silent = [(message.at, one.student_id) for message, one in tellings if one.kind == ConcernKind.SILENT]
    zone = ZoneInfo(SCHOOL_ZONE)
    wrong = [one for at, one in silent if at.astimezone(zone).date() not in truth.silent.get(one, ())]
    heard = {one for _, one in silent} & truth.silent.keys()
    holidays = {truth.school.get_date(one) for one in truth.school.holiday}
    on_holiday = [one for one in told if truth.get_local(one.mentor, one.at).date() in holidays]
    thirds = _find_told_thirds(truth, told)
    return {
        "silent_heard_of_ratio": _share(len(heard), len(truth.silent)),
        "third_failures_told_ratio": _share(len(thirds), len(truth.third_failures)),
        "told_twice_concerns": sum(count - 1 for count in patterns.values()),
        "not_silent_but_told_students": len(wrong),
        "holiday_messages": len(on_holiday),
        "told_by_kind_concerns": dict(sorted(Counter(str(one.kind) for _, one in tellings).items())),
    }


def _find_told_thirds(truth: Truth, told: Sequence[Told]) -> list[Happened]:
    """Third failures in a row of which a message of that day or the next says in words that they are that."""
    said: dict[int, list[datetime]] = defaultdict(list)
    for message in told:
        failing = {one.student_id for one in message.concerns if one.kind == ConcernKind.FAILING}
        failing |= {one.student_id for one in message.facts if one.kind is ActivityType.EXAM_FAILED}
        for student in failing:
            if any(THIRD.search(line) for line in _lines_about(message.text, student)):
                said[student].append(message.at)
    day = timedelta(days=1)
    return [one for one in truth.third_failures if any(one.at <= at <= one.at + day for at in said[one.student_id])]


def _lines_about(text: str, student: int) -> Iterable[str]:
    name = re.compile(rf"\bGiven{student}\b")
    return (line for line in text.splitlines() if name.search(line))


def _share(part: int, whole: int) -> float:
    return rounded(part / whole) if whole else 1.0


def judge(level: str, figures: dict[str, Any]) -> list[Target]:
    """Against what is promised of the level."""
    most = MOST[level] | dict.fromkeys(NONE, 0)
    return [
        *(at_most(f"{level}: {name}", figures[name], limit) for name, limit in most.items()),
        *(at_least(f"{level}: {name}", figures[name], 1) for name in ALL),
    ]
