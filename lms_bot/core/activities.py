"""The shape in which facts travel: an activity is one thing a student did, read from the LMS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any


class ActivityType(str, Enum):
    """What happened. The values are the `event_type` of stored events."""

    EXAM_STARTED = "exam_started"
    EXAM_COMPLETED = "exam_completed"
    EXAM_PASSED = "exam_passed"
    EXAM_FAILED = "exam_failed"
    CONTENT_STARTED = "content_started"
    CONTENT_COMPLETED = "content_completed"
    CONTENT_WATCHED = "content_watched"

    def __str__(self) -> str:
        return self.value

    @property
    def is_exam(self) -> bool:
        return self.value.startswith("exam_")

    @property
    def is_start(self) -> bool:
        return self.value.endswith("_started")


@dataclass(frozen=True)
class Activity:
    """One fact read from the LMS: who, what, which state, when. Never stored as such.

    `stream` and `row_key` name the LMS row it was read from; with `event_type` they are the
    activity's identity. `happened_at` is aware UTC, or None where the LMS does not say.
    `is_echo` marks the activity that repeats another one (a content that is an exam): it is
    stored, but nobody is told of it twice.
    """

    stream: str
    row_key: str
    event_type: ActivityType
    student_id: int
    student_username: str | None
    student_display_name: str | None
    activity_id: int
    activity_title: str | None
    activity_metadata: Mapping[str, Any]
    happened_at: datetime | None
    is_echo: bool = False

    @property
    def source_key(self) -> str:
        """What makes the event of this activity unique: the row it came from, and its type."""
        return source_key(self.stream, self.row_key, self.event_type)


def source_key(stream: str, row_key: str, event_type: str) -> str:
    return f"{stream}:{row_key}:{event_type}"


@dataclass(frozen=True)
class Rejection:
    """A row that could not become an activity. `problem` is one of the constants below."""

    stream: str
    row_key: str
    problem: str
    reason: str


UNKNOWN_STATE = "unknown state"
UNREADABLE = "unreadable"
