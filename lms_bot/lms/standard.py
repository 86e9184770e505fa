"""The LMS whose tables the README describes: what to SELECT, and what its rows mean."""

from __future__ import annotations

from typing import Any

from lms_bot.core.activities import STARTED, UNKNOWN_STATE, WITHDRAWN, ActivityType
from lms_bot.lms.kind import Kind
from lms_bot.lms.people import PeopleSelects, display_name
from lms_bot.lms.reading import RowFact
from lms_bot.lms.stream import Dependency, Stream
from lms_bot.lms.values import RowProblem, read_text, read_word

COMPLETED, WATCHED = "completed", "watched"
STATES = {
    **dict.fromkeys(("started", "in progress", "running", "resumed"), STARTED),
    **dict.fromkeys(("completed", "finished", "ended", "submitted"), COMPLETED),
    **dict.fromkeys(("watched", "viewed"), WATCHED),
    **dict.fromkeys(("withdrawn", "abandoned"), WITHDRAWN),
}
RESULTS = {
    **dict.fromkeys(("pass", "passed"), ActivityType.EXAM_PASSED),
    **dict.fromkeys(("fail", "failed"), ActivityType.EXAM_FAILED),
}
CONTENT_TYPES = {
    STARTED: ActivityType.CONTENT_STARTED,
    COMPLETED: ActivityType.CONTENT_COMPLETED,
    WATCHED: ActivityType.CONTENT_WATCHED,
    WITHDRAWN: ActivityType.CONTENT_STARTED,
}

EXAM_COLUMNS = (
    "id", "user_id", "username", "student_username", "display_name", "first_name", "last_name",
    "exam_id", "title", "state", "result", "date", "last_started_time", "last_answer_updated_time",
    "score", "percentage", "time_taken", "correct_answers", "incorrect_answers", "unanswered", "percentile", "speed",
)  # fmt: skip
EXAM_SELECT = """
SELECT a.id, a.user_id, a.username, s.username, s.display_name, s.first_name, s.last_name,
       e.id, e.title, a.state, a.result, a.date, a.last_started_time, a.last_answer_updated_time,
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
    "content_id", "title", "state", "content_type", "course_title", "chapter_name", "correct_answers",
    "incorrect_answers", "created", "completed_on", "assessment_id",
)  # fmt: skip
CONTENT_SELECT = """
SELECT c.id, c.user_id, s.username, s.display_name, s.first_name, s.last_name,
       cc.id, cc.title, c.state, c.content_type, co.title, ch.name, c.correct_answers_count,
       c.incorrect_answers_count, c.created, c.completed_on, c.assessment_id
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
    "students": (
        "id", "username", "display_name", "first_name", "last_name", "email", "is_active", "created", "xmin",
    ),
    "mentors": (
        "id", "username", "email", "first_name", "last_name", "display_name", "user_id", "supervisor_id",
    ),
    '"_MentorToStudent"': ('"A"', '"B"'),
    "exams": ("id", "title", "pass_percentage", "xmin"),
    '"ChapterContent"': ("id", "title", "xmin"),
    "courses": ("id", "title", "xmin"),
    "chapters": ("id", "name", "xmin"),
}  # fmt: skip
"""Every column the bot reads, by table: what a SELECT-only role needs, no more."""


def grant_statements(role: str) -> str:
    """The GRANTs that let `role` read what the bot reads, and nothing else."""
    return "\n".join(
        f"GRANT SELECT ({', '.join(columns)}) ON {table} TO {role};" for table, columns in READ_COLUMNS.items()
    )


Row = dict[str, Any]


def read_exam_attempt(row: Row) -> RowFact:
    event_type, happened_at, is_withdrawn = _what_of_exam(row)
    return RowFact(
        event_type,
        student_id=row["user_id"],
        student_username=row["student_username"] or row["username"],
        student_display_name=display_name(row["display_name"], row["first_name"], row["last_name"]),
        activity_id=row["exam_id"],
        activity_title=row["title"],
        happened_at=happened_at,
        started_at=row["date"] or row["last_started_time"],
        metadata={name: row[name] for name in EXAM_METADATA},
        is_withdrawn=is_withdrawn,
    )


def read_content_attempt(row: Row) -> RowFact:
    state = _read_state(row["state"])
    return RowFact(
        CONTENT_TYPES[state],
        student_id=row["user_id"],
        student_username=row["student_username"],
        student_display_name=display_name(row["display_name"], row["first_name"], row["last_name"]),
        activity_id=row["content_id"],
        activity_title=row["title"],
        happened_at=row["created"] if state == STARTED else row["completed_on"] or row["created"],
        started_at=row["created"],
        metadata={name: row[name] for name in CONTENT_METADATA},
        is_echo=row["assessment_id"] is not None,  # the same act as that attempt, which is told
        is_withdrawn=state == WITHDRAWN,
    )


def _what_of_exam(row: Row) -> tuple[ActivityType, Any, bool]:
    """What has happened, when, and whether it was given up. Raises RowProblem."""
    state = _read_state(row["state"])
    if state == STARTED:
        return ActivityType.EXAM_STARTED, row["date"] or row["last_started_time"], False
    ended_at = row["last_answer_updated_time"] or row["date"]
    if state == COMPLETED:
        return RESULTS.get(read_word(row["result"]), ActivityType.EXAM_COMPLETED), ended_at, False
    if state == WITHDRAWN:
        return ActivityType.EXAM_STARTED, ended_at, True
    raise RowProblem(UNKNOWN_STATE, f"an exam cannot be “{row['state']}”")


def _read_state(word: Any) -> str:
    known = STATES.get(read_word(word))
    if known is None:
        raise RowProblem(UNKNOWN_STATE, f"its state is “{read_text(word)}”" if word else "it has no state")
    return known


STUDENTS = "username, display_name, first_name, last_name"


STREAMS = (
    Stream(
        name="attempts",
        table="attempts",
        alias="a",
        select=EXAM_SELECT,
        columns=EXAM_COLUMNS,
        latest_moment="GREATEST(date, last_started_time, last_answer_updated_time)",
        read=read_exam_attempt,
        depends_on=(
            Dependency("exams", "title", concerns="a.exam_id"),
            Dependency("students", STUDENTS, concerns="a.user_id"),
        ),
    ),
    Stream(
        name="content_attempts",
        table="content_attempts",
        alias="c",
        select=CONTENT_SELECT,
        columns=CONTENT_COLUMNS,
        latest_moment="GREATEST(created, completed_on)",
        read=read_content_attempt,
        depends_on=(
            Dependency('"ChapterContent"', "title", concerns="c.chapter_content_id"),
            Dependency("courses", "title", concerns="c.course_id"),
            Dependency("chapters", "name", concerns="c.chapter_id"),
            Dependency("students", STUDENTS, concerns="c.user_id"),
        ),
    ),
)


MENTOR_FIELDS = "m.id, m.user_id, m.username, m.email, m.display_name, m.first_name, m.last_name, m.supervisor_id"
HAS_MENTOR = 's.is_active AND EXISTS (SELECT 1 FROM "_MentorToStudent" AS p WHERE p."B" = s.id)'
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
    enrolled=f"SELECT s.id, s.created FROM students AS s WHERE {HAS_MENTOR}",
    enrolled_ids=f"SELECT s.id FROM students AS s WHERE {HAS_MENTOR}",
)

PASS_MARKS = "SELECT e.id, e.pass_percentage FROM exams AS e WHERE e.id = ANY(%(exam_ids)s)"

STANDARD = Kind(lambda _: STREAMS, lambda _: PEOPLE, PASS_MARKS)
