"""What single students did, and how they stand."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from peewee import SQL, fn

from lms_bot.core.activities import ActivityType
from lms_bot.core.clock import to_utc
from lms_bot.store.database import rows
from lms_bot.store.models import LMSActivityEvent
from lms_bot.store.totals import Attempt, StudentTotals

IDS_PER_QUERY = 500

_EXAM_TYPES = [kind.value for kind in ActivityType if kind.is_exam]


@dataclass(frozen=True)
class History:
    """`total` events there are, and those of one page of them, newest first."""

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
) -> History:
    """What one student did, from `start` on and before `end` where given; with exams or contents alone if said."""
    event = LMSActivityEvent
    query = event.select().where(event.student_id == student_id, ~event.is_echo)
    query = _in_period(query, event.timestamp, start, end)
    if is_exam is not None:
        query = query.where(event.event_type.in_(_EXAM_TYPES) if is_exam else event.event_type.not_in(_EXAM_TYPES))
    newest = query.order_by(event.timestamp.desc(), event.event_id.desc())
    return History(query.count(), list(newest.limit(limit).offset(offset)))


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
    columns = (StudentTotals.student_id, StudentTotals.username, StudentTotals.display_name)
    if student_ids is None:
        return [
            StoredStudent(*row) for row in rows(StudentTotals.select(*columns).order_by(StudentTotals.student_id))
        ]
    return [
        StoredStudent(*row)
        for chosen in in_chunks(student_ids)
        for row in rows(
            StudentTotals.select(*columns)
            .where(StudentTotals.student_id.in_(chosen))
            .order_by(StudentTotals.student_id)
        )
    ]


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


def count_left_open(student_ids: Collection[int]) -> dict[int, int]:
    """How many exams and contents each of these students started without anything after it; who left nothing is
    left out."""
    found: dict[int, int] = {}
    for chosen in in_chunks(student_ids):
        is_open = Attempt.outcome == SQL("'started'")  # not a parameter: the index is of these alone
        query = Attempt.select(Attempt.student_id, fn.COUNT(Attempt.activity_id)).where(
            is_open, Attempt.student_id.in_(chosen)
        )
        found.update(dict(rows(query.group_by(Attempt.student_id))))
    return found


def _in_period(query: Any, moment: Any, start: datetime | None, end: datetime | None) -> Any:
    if start is not None:
        query = query.where(moment >= to_utc(start))
    return query if end is None else query.where(moment < to_utc(end))


def in_chunks(ids: Collection[int]) -> Iterator[list[int]]:
    """The ids in lists short enough for a query."""
    in_order = sorted(ids)
    for first in range(0, len(in_order), IDS_PER_QUERY):
        yield in_order[first : first + IDS_PER_QUERY]
