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

    def __init__(self, value: str) -> None:
        # Attributes, as they are asked for with every row.
        self.is_exam = value.startswith("exam_")
        self.is_start = value.endswith("_started")
        self.outcome = value.rpartition("_")[2]
        """What the type says of an attempt: started, completed, watched, passed or failed."""
        self.bit = 1 << len(type(self).__members__)
        """By which a set of types is kept as one number."""

    def __str__(self) -> str:
        return self.value


ALL_TYPES = sum(kind.bit for kind in ActivityType)
JUDGED = (ActivityType.EXAM_PASSED, ActivityType.EXAM_FAILED)
"""The results that may turn into one another."""

STARTED, WITHDRAWN = "started", "withdrawn"
"""Outcomes of an attempt that has no result: it is open, or was given up."""


@dataclass(frozen=True)
class Activity:
    """One fact read from the LMS: who, what, which state, when. Never stored as such.

    `stream` and `row_key` name the LMS row it was read from; with `event_type` they are the
    activity's identity. `activity_id` is the exam's or content's, 0 where the LMS has it no more,
    `attempt_id` the row's, where that is a number. `happened_at` and `started_at` are aware UTC,
    or None where the LMS does not say.
    `is_echo` marks the activity that repeats another one (a content that is an exam): it is
    stored, but nobody is told of it twice. `is_withdrawn` marks an attempt that was given up:
    it is over, and no event.
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
    is_withdrawn: bool = False
    attempt_id: int | None = None
    started_at: datetime | None = None

    @property
    def source_key(self) -> str:
        """What makes the event of this activity unique: the row it came from, and its type."""
        return source_key(self.stream, self.row_key, self.event_type)

    @property
    def outcome(self) -> str:
        """How the attempt stands now: as the type says, or withdrawn."""
        return WITHDRAWN if self.is_withdrawn else self.event_type.outcome


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
