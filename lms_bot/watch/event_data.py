"""Activities as the dicts that the public API gives and takes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lms_bot.core.activities import Activity, ActivityType
from lms_bot.core.clock import to_utc
from lms_bot.lms.known_rows import NO_ROW
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
        "attempt_id": activity.attempt_id,
        "stream": activity.stream,
        "activity_title": activity.activity_title,
        "activity_metadata": dict(activity.activity_metadata),
        "timestamp": activity.happened_at,
    }


def to_activity(event_data: Mapping[str, Any]) -> Activity:
    """Raises ValueError for an unknown event type, or an attempt id that is no number, KeyError for missing data.

    Without `attempt_id`, the student, what was tried and when are what makes the event unique.
    """
    event_type = ActivityType(event_data["event_type"])
    timestamp, attempt_id = event_data["timestamp"], event_data.get("attempt_id")
    happened_at = None if timestamp is None else to_utc(timestamp)
    if attempt_id is not None and (isinstance(attempt_id, bool) or not isinstance(attempt_id, int)):
        raise ValueError(f"attempt_id: {attempt_id!r} is no whole number")
    tried = f"{NO_ROW}{event_data['student_id']}/{event_data['activity_id']}@{happened_at}"
    return Activity(
        stream=event_data.get("stream") or ("attempts" if event_type.is_exam else "content_attempts"),
        row_key=tried if attempt_id is None else str(attempt_id),
        event_type=event_type,
        student_id=event_data["student_id"],
        student_username=event_data.get("student_username"),
        student_display_name=event_data.get("student_display_name"),
        activity_id=event_data["activity_id"],
        activity_title=event_data.get("activity_title"),
        activity_metadata=event_data.get("activity_metadata") or {},
        happened_at=happened_at,
        attempt_id=attempt_id,
    )


def name_as_known(activity: Activity, titles: Mapping[str, str | None]) -> Activity:
    """With the title as last known, by row key, where the LMS gives it none any more."""
    title = titles.get(activity.row_key)
    return replace(activity, activity_title=title) if title and not activity.activity_title else activity
