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
from lms_bot.store.database import database, rows
from lms_bot.store.models import LMSActivityEvent
from lms_bot.store.statements import Statements, from_stored, to_stored
from lms_bot.store.totals import Attempt, StudentTotals

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
    """A student as the latest event tells of them."""

    student_id: int
    username: str | None
    display_name: str | None


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


def get_last_events(student_ids: Collection[int]) -> dict[int, LMSActivityEvent]:
    """The latest event of each of these students who has one."""
    event = LMSActivityEvent
    found: dict[int, LMSActivityEvent] = {}
    for chosen in in_chunks(student_ids):
        last = StudentTotals.select(StudentTotals.last_event_id).where(StudentTotals.student_id.in_(chosen))
        found.update({row.student_id: row for row in event.select().where(event.event_id.in_(last))})
    return found


def get_stored_students(student_ids: Collection[int] | None = None) -> list[StoredStudent]:
    """Everybody of whom an event is counted, or those of these students, by id."""
    totals = StudentTotals
    query = totals.select(totals.student_id, totals.username, totals.display_name).order_by(totals.student_id)
    queries = (
        [query]
        if student_ids is None
        else [query.where(totals.student_id.in_(one)) for one in in_chunks(student_ids)]
    )
    return [StoredStudent(*row) for each in queries for row in rows(each)]


def get_totals_of_students(student_ids: Collection[int]) -> dict[int, StudentTotals]:
    """How these students stand; those of whom no event is counted are left out."""
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
) -> list[Attempt]:
    """One student's attempts, by what was heard of them last: newest first, from `start` on and before `end`."""
    query = Attempt.select().where(Attempt.student_id == student_id)
    if is_exam is not None:
        query = query.where(Attempt.is_exam == is_exam)
    query = _in_period(query, Attempt.last_at, start, end)
    return list(query.order_by(Attempt.last_at.desc(), Attempt.activity_id.desc()))


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
    """The latest exam that is not open; `outcome` as in `Attempt`."""

    activity_id: int
    title: str | None
    outcome: str
    percentage: float | None


@dataclass(frozen=True)
class Attention:
    """How a student is doing; `last_at` is None for one of whom no event is counted."""

    student_id: int
    flags: tuple[Flag, ...]
    last_at: datetime | None = None
    last_result: LastResult | None = None


_NOW_SQL = """
SELECT student_id, last_at,
  (SELECT activity_id FROM lms_attempts AS ended
   WHERE ended.student_id = totals.student_id AND is_exam AND outcome <> 'started'
   ORDER BY ended.last_at DESC, activity_id DESC LIMIT 1),
  EXISTS (SELECT 1 FROM lms_attempts AS opened
   WHERE opened.student_id = totals.student_id AND is_exam AND outcome = 'started' AND started_at < ?)
FROM lms_standings AS totals WHERE 1 = 1{condition}
"""
_RESULT_KEY = {"student_id": "bigint", "is_exam": "boolean", "activity_id": "bigint"}
_RESULT_COLUMNS = ("student_id", "activity_id", "title", "outcome", "percentage")


def get_attention(student_ids: Collection[int], now: datetime) -> dict[int, Attention]:
    """How each of these students is doing, by id."""
    statements = Statements(database.obj)
    condition, ids = choose(statements, student_ids)
    opened_before = to_stored(now - LEFT_AFTER)
    found = statements.execute(_NOW_SQL.format(condition=condition), (opened_before, *ids))
    results = _get_results(statements, [(row[0], True, row[2]) for row in found if row[2] is not None])
    attention = {student_id: Attention(student_id, (Flag.SILENT,)) for student_id in student_ids}
    for student_id, last_at, _, has_left in found:
        last, result = from_stored(last_at), results.get(student_id)
        attention[student_id] = Attention(student_id, _raise_flags(result, bool(has_left), now - last), last, result)
    return attention


def _get_results(statements: Statements, keys: list[tuple[int, bool, int]]) -> dict[int, LastResult]:
    found = statements.find("lms_attempts", _RESULT_COLUMNS, _RESULT_KEY, keys) if keys else []
    return {student_id: LastResult(*rest) for student_id, *rest in found}


def _raise_flags(result: LastResult | None, has_left: bool, silence: timedelta) -> tuple[Flag, ...]:
    raised = {
        Flag.FAILED: result is not None and result.outcome == "failed",
        Flag.LEFT_OPEN: has_left,
        Flag.SILENT: silence > SILENT_AFTER,
    }
    return tuple(flag for flag, is_raised in raised.items() if is_raised)
