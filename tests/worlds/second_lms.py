"""Another kind of LMS, made up: UUID keys, times as text, students and mentors named by UUIDs too.

This is all that a kind of LMS is: its SELECTs, and what its rows mean. Its keys do not grow, so that only the
complete look finds new rows. The bot's ids of people and activities are integers: they are made of the UUIDs.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from lms_bot.core.activities import UNKNOWN_STATE, UNREADABLE, Activity, ActivityType, Rejection
from lms_bot.core.clock import to_utc
from lms_bot.lms.people import PeopleSelects
from lms_bot.lms.stream import Reading, Stream

if TYPE_CHECKING:
    from uuid import UUID

SCHEMA = """
CREATE TABLE teacher (id uuid PRIMARY KEY, login text NOT NULL, mail text);
CREATE TABLE pupil (id uuid PRIMARY KEY, login text NOT NULL, full_name text, teacher_id uuid REFERENCES teacher);
CREATE TABLE lesson_visit (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    pupil_id uuid REFERENCES pupil,
    lesson text,
    progress integer,      -- per cent
    visited text           -- '15.01.2026 14:30', in UTC
);
"""

# The first 31 bits of a UUID, the same in SQL and in Python.
INTEGER_ID = "(('x' || left({0}::text, 8))::bit(32)::int & 2147483647)"


def integer_id(key: UUID) -> int:
    """Stable, and small enough for the store."""
    return (key.int >> 96) & 0x7FFFFFFF


def read_visit(values: tuple[Any, ...], lms_now: datetime) -> Reading:
    row_id, pupil_id, login, full_name, lesson, progress, visited = values
    key = str(row_id)
    try:
        visited_at = to_utc(datetime.strptime(visited or "", "%d.%m.%Y %H:%M"))  # to_utc takes it as UTC  # noqa: DTZ007  # to_utc takes it as UTC
    except ValueError:
        return _rejected(key, UNREADABLE, f"visited: “{visited}” is no time")
    if progress is None:
        return _rejected(key, UNKNOWN_STATE, "it has no progress")
    is_complete = progress >= 100
    activity = Activity(
        stream="lesson_visit",
        row_key=key,
        event_type=ActivityType.CONTENT_COMPLETED if is_complete else ActivityType.CONTENT_STARTED,
        student_id=integer_id(pupil_id),
        student_username=login,
        student_display_name=full_name,
        activity_id=integer_id(row_id),
        activity_title=lesson,
        activity_metadata={"progress": progress},
        happened_at=visited_at,
    )
    return Reading(key, activity, is_open=not is_complete)


def _rejected(key: str, problem: str, reason: str) -> Reading:
    return Reading(key, rejection=Rejection("lesson_visit", key, problem, reason))


STREAMS = (
    Stream(
        name="lesson_visit",
        table="lesson_visit",
        key="id",
        key_type="uuid",
        key_grows=False,
        alias="v",
        select="""
            SELECT v.id, v.pupil_id, p.login, p.full_name, v.lesson, v.progress, v.visited
            FROM lesson_visit AS v JOIN pupil AS p ON p.id = v.pupil_id""",
        latest_moment="to_timestamp(visited, 'DD.MM.YYYY HH24:MI')",
        read=read_visit,
    ),
)

TEACHER_ID, PUPIL_ID = INTEGER_ID.format("t.id"), INTEGER_ID.format("p.id")
TEACHER = f"{TEACHER_ID}, {TEACHER_ID}, t.login, t.mail, NULL, NULL, NULL"
PUPIL = f"{PUPIL_ID}, p.login, NULL, p.full_name, NULL, NULL"

PEOPLE = PeopleSelects(
    mentors=f"SELECT {TEACHER} FROM teacher AS t ORDER BY 1",
    mentors_of_students=f"""
        SELECT {PUPIL_ID}, {TEACHER} FROM pupil AS p JOIN teacher AS t ON t.id = p.teacher_id
        WHERE {PUPIL_ID} = ANY(%(student_ids)s) ORDER BY 1, 2""",
    students=f"SELECT {PUPIL} FROM pupil AS p WHERE {PUPIL_ID} = ANY(%(student_ids)s)",
    students_of_mentors=f"""
        SELECT {TEACHER_ID}, {PUPIL} FROM pupil AS p JOIN teacher AS t ON t.id = p.teacher_id
        WHERE {TEACHER_ID} = ANY(%(mentor_keys)s) ORDER BY p.login""",
    all_students=f"SELECT {PUPIL} FROM pupil AS p",
    shared_student_emails="SELECT NULL WHERE %(emails)s IS NULL",
)
