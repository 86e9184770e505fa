"""Activities as the dicts that the public API gives and takes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lms_bot.core.activities import Activity, ActivityType
from lms_bot.core.clock import to_utc
from lms_bot.people.recipients import Recipients


def to_event_data(activity: Activity, people: Recipients) -> dict[str, Any]:
    """The activity as the dict that the public API gives and takes."""
    return {
        "event_type": activity.event_type.value,
        "student_id": activity.student_id,
        "student_username": activity.student_username,
        "mentor_id": people.mentor_id,
        "mentor_username": people.mentor_username,
        "activity_id": activity.activity_id,
        "activity_title": activity.activity_title,
        "activity_metadata": dict(activity.activity_metadata),
        "timestamp": activity.happened_at,
    }


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
