"""A school that behaves like an LMS."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta, timezone

import psycopg2
import pytest

from lms_bot.sandbox.lms import school as school_module
from lms_bot.sandbox.lms.school import School, utc
from tests.places import REPOSITORY
from tests.worlds.school_rows import rows

ORIGINAL_SCHEMA = REPOSITORY.parent / "shared" / "lms" / "schema.sql"


NOON = datetime.fromisoformat("2026-01-15T12:00")  # naive, as the LMS has it


def test_the_schema_is_the_one_the_lms_has() -> None:
    if not ORIGINAL_SCHEMA.exists():
        pytest.skip(f"no {ORIGINAL_SCHEMA} to compare with")
    assert school_module.SCHEMA.read_bytes() == ORIGINAL_SCHEMA.read_bytes()


def test_an_empty_school_has_tables_only(lms: School) -> None:
    tables = rows(lms, "SELECT relname FROM pg_stat_user_tables")
    assert {("attempts",), ("content_attempts",), ("ChapterContent",), ("_MentorToStudent",)} <= set(tables)
    assert rows(lms, "SELECT count(*) FROM students") == [(0,)]


def test_an_exam_is_started_and_then_finished_in_the_same_row(school: School) -> None:
    attempt = school.start_exam("john_doe", "math-final", NOON)
    started = rows(school, "SELECT username, state, result, date, score FROM attempts WHERE id = %s", attempt)
    assert started == [("john_doe", "started", None, NOON, None)]

    school.finish_exam(attempt, "pass", 85, NOON + timedelta(minutes=45))
    query = (
        "SELECT state, result, percentage, score, correct_answers_count, incorrect_answers_count,"
        " unanswered_count, time_taken, remaining_time, last_answer_updated_time FROM attempts WHERE id = %s"
    )
    ended_at = NOON + timedelta(minutes=45)
    finished = ("completed", "pass", 85, 85, 34, 4, 2, "0:45:00", "0:45:00", ended_at)
    assert rows(school, query, attempt) == [finished]


def test_an_exam_may_be_finished_without_a_grade_and_graded_later(school: School) -> None:
    attempt = school.start_exam("john_doe", "math-final")
    query = "SELECT state, result, percentage FROM attempts WHERE id = %s"
    school.finish_exam(attempt, result=None)
    assert rows(school, query, attempt) == [("completed", None, None)]
    school.update_attempt(attempt, result="fail", percentage=12)
    assert rows(school, query, attempt) == [("completed", "fail", 12)]


def test_content_is_started_completed_and_watched(school: School) -> None:
    query = "SELECT state, content_type, created, completed_on FROM content_attempts WHERE id = %s"
    attempt = school.start_content("jane_smith", "Formula Sheet", NOON, chapter="Calculus")
    assert rows(school, query, attempt) == [("started", "Attachment", NOON, None)]
    school.complete_content(attempt, NOON + timedelta(minutes=1))
    assert rows(school, query, attempt)[0][::3] == ("completed", NOON + timedelta(minutes=1))

    video = school.watch_content("jane_smith", "Linear Equations", NOON)
    assert rows(school, query, video) == [("watched", "Video", NOON - timedelta(minutes=5), NOON)]


def test_people_are_added_and_paired(lms: School) -> None:
    chief = lms.add_mentor("chief")
    mentor = lms.add_mentor("mentor", supervisor="chief", user_id=77, display_name="A Mentor")
    student = lms.add_student("student", mentors=["mentor"], first_name=None)
    lms.pair(chief, student)
    lms.pair(chief, "student")
    assert rows(lms, 'SELECT * FROM "_MentorToStudent" ORDER BY 1') == [(chief, student), (mentor, student)]
    query = "SELECT user_id, supervisor_id, supervisor_email, students_count FROM mentors ORDER BY id"
    assert rows(lms, query) == [
        (chief + school_module.PLATFORM_ID_OFFSET, None, None, 1),
        (77, chief, "chief@school.example.com", 1),
    ]
    lms.unpair("chief", student)
    assert rows(lms, 'SELECT "A" FROM "_MentorToStudent"') == [(mentor,)]


def test_exams_and_content_are_added(lms: School) -> None:
    exam = lms.add_exam("Ünïts & Measures", pass_percentage=None)
    lms.add_course("Physics", ["Units", "Waves"])
    content = lms.add_content("Units Exam", "Exam", course="Physics", exam="ünïts-measures")
    assert rows(lms, 'SELECT id, "examId" FROM "ChapterContent"') == [(content, exam)]
    lms.start_content(lms.add_student("student"), content)
    assert rows(lms, "SELECT name FROM content_attempts JOIN chapters ON chapters.id = chapter_id") == [("Units",)]


def test_rows_may_be_as_poor_as_the_lms_allows(lms: School) -> None:
    first, second = lms.insert_attempt(), lms.insert_attempt(state="ENDED", id=900)
    assert (first, second, lms.insert_attempt()) == (1, 900, 901)
    lms.finish_exam(first)
    assert rows(lms, "SELECT state, date FROM attempts WHERE id = 1") == [("completed", None)]


@pytest.mark.parametrize(
    "at", [NOON, NOON.replace(tzinfo=timezone.utc), datetime.fromisoformat("2026-01-15T17:30:00+05:30")]
)
def test_times_are_written_as_naive_utc(school: School, at: datetime) -> None:
    attempt = school.start_exam("john_doe", "math-final", at)
    assert rows(school, "SELECT date FROM attempts WHERE id = %s", attempt) == [(NOON,)]


def test_now_is_when_no_time_is_given(school: School) -> None:
    attempt = school.start_exam("john_doe", "math-final")
    ((at,),) = rows(school, "SELECT date FROM attempts WHERE id = %s", attempt)
    assert utc() - timedelta(seconds=10) < at <= utc()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda school: school.start_exam("nobody", "math-final"),
        lambda school: school.start_exam("john_doe", "no such exam"),
        lambda school: school.watch_content("john_doe", 12345),
        lambda school: school.finish_exam(12345),
        lambda school: school.add_student("new", mentors=["nobody"]),
    ],
)
def test_what_is_not_there_is_a_lookup_error_and_changes_nothing(
    school: School, wrong: Callable[[School], object]
) -> None:
    counts = (
        "SELECT (SELECT count(*) FROM attempts), (SELECT count(*) FROM content_attempts),"
        " (SELECT count(*) FROM students)"
    )
    before = rows(school, counts)
    with pytest.raises(LookupError, match="nothing in"):
        wrong(school)
    assert rows(school, counts) == before


def test_a_refused_row_leaves_the_school_usable(lms: School) -> None:
    lms.insert_attempt(id=1)
    with pytest.raises(psycopg2.errors.UniqueViolation):
        lms.insert_attempt(id=1)
    assert lms.insert_attempt() == 2


def test_names_are_values_never_sql(lms: School) -> None:
    name = "x'); DROP TABLE students; --%s"
    student = lms.add_student(name, display_name='"%(id)s"')
    assert rows(lms, "SELECT id FROM students WHERE username = %s", name) == [(student,)]


def test_a_verb_is_seen_by_others_at_once_and_holds_no_transaction(lms: School) -> None:
    attempt = lms.insert_attempt()
    with closing(lms.connect()) as other, other.cursor() as sql:
        sql.execute("SELECT id FROM attempts")
        assert sql.fetchall() == [(attempt,)]
        sql.execute("SELECT state FROM pg_stat_activity WHERE datname = current_database() AND state <> 'active'")
        assert sql.fetchall() == [("idle",)]
