"""Events stored as the recorder stores them: with the attempt that they tell of."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from lms_bot.core.activities import Activity, ActivityType
from lms_bot.store.attempts import AttemptBook
from lms_bot.store.coursework import to_title_key
from lms_bot.store.database import Store
from lms_bot.store.models import LMSActivityEvent

_ids: dict[tuple[bool, str], int] = {}


def get_activity_id(is_exam: bool, title: str | None) -> int:
    """A number of its own for each title, exams and contents apart; 0 for none, as where the exam is gone."""
    return _ids.setdefault((is_exam, to_title_key(title)), 1000 + len(_ids)) if title else 0


def follow_event(
    store: Store, columns: dict[str, Any], *, attempt_id: int, now: datetime, is_withdrawn: bool = False
) -> dict[str, Any]:
    """The event's columns with the row of the LMS it is of, after that row was read; within a transaction."""
    if columns["event_type"] not in {kind.value for kind in ActivityType}:
        return {"activity_id": attempt_id, "source_key": f"test:{attempt_id}:{columns['event_type']}"} | columns
    kind = ActivityType(columns["event_type"])
    stream = "attempts" if kind.is_exam else "content_attempts"
    metadata, title = columns.get("activity_metadata"), columns.get("activity_title")
    activity = Activity(
        stream=stream,
        row_key=str(attempt_id),
        event_type=kind,
        student_id=columns["student_id"],
        student_username=columns.get("student_username"),
        student_display_name=columns.get("student_display_name"),
        activity_id=columns.get("activity_id", get_activity_id(kind.is_exam, title)),
        activity_title=title,
        activity_metadata=metadata if isinstance(metadata, dict) else {},
        happened_at=columns["timestamp"],
        started_at=columns["timestamp"] if kind.is_start else None,
        is_echo=columns.get("is_echo", False),
        is_withdrawn=is_withdrawn,
        attempt_id=attempt_id,
    )
    AttemptBook(store.database).follow(stream, [activity], now)
    named = {"stream": stream, "attempt_id": attempt_id, "activity_id": activity.activity_id}
    return {"source_key": activity.source_key} | columns | named


def create_event(store: Store, columns: dict[str, Any], *, attempt_id: int, now: datetime) -> LMSActivityEvent:
    with store.transaction():
        return LMSActivityEvent.create(**follow_event(store, columns, attempt_id=attempt_id, now=now))
