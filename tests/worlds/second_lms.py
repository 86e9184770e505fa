"""Another kind of LMS, made up: UUID keys, times as text, students and mentors named by UUIDs too.

This is all that a kind of LMS is: its SELECTs, and what its rows mean. Its keys do not grow, so that only the
complete look finds new rows. The bot's ids of people and activities are integers: they are made of the UUIDs.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from lms_bot.core.activities import UNKNOWN_STATE, ActivityType
from lms_bot.lms.people import PeopleSelects
from lms_bot.lms.reading import RowFact
from lms_bot.lms.stream import Dependency, Stream
from lms_bot.lms.values import RowProblem

if TYPE_CHECKING:
    from uuid import UUID

SCHEMA = """
CREATE TABLE teacher (id uuid PRIMARY KEY, login text NOT NULL, mail text);
CREATE TABLE pupil (id uuid PRIMARY KEY, login text NOT NULL, full_name text, teacher_id uuid REFERENCES teacher);
CREATE TABLE lesson (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text UNIQUE);
CREATE TABLE lesson_visit (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    pupil_id uuid REFERENCES pupil,
    lesson_id uuid REFERENCES lesson,
    progress integer,                            -- per cent, below 0 once the pupil has given up
    visited text,                                -- '15.01.2026 14:30', in UTC
    is_preview boolean NOT NULL DEFAULT FALSE    -- of a teacher who looks how it will be
);
INSERT INTO lesson (name) VALUES ('Bees'), ('Birds');
"""

# The first 31 bits of a UUID, the same in SQL and in Python.
INTEGER_ID = "(('x' || left({0}::text, 8))::bit(32)::int & 2147483647)"


def integer_id(key: UUID) -> int:
    """Stable, and small enough for the store."""
    return (key.int >> 96) & 0x7FFFFFFF


def read_visit(row: dict[str, Any]) -> RowFact:
    progress = row["progress"]
    if progress is None:
        raise RowProblem(UNKNOWN_STATE, "it has no progress")
    return RowFact(
        ActivityType.CONTENT_COMPLETED if progress >= 100 else ActivityType.CONTENT_STARTED,
        student_id=row["pupil_id"],
        student_username=row["login"],
        student_display_name=row["full_name"],
        activity_id=row["lesson_id"],
        activity_title=row["lesson"],
        happened_at=datetime.strptime(row["visited"], "%d.%m.%Y %H:%M"),  # without a zone: UTC  # noqa: DTZ007
        metadata={"progress": progress},
        is_withdrawn=progress < 0,
    )


PUPIL_ID, LESSON_ID = INTEGER_ID.format("p.id"), INTEGER_ID.format("l.id")

STREAMS = (
    Stream(
        name="lesson_visit",
        table="lesson_visit",
        alias="v",
        key_type="uuid",
        key_grows=False,
        select=f"""
            SELECT v.id, {PUPIL_ID}, p.login, p.full_name, {LESSON_ID}, l.name, v.progress, v.visited
            FROM lesson_visit AS v
            LEFT JOIN pupil AS p ON p.id = v.pupil_id
            LEFT JOIN lesson AS l ON l.id = v.lesson_id""",
        columns=("id", "pupil_id", "login", "full_name", "lesson_id", "lesson", "progress", "visited"),
        condition="NOT v.is_preview",
        latest_moment="to_timestamp(visited, 'DD.MM.YYYY HH24:MI')",
        read=read_visit,
        depends_on=(
            Dependency("pupil", "login, full_name", concerns="v.pupil_id", key_type="uuid"),
            Dependency("lesson", "name", concerns="v.lesson_id", key_type="uuid"),
        ),
    ),
)

TEACHER_ID = INTEGER_ID.format("t.id")
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
