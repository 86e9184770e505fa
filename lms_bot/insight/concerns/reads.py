"""Concerns as they stand and as they were. Call it inside `Store.session()`."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from lms_bot.insight.reports.students import in_chunks
from lms_bot.store.concerns import Concern, ConcernKind

URGENCY = {kind.value: place for place, kind in enumerate(ConcernKind)}


def get_open_concerns(student_ids: Collection[int] | None = None) -> list[Concern]:
    """What is open of these students, or of all, the most urgent first."""
    query = Concern.select().where(Concern.cleared_at.is_null())
    return sorted(_read_of(query, student_ids), key=_get_urgency)


def get_history(student_id: int, limit: int = 20, offset: int = 0) -> list[Concern]:
    """One student's concerns, open or not, the last opened first."""
    query = Concern.select().where(Concern.student_id == student_id).order_by(Concern.concern_id.desc())
    return list(query.limit(limit).offset(offset))


def count_history(student_id: int) -> int:
    """How many concerns of one student there were and are."""
    return int(Concern.select().where(Concern.student_id == student_id).count())


def get_cleared_between(student_ids: Collection[int] | None, start: datetime, end: datetime) -> list[Concern]:
    """What ended at or after `start` and before `end`, of these students or of all, the first first."""
    query = Concern.select().where(Concern.cleared_at >= start, Concern.cleared_at < end)
    return sorted(_read_of(query, student_ids), key=lambda one: (one.cleared_at, one.concern_id))


def _read_of(query: Any, student_ids: Collection[int] | None) -> list[Concern]:
    if student_ids is None:
        return list(query)
    return [one for some in in_chunks(student_ids) for one in query.where(Concern.student_id.in_(some))]


def _get_urgency(one: Concern) -> tuple[int, int, datetime, int]:
    return URGENCY.get(one.kind, len(URGENCY)), -one.facts.get("severity", 0), one.since_at, one.student_id
