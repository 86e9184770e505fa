"""The rules by which a student's record says that a mentor should know. Pure: of the record and the moment alone.

Facts, by kind: failing `in_row` (the latest results that are failures), `exams` and `percentages` of these, newest
first, and `exam` with `of_exam`, how often it was failed since it was passed, where that alone is a concern (else
None and 0); falling `recent` and `before`, means; silent `last_at` and `school_days`; left_open `exams` (title, when
it was started), newest first, and `count`; rushing `day` and `count`; never_started `since` and `school_days`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import accumulate
from typing import Any, NamedTuple, Protocol

from lms_bot.core.activities import STARTED, WITHDRAWN
from lms_bot.store.concerns import ConcernKind

PASSED, FAILED = "passed", "failed"
DONE = ("completed", "watched")

FAILURES = 3
RECENT, BEFORE, FALL, DEEP_FALL = 5, 10, 15, 30
POINT = 1000 * RECENT * BEFORE  # between the two means, in what they are compared by
RUSHED_CONTENTS, RUSHED_PART = 10, 5
MOST_NAMED = 5
LONGEST_SILENCE_DAYS = 3650

Title = Callable[[int | None], str | None]


class Calendar(Protocol):
    """What is asked of a `SchoolCalendar`."""

    def get_date(self, moment: datetime) -> date: ...

    def get_midnight(self, day: date) -> datetime: ...

    def is_school_day(self, day: date) -> bool: ...

    def count_school_days(self, after: date, before: date) -> int: ...


@dataclass(frozen=True)
class Thresholds:
    """Full school days in between, and hours."""

    silent_days: int = 7
    open_hours: float = 24


class Try(NamedTuple):
    """An attempt that is shown, as far as the rules go by it. See `Attempt`; `percentage` is its last result's."""

    is_exam: bool
    coursework_id: int | None
    row_key: str
    outcome: str
    judged: str | None
    started_at: datetime | None
    last_at: datetime
    percentage: float | None = None

    @property
    def began_at(self) -> datetime:
        return self.started_at or self.last_at

    @property
    def has_result(self) -> bool:
        """Also while it is done or judged again."""
        return self.outcome != WITHDRAWN and (self.outcome != STARTED or self.judged is not None)

    @property
    def seconds(self) -> float:
        """How long it took; 0 where the LMS does not say."""
        return (self.last_at - self.started_at).total_seconds() if self.started_at else 0.0


@dataclass(frozen=True)
class Finding:
    """A rule holds, since when and why. A greater severity than the one that was told is worse."""

    kind: ConcernKind
    since_at: datetime
    facts: dict[str, Any]
    severity: int = 0


def in_order(tries: Iterable[Try]) -> list[Try]:
    """By when they happened; at one moment by their keys."""
    return sorted(tries, key=_get_place)


def get_results(tries: Iterable[Try]) -> list[Try]:
    """Exams that have ended, or had before they were taken up again, oldest first."""
    return in_order(one for one in tries if one.is_exam and one.has_result)


def find_failing(results: Sequence[Try], get_title: Title) -> Finding | None:
    """Failed exams in a row, or failures of one exam since it was passed. `results` as `get_results` gives them."""
    row: list[Try] = []
    of_exams: dict[int, list[Try]] = defaultdict(list)
    for one in results:
        if one.judged == PASSED:
            row.clear()
            of_exams.pop(_as_key(one), None)
        elif one.judged == FAILED:
            row.append(one)
            if one.coursework_id is not None:
                of_exams[one.coursework_id].append(one)
    worst = max(of_exams.values(), key=lambda each: (len(each), _get_place(each[-1])), default=[])
    counted = [each for each in (row, worst) if len(each) >= FAILURES]
    if not counted:
        return None
    named = row[: -MOST_NAMED - 1 : -1]
    is_one_exam = len(worst) >= FAILURES
    facts = {
        "in_row": len(row),
        "exams": [get_title(one.coursework_id) for one in named],
        "percentages": [one.percentage for one in named],
        "exam": get_title(worst[-1].coursework_id) if is_one_exam else None,
        "of_exam": len(worst) if is_one_exam else 0,
    }
    doublings = (max(map(len, counted)) // FAILURES).bit_length() - 1
    return Finding(ConcernKind.FAILING, min(each[0].last_at for each in counted), facts, doublings)


def is_worse(finding: Finding, before: Mapping[str, Any]) -> bool:
    """Whether it is worse than what was found before, or a new row of failures where one exam alone was failing."""
    is_new_row = int(finding.facts.get("in_row", 0)) >= FAILURES > int(before.get("in_row", FAILURES))
    return is_new_row or finding.severity > int(before.get("severity", 0))


def find_falling(results: Sequence[Try]) -> Finding | None:
    """The latest results are far below those before; until they are as good again, not just less far below."""
    known = [one for one in results if one.percentage is not None and one.outcome != STARTED]
    thousandths = (round(1000 * (one.percentage or 0)) for one in known)  # which add up exactly
    sums = list(accumulate(thousandths, initial=0))
    since_at, gap = None, 0
    ends = zip(known[RECENT + BEFORE - 1 :], sums, sums[BEFORE:], sums[BEFORE + RECENT :], strict=False)
    for one, first, middle, last in ends:
        gap = (middle - first) * RECENT - (last - middle) * BEFORE
        if gap <= 0:
            since_at = None
        elif since_at is None and gap >= FALL * POINT:
            since_at = one.last_at
    if since_at is None:
        return None
    recent, before = sums[-1] - sums[-1 - RECENT], sums[-1 - RECENT] - sums[-1 - RECENT - BEFORE]
    facts = {"recent": round(recent / (1000 * RECENT), 1), "before": round(before / (1000 * BEFORE), 1)}
    return Finding(ConcernKind.FALLING, since_at, facts, int(gap >= DEEP_FALL * POINT))


def find_left_open(tries: Iterable[Try], get_title: Title, now: datetime, open_hours: float) -> Finding | None:
    """Exams that were started and have not ended."""
    limit = now - timedelta(hours=open_hours)
    left = [one for one in tries if one.is_exam and one.outcome == STARTED and one.began_at <= limit]
    if not left:
        return None
    left.sort(key=lambda one: (one.began_at, one.row_key), reverse=True)
    named = [[get_title(one.coursework_id), one.began_at.isoformat()] for one in left[:MOST_NAMED]]
    return Finding(ConcernKind.LEFT_OPEN, left[-1].began_at, {"exams": named, "count": len(left)}, len(left))


def get_last_day(tries: Iterable[Try], calendar: Calendar) -> list[Try]:
    """The contents done on the last day on which any were."""
    done = [one for one in tries if not one.is_exam and one.outcome in DONE]
    if not done:
        return []
    first = calendar.get_midnight(calendar.get_date(max(one.last_at for one in done)))
    return in_order(one for one in done if one.last_at >= first)


def could_be_rushed(done: Iterable[Try]) -> set[int]:
    """The contents, done on one day, whose usual time has to be known to tell; none where they are too few."""
    timed = {one.coursework_id for one in done if one.coursework_id is not None and one.seconds > 0}
    return timed if len(timed) >= RUSHED_CONTENTS else set()


def find_rushing(done: Sequence[Try], calendar: Calendar, usual_seconds: Mapping[int, float]) -> Finding | None:
    """Many contents of one day were done much faster than usual. `done` as `get_last_day` gives them.

    `usual_seconds` is how long others took, by `coursework_id`, where that is known.
    """
    rushed: dict[int, Try] = {}
    for one in done:
        usual = usual_seconds.get(_as_key(one), 0.0)
        if 0 < one.seconds * RUSHED_PART < usual:
            rushed.setdefault(_as_key(one), one)
    if len(rushed) < RUSHED_CONTENTS:
        return None
    first = next(iter(rushed.values())).last_at
    facts = {"day": calendar.get_date(first).isoformat(), "count": len(rushed)}
    return Finding(ConcernKind.RUSHING, first, facts)


def find_silent(last_at: datetime, now: datetime, calendar: Calendar, silent_days: int) -> Finding | None:
    """Nothing was done on so many school days, for a student who was active before, `last_at` at last."""
    count = calendar.count_school_days(calendar.get_date(last_at), calendar.get_date(now))
    if count < silent_days:
        return None
    return Finding(ConcernKind.SILENT, last_at, {"last_at": last_at.isoformat(), "school_days": count})


def find_never_started(since_at: datetime, now: datetime, calendar: Calendar, silent_days: int) -> Finding | None:
    """Nothing was ever done, by a student who could have `since_at`."""
    since = calendar.get_date(since_at)
    count = calendar.count_school_days(since, calendar.get_date(now))
    if count < silent_days:
        return None
    return Finding(ConcernKind.NEVER_STARTED, since_at, {"since": since.isoformat(), "school_days": count})


def find_silent_since(today: date, calendar: Calendar, silent_days: int) -> date | None:
    """The last day on which whoever was active last is silent today; None where no day of these years is."""
    count, day = 0, today
    for _ in range(LONGEST_SILENCE_DAYS):
        if count >= silent_days:
            return day - timedelta(days=1)
        day -= timedelta(days=1)
        count += calendar.is_school_day(day)
    return None


def _get_place(one: Try) -> tuple[datetime, str]:
    return one.last_at, one.row_key


def _as_key(one: Try) -> int:
    return 0 if one.coursework_id is None else one.coursework_id
