"""Event data: an activity as the dict that the public API gives and takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lms_bot.core.activities import Activity, ActivityType
from lms_bot.core.clock import to_utc
from lms_bot.people.recipients import Recipients

EVENT_FIELDS = (
    "event_type",
    "student_id",
    "student_username",
    "mentor_id",
    "mentor_username",
    "activity_id",
    "activity_title",
    "activity_metadata",
    "timestamp",
)


def to_event_data(activity: Activity, people: Recipients) -> dict[str, Any]:
    values = (
        activity.event_type.value,
        activity.student_id,
        activity.student_username,
        people.mentor_id,
        people.mentor_username,
        activity.activity_id,
        activity.activity_title,
        dict(activity.activity_metadata),
        activity.happened_at,
    )
    return dict(zip(EVENT_FIELDS, values, strict=True))


def to_activity(event_data: Mapping[str, Any]) -> Activity:
    """Raises ValueError for an unknown event type, KeyError for missing data."""
    event_type = ActivityType(event_data["event_type"])
    happened_at = event_data["timestamp"]
    return Activity(
        stream="attempts" if event_type.is_exam else "content_attempts",
        row_key=str(event_data["activity_id"]),
        event_type=event_type,
        student_id=event_data["student_id"],
        student_username=event_data.get("student_username"),
        student_display_name=event_data.get("student_display_name"),
        activity_id=event_data["activity_id"],
        activity_title=event_data.get("activity_title"),
        activity_metadata=event_data.get("activity_metadata") or {},
        happened_at=None if happened_at is None else to_utc(happened_at),
    )
