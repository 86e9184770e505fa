"""The LMS whose tables the README describes: what to SELECT, and what its rows mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from lms_bot.core.activities import UNKNOWN_STATE, UNREADABLE, Activity, ActivityType, Rejection
from lms_bot.lms.people import PeopleSelects, display_name
from lms_bot.lms.stream import Reading, Stream
from lms_bot.lms.values import (
    TITLE_LENGTH,
    UNQUESTIONED,
    RowProblem,
    read_id,
    read_key,
    read_moment,
    read_plain,
    read_text,
    read_word,
)

STARTED, COMPLETED, WATCHED = "started", "completed", "watched"
STATES = {
    **dict.fromkeys(("started", "in progress", "running", "resumed"), STARTED),
    **dict.fromkeys(("completed", "finished", "ended", "submitted"), COMPLETED),
    **dict.fromkeys(("watched", "viewed"), WATCHED),
}
RESULTS = {
    **dict.fromkeys(("pass", "passed"), ActivityType.EXAM_PASSED),
    **dict.fromkeys(("fail", "failed"), ActivityType.EXAM_FAILED),
}
CONTENT_TYPES = {
    STARTED: ActivityType.CONTENT_STARTED,
    COMPLETED: ActivityType.CONTENT_COMPLETED,
    WATCHED: ActivityType.CONTENT_WATCHED,
}

EXAM_COLUMNS = (
    "id", "user_id", "username", "student_username", "display_name", "first_name", "last_name",
    "title", "state", "result", "date", "last_started_time", "last_answer_updated_time",
    "score", "percentage", "time_taken", "correct_answers", "incorrect_answers", "unanswered", "percentile", "speed",
)  # fmt: skip
EXAM_SELECT = """
SELECT a.id, a.user_id, a.username, s.username, s.display_name, s.first_name, s.last_name,
       e.title, a.state, a.result, a.date, a.last_started_time, a.last_answer_updated_time,
       a.score, a.percentage, a.time_taken, a.correct_answers_count, a.incorrect_answers_count,
       a.unanswered_count, a.percentile, a.speed
FROM attempts AS a
LEFT JOIN students AS s ON s.id = a.user_id
LEFT JOIN exams AS e ON e.id = a.exam_id
"""
EXAM_METADATA = (
    "score", "percentage", "result", "time_taken", "correct_answers", "incorrect_answers",
    "unanswered", "percentile", "speed",
)  # fmt: skip

CONTENT_COLUMNS = (
    "id", "user_id", "student_username", "display_name", "first_name", "last_name",
    "title", "state", "content_type", "course_title", "chapter_name", "correct_answers", "incorrect_answers",
    "created", "completed_on", "assessment_id",
)  # fmt: skip
CONTENT_SELECT = """
SELECT c.id, c.user_id, s.username, s.display_name, s.first_name, s.last_name,
       cc.title, c.state, c.content_type, co.title, ch.name, c.correct_answers_count, c.incorrect_answers_count,
       c.created, c.completed_on, c.assessment_id
FROM content_attempts AS c
LEFT JOIN students AS s ON s.id = c.user_id
LEFT JOIN "ChapterContent" AS cc ON cc.id = c.chapter_content_id
LEFT JOIN courses AS co ON co.id = c.course_id
LEFT JOIN chapters AS ch ON ch.id = c.chapter_id
"""
CONTENT_METADATA = (
    "content_type", "state", "course_title", "chapter_name", "correct_answers", "incorrect_answers", "completed_on",
)  # fmt: skip

READ_COLUMNS: dict[str, tuple[str, ...]] = {
    "attempts": (
        "id", "date", "exam_id", "user_id", "username", "correct_answers_count", "incorrect_answers_count",
        "unanswered_count", "score", "percentage", "percentile", "speed", "time_taken", "result", "state",
        "last_started_time", "last_answer_updated_time", "xmin", "ctid",
    ),
    "content_attempts": (
        "id", "user_id", "course_id", "chapter_id", "chapter_content_id", "content_type", "state", "assessment_id",
        "correct_answers_count", "incorrect_answers_count", "created", "completed_on", "xmin", "ctid",
    ),
    "students": ("id", "username", "display_name", "first_name", "last_name", "email", "is_active"),
    "mentors": (
        "id", "username", "email", "first_name", "last_name", "display_name", "user_id", "supervisor_id",
    ),
    '"_MentorToStudent"': ('"A"', '"B"'),
    "exams": ("id", "title"),
    '"ChapterContent"': ("id", "title"),
    "courses": ("id", "title"),
    "chapters": ("id", "name"),
}  # fmt: skip
"""Every column the bot reads, by table: what a SELECT-only role needs, no more."""


def grant_statements(role: str) -> str:
    """The GRANTs that let `role` read what the bot reads, and nothing else."""
    return "\n".join(
        f"GRANT SELECT ({', '.join(columns)}) ON {table} TO {role};" for table, columns in READ_COLUMNS.items()
    )


Row = dict[str, Any]
FindWhat = Callable[[Row], tuple[ActivityType, datetime | None]]
"""What a row says has happened, and when. Raises RowProblem."""


def read_exam_attempt(values: tuple[Any, ...], lms_now: datetime) -> Reading:
    return _read("attempts", dict(zip(EXAM_COLUMNS, values, strict=True)), lms_now, _what_of_exam, EXAM_METADATA)


def read_content_attempt(values: tuple[Any, ...], lms_now: datetime) -> Reading:
    row = dict(zip(CONTENT_COLUMNS, values, strict=True))
    return _read("content_attempts", row, lms_now, _what_of_content, CONTENT_METADATA)


def _read(stream: str, row: Row, lms_now: datetime, find_what: FindWhat, kept: Sequence[str]) -> Reading:
    key = read_key(row["id"])
    try:
        if row["user_id"] is None:
            raise RowProblem(UNREADABLE, "it names no student (user_id is empty)")  # noqa: TRY301
        plain = {
            name: value if type(value) in UNQUESTIONED else read_plain(name, value, lms_now)
            for name, value in row.items()
        }
        event_type, happened_at = find_what(row)
        activity = Activity(
            stream=stream,
            row_key=key,
            event_type=event_type,
            student_id=read_id("user_id", row["user_id"]),
            student_username=read_text(row["student_username"] or row.get("username")),
            student_display_name=display_name(row["display_name"], row["first_name"], row["last_name"]),
            activity_id=read_id("id", row["id"]),
            activity_title=read_text(row["title"], TITLE_LENGTH),
            activity_metadata={name: plain[name] for name in kept},
            happened_at=read_moment("when it happened", happened_at, lms_now),
            is_echo=row.get("assessment_id") is not None,  # the same act as that attempt, which is told
        )
    except RowProblem as problem:
        return Reading(key, rejection=Rejection(stream, key, problem.problem, str(problem)))
    return Reading(key, activity, is_open=event_type.is_start)


def _what_of_exam(row: Row) -> tuple[ActivityType, datetime | None]:
    state = _state(row["state"])
    if state == STARTED:
        return ActivityType.EXAM_STARTED, row["date"] or row["last_started_time"]
    if state == COMPLETED:
        event_type = RESULTS.get(read_word(row["result"]), ActivityType.EXAM_COMPLETED)
        return event_type, row["last_answer_updated_time"] or row["date"]
    raise RowProblem(UNKNOWN_STATE, f"an exam cannot be “{row['state']}”")


def _what_of_content(row: Row) -> tuple[ActivityType, datetime | None]:
    state = _state(row["state"])
    happened_at = row["created"] if state == STARTED else row["completed_on"] or row["created"]
    return CONTENT_TYPES[state], happened_at


def _state(word: Any) -> str:
    known = STATES.get(read_word(word))
    if known is None:
        raise RowProblem(UNKNOWN_STATE, f"its state is “{read_text(word)}”" if word else "it has no state")
    return known


STREAMS = (
    Stream(
        name="attempts",
        table="attempts",
        alias="a",
        select=EXAM_SELECT,
        latest_moment="GREATEST(date, last_started_time, last_answer_updated_time)",
        read=read_exam_attempt,
    ),
    Stream(
        name="content_attempts",
        table="content_attempts",
        alias="c",
        select=CONTENT_SELECT,
        latest_moment="GREATEST(created, completed_on)",
        read=read_content_attempt,
    ),
)

MENTOR_FIELDS = "m.id, m.user_id, m.username, m.email, m.display_name, m.first_name, m.last_name, m.supervisor_id"
STUDENT_FIELDS = "s.id, s.username, s.email, s.display_name, s.first_name, s.last_name, s.is_active"

PEOPLE = PeopleSelects(
    mentors=f"SELECT {MENTOR_FIELDS} FROM mentors AS m ORDER BY m.id",
    mentors_of_students=f"""
        SELECT p."B", {MENTOR_FIELDS} FROM "_MentorToStudent" AS p JOIN mentors AS m ON m.id = p."A"
        WHERE p."B" = ANY(%(student_ids)s) ORDER BY p."B", m.id""",
    students=f"SELECT {STUDENT_FIELDS} FROM students AS s WHERE s.id = ANY(%(student_ids)s)",
    students_of_mentors=f"""
        SELECT p."A", {STUDENT_FIELDS} FROM students AS s JOIN "_MentorToStudent" AS p ON p."B" = s.id
        WHERE p."A" = ANY(%(mentor_keys)s) ORDER BY s.username""",
    all_students=f"SELECT {STUDENT_FIELDS} FROM students AS s",
    shared_student_emails="""
        SELECT lower(trim(s.email)) FROM students AS s WHERE lower(trim(s.email)) = ANY(%(emails)s)
        GROUP BY 1 HAVING count(*) > 1""",
    students_called=f"""
        SELECT {STUDENT_FIELDS} FROM students AS s
        WHERE lower(s.username) = ANY(%(usernames)s) OR lower(trim(s.email)) = ANY(%(emails)s)""",
)
