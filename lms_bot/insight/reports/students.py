"""What single students did, and how they stand."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from lms_bot.core.activities import ActivityType
from lms_bot.core.clock import to_utc
from lms_bot.insight.reports.counting import choose
from lms_bot.store.counter_changes import ALL_TIME
from lms_bot.store.database import database, rows
from lms_bot.store.models import LMSActivityEvent
from lms_bot.store.statements import Statements, from_stored, to_stored
from lms_bot.store.totals import StudentTotals

IDS_PER_QUERY = 500
LEFT_AFTER = timedelta(days=1)
SILENT_AFTER = timedelta(days=7)

_EXAM_TYPES = [kind.value for kind in ActivityType if kind.is_exam]


@dataclass(frozen=True)
class EventPage:
    """`total` events there are, and those of one page of them."""

    total: int
    events: Sequence[LMSActivityEvent]


@dataclass(frozen=True)
class StoredStudent:
    """A student as the LMS called them when it was read last."""

    student_id: int
    username: str | None
    display_name: str | None


@dataclass(frozen=True)
class StudentAttempt:
    """One student's try at an exam or content, as the LMS says now; see `Attempt` and `Coursework`."""

    is_exam: bool
    coursework_id: int | None
    activity_id: int
    title: str | None
    title_key: str
    outcome: str
    started_at: datetime | None
    last_at: datetime
    percentage: float | None
    score: float | None


_ATTEMPTS_SQL = """
SELECT attempt.is_exam, attempt.coursework_id, activity_id, title, title_key, outcome, started_at, last_at,
       percentage, score
FROM lms_attempts AS attempt LEFT JOIN lms_coursework AS about ON about.coursework_id = attempt.coursework_id
WHERE is_shown"""


def get_history(
    student_id: int,
    start: datetime | None = None,
    end: datetime | None = None,
    *,
    is_exam: bool | None = None,
    limit: int = 20,
    offset: int = 0,
) -> EventPage:
    """What one student did, from `start` on and before `end` where given; with exams or contents alone if said."""
    event = LMSActivityEvent
    query = event.select().where(event.student_id == student_id, ~event.is_echo)
    query = _in_period(query, event.timestamp, start, end)
    if is_exam is not None:
        query = query.where(event.event_type.in_(_EXAM_TYPES) if is_exam else event.event_type.not_in(_EXAM_TYPES))
    newest = query.order_by(event.timestamp.desc(), event.event_id.desc())
    return EventPage(query.count(), list(newest.limit(limit).offset(offset)))


def get_stored_students(student_ids: Collection[int] | None = None) -> list[StoredStudent]:
    """Everybody who has an attempt, or those of these students, by id."""
    totals = StudentTotals
    query = totals.select(totals.student_id, totals.username, totals.display_name).order_by(totals.student_id)
    queries = (
        [query]
        if student_ids is None
        else [query.where(totals.student_id.in_(one)) for one in in_chunks(student_ids)]
    )
    return [StoredStudent(*row) for each in queries for row in rows(each)]


def get_students_with_events(student_ids: Collection[int] | None = None) -> list[StoredStudent]:
    """Everybody of whom an event is stored, or those of these students, by id, as the latest names them; reads all
    that is stored of them."""
    statements = Statements(database.obj)
    condition, ids = choose(statements, student_ids)
    last = f"SELECT max(event_id) FROM lms_activity_events WHERE 1 = 1{condition} GROUP BY student_id"
    sql = f"""SELECT student_id, student_username, student_display_name FROM lms_activity_events
    WHERE event_id IN ({last}) ORDER BY student_id"""
    return [StoredStudent(*row) for row in statements.execute(sql, ids)]


def get_former_students() -> list[StoredStudent]:
    """Everybody whose events are all that is stored: the LMS has no attempt of theirs any more."""
    sql = """SELECT student_id FROM lms_student_counts AS counted WHERE span = ? AND day = 0
    AND NOT EXISTS (SELECT 1 FROM lms_standings AS totals WHERE totals.student_id = counted.student_id)"""
    ids = [student_id for (student_id,) in Statements(database.obj).execute(sql, (ALL_TIME,))]
    return get_students_with_events(ids) if ids else []


def get_totals_of_students(student_ids: Collection[int]) -> dict[int, StudentTotals]:
    """How these students stand; those who have no attempt are left out."""
    return {
        row.student_id: row
        for chosen in in_chunks(student_ids)
        for row in StudentTotals.select().where(StudentTotals.student_id.in_(chosen))
    }


def get_attempts(
    student_id: int,
    start: datetime | None = None,
    end: datetime | None = None,
    *,
    is_exam: bool | None = None,
    limit: int | None = None,
) -> list[StudentAttempt]:
    """One student's attempts as the LMS says now, newest first, from `start` on and before `end` where given."""
    conditions: list[str] = ["student_id = ?"]
    parameters: list[Any] = [student_id]
    for condition, value in (
        ("last_at >= ?", None if start is None else to_stored(start)),
        ("last_at < ?", None if end is None else to_stored(end)),
        ("attempt.is_exam = ?", is_exam),
    ):
        if value is not None:
            conditions.append(condition)
            parameters.append(value)
    sql = f"{_ATTEMPTS_SQL} AND {' AND '.join(conditions)} ORDER BY last_at DESC, row_key DESC"
    if limit is not None:
        sql += f" LIMIT {int(limit)}"
    return [_to_attempt(row) for row in Statements(database.obj).execute(sql, parameters)]


def _to_attempt(row: Sequence[Any]) -> StudentAttempt:
    is_exam, coursework_id, activity_id, title, title_key, outcome, started_at, last_at, *result = row
    began = None if started_at is None else from_stored(started_at)
    about = (bool(is_exam), coursework_id, activity_id or 0, title, title_key or "")
    return StudentAttempt(*about, outcome, began, from_stored(last_at), *result)


def _in_period(query: Any, moment: Any, start: datetime | None, end: datetime | None) -> Any:
    if start is not None:
        query = query.where(moment >= to_utc(start))
    return query if end is None else query.where(moment < to_utc(end))


def in_chunks(ids: Iterable[int]) -> Iterator[list[int]]:
    """The ids in lists short enough for a query."""
    in_order = sorted(ids)
    for first in range(0, len(in_order), IDS_PER_QUERY):
        yield in_order[first : first + IDS_PER_QUERY]


class Flag(Enum):
    """Why a student needs attention, the most urgent first."""

    FAILED = "failed their last exam"
    LEFT_OPEN = "left an exam open for more than a day"
    SILENT = "did nothing for more than 7 days"


@dataclass(frozen=True)
class LastResult:
    """The latest exam that has ended; `outcome` as in `Attempt`."""

    activity_id: int
    title: str | None
    outcome: str
    percentage: float | None


@dataclass(frozen=True)
class Attention:
    """How a student is doing; `last_at` is None for one who has no attempt."""

    student_id: int
    flags: tuple[Flag, ...]
    last_at: datetime | None = None
    last_result: LastResult | None = None


_NOW_SQL = """
SELECT student_id, last_at,
  (SELECT row_key FROM lms_attempts AS ended
   WHERE ended.student_id = totals.student_id AND is_shown AND is_exam AND outcome NOT IN ('started', 'withdrawn')
   ORDER BY ended.last_at DESC, row_key DESC LIMIT 1),
  (SELECT stream FROM lms_attempts AS ended
   WHERE ended.student_id = totals.student_id AND is_shown AND is_exam AND outcome NOT IN ('started', 'withdrawn')
   ORDER BY ended.last_at DESC, row_key DESC LIMIT 1),
  EXISTS (SELECT 1 FROM lms_attempts AS opened
   WHERE opened.student_id = totals.student_id AND is_shown AND is_exam AND outcome = 'started' AND started_at < ?)
FROM lms_standings AS totals WHERE 1 = 1{condition}
"""
_RESULT_KEY = {"stream": "text", "row_key": "text"}
_RESULT_COLUMNS = ("student_id", "coursework_id", "outcome", "percentage")


def get_attention(student_ids: Collection[int], now: datetime) -> dict[int, Attention]:
    """How each of these students is doing, by id."""
    statements = Statements(database.obj)
    condition, ids = choose(statements, student_ids)
    opened_before = to_stored(now - LEFT_AFTER)
    found = statements.execute(_NOW_SQL.format(condition=condition), (opened_before, *ids))
    keys = [(stream, row_key) for _, _, row_key, stream, _ in found if row_key is not None]
    results = _get_results(statements, keys)
    attention = {student_id: Attention(student_id, (Flag.SILENT,)) for student_id in student_ids}
    for student_id, last_at, _, _, has_left in found:
        last, result = from_stored(last_at), results.get(student_id)
        attention[student_id] = Attention(student_id, _raise_flags(result, bool(has_left), now - last), last, result)
    return attention


def _get_results(statements: Statements, keys: list[tuple[str, str]]) -> dict[int, LastResult]:
    if not keys:
        return {}
    found = statements.find("lms_attempts", _RESULT_COLUMNS, _RESULT_KEY, keys)
    condition, parameters = statements.among("coursework_id", sorted({row[1] for row in found if row[1] is not None}))
    sql = f"SELECT coursework_id, activity_id, title FROM lms_coursework WHERE {condition}"
    about = {each: called for each, *called in statements.execute(sql, parameters)}
    return {
        student_id: LastResult(*about.get(coursework_id, (0, None)), *rest)
        for student_id, coursework_id, *rest in found
    }


def _raise_flags(result: LastResult | None, has_left: bool, silence: timedelta) -> tuple[Flag, ...]:
    raised = {
        Flag.FAILED: result is not None and result.outcome == "failed",
        Flag.LEFT_OPEN: has_left,
        Flag.SILENT: silence > SILENT_AFTER,
    }
    return tuple(flag for flag, is_raised in raised.items() if is_raised)
