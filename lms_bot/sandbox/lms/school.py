"""A school in a box: the LMS's tables in a PostgreSQL database, and the things that happen in a school."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import psycopg2

from lms_bot.sandbox.lms import rows

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

    from lms_bot.sandbox.lms.rows import Key

SCHEMA = Path(__file__).with_name("schema.sql")
PLATFORM_ID_OFFSET = 9000  # a mentor's user_id is her id and this: whoever mixes the two up finds nobody
USUAL_PERCENTAGE = {"pass": 85, "fail": 35}


class School:
    """An LMS database that a test or the demo may write to; the bot never does.

    Every verb is one committed transaction. People, exams and content are named by id or by what people call
    them (username, slug, title); LookupError if there is no such thing. Times are when it happened: aware, or
    naive UTC; None is now. `timestamps="timestamptz"` builds the tables with "timestamp with time zone".

    One connection is kept and renewed after the server was away; `close()` ends it.
    """

    def __init__(self, url: str, timestamps: Literal["timestamp", "timestamptz"] = "timestamp") -> None:
        self.url = url
        self.timestamps = timestamps
        self._connection: connection | None = None
        self._one_at_a_time = threading.RLock()

    def create(self) -> School:
        """Create the tables, without a row in them."""
        schema = SCHEMA.read_text(encoding="utf-8")
        if self.timestamps == "timestamptz":
            schema = schema.replace("timestamp(3)", "timestamp(3) with time zone")
        with self.transaction() as sql:
            sql.execute(schema)
        return self

    def connect(self) -> connection:
        """A connection of your own, in psycopg2's usual mode: commit what you write, close it when done."""
        return psycopg2.connect(self.url, application_name="school", options="-c timezone=UTC")

    @contextmanager
    def transaction(self) -> Iterator[cursor]:
        """A cursor on the kept connection, committed at the end of the block, rolled back by an exception."""
        with self._one_at_a_time, self._living_connection() as living, living.cursor() as sql:
            yield sql

    def close(self) -> None:
        with self._one_at_a_time:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def __enter__(self) -> School:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- people ----

    def add_mentor(self, username: str, *, supervisor: Key | None = None, **columns: Any) -> int:
        """Returns `mentors.id`. `user_id`, which the bot calls mentor_id, is that and 9000 unless given."""
        columns.setdefault("email", f"{username}@school.example.com")
        with self.transaction() as sql:
            if supervisor is not None:
                columns["supervisor_id"] = rows.find_id(sql, "mentors", "username", supervisor)
                sql.execute("SELECT email FROM mentors WHERE id = %s", (columns["supervisor_id"],))
                columns.setdefault("supervisor_email", rows.get_value(sql))
            mentor_id = rows.insert(sql, "mentors", {"username": username, **columns})
            if "user_id" not in columns:
                rows.update(sql, "mentors", mentor_id, {"user_id": mentor_id + PLATFORM_ID_OFFSET})
        return mentor_id

    def add_student(self, username: str, *, mentors: Sequence[Key] = (), **columns: Any) -> int:
        """Returns `students.id`."""
        now = utc()
        usual = {"email": f"{username}@students.example.com", "created": now, "modified": now}
        with self.transaction() as sql:
            student_id = rows.insert(sql, "students", {"username": username, **usual, **columns}, own_id=True)
            for mentor in mentors:
                rows.pair(sql, rows.find_id(sql, "mentors", "username", mentor), student_id)
        return student_id

    def pair(self, mentor: Key, student: Key) -> None:
        """Make her a mentor of the student. Nothing happens if she is one."""
        with self.transaction() as sql:
            rows.pair(
                sql,
                rows.find_id(sql, "mentors", "username", mentor),
                rows.find_id(sql, "students", "username", student),
            )

    def unpair(self, mentor: Key, student: Key) -> None:
        with self.transaction() as sql:
            mentor_id = rows.find_id(sql, "mentors", "username", mentor)
            student_id = rows.find_id(sql, "students", "username", student)
            sql.execute('DELETE FROM "_MentorToStudent" WHERE "A" = %s AND "B" = %s', (mentor_id, student_id))
            rows.count_students(sql, mentor_id)

    # ---- what they learn from ----

    def add_exam(self, title: str, **columns: Any) -> int:
        """Returns `exams.id`; the slug is made of the title unless given."""
        usual = {"slug": rows.make_slug(title), "duration": 60, "number_of_questions": 20}
        usual |= {"pass_percentage": 50, "total_marks": 100}
        with self.transaction() as sql:
            return rows.insert(sql, "exams", {"title": title, **usual, **columns}, own_id=True)

    def add_course(self, title: str, chapters: Sequence[str] = ("Introduction",)) -> int:
        """Returns `courses.id`."""
        with self.transaction() as sql:
            course_id = rows.insert(sql, "courses", {"title": title, "slug": rows.make_slug(title)})
            for order, name in enumerate(chapters):
                chapter = {"name": name, "slug": rows.make_slug(f"{title} {name}"), "order": order}
                rows.insert(sql, "chapters", {**chapter, "course_id": course_id}, own_id=True)
        return course_id

    def add_content(
        self, title: str, content_type: str = "Video", *, course: Key, exam: Key | None = None, **columns: Any
    ) -> int:
        """Returns `"ChapterContent".id`. With `exam`, the content is that exam."""
        with self.transaction() as sql:
            columns["course_id"] = rows.find_id(sql, "courses", "title", course)
            if exam is not None:
                columns["examId"] = rows.find_id(sql, "exams", "slug", exam)
            content = {"title": title, "content_type": content_type, **columns}
            return rows.insert(sql, "ChapterContent", content, own_id=True)

    # ---- what they do ----

    def start_exam(
        self, student: Key, exam: Key, at: datetime | None = None, *, state: str = "started", **columns: Any
    ) -> int:
        """Returns `attempts.id`."""
        with self.transaction() as sql:
            student_id = rows.find_id(sql, "students", "username", student)
            sql.execute("SELECT username FROM students WHERE id = %s", (student_id,))
            attempt = {
                "user_id": student_id,
                "username": rows.get_value(sql),
                "exam_id": rows.find_id(sql, "exams", "slug", exam),
                "date": utc(at),
                "last_started_time": utc(at),
                "state": state,
            }
            return rows.insert(sql, "attempts", attempt | columns, own_id=True)

    def finish_exam(
        self,
        attempt_id: int,
        result: str | None = "pass",
        percentage: int | None = None,
        at: datetime | None = None,
        *,
        state: str = "completed",
        **columns: Any,
    ) -> None:
        """Complete the attempt in place; `result=None` leaves it ungraded, without a score."""
        percentage = USUAL_PERCENTAGE.get(result or "") if percentage is None else percentage
        with self.transaction() as sql:
            sql.execute(
                "SELECT date, number_of_questions, total_marks, duration"
                " FROM attempts LEFT JOIN exams ON exams.id = exam_id WHERE attempts.id = %s",
                (attempt_id,),
            )
            started_at, questions, marks, minutes = sql.fetchone() or (None, None, None, None)
            ending: dict[str, Any] = {"state": state, "result": result, "last_answer_updated_time": utc(at)}
            taken = max(utc(at) - utc(started_at or at), timedelta())
            left = max(timedelta(minutes=minutes or 0) - taken, timedelta())
            ending |= {"time_taken": rows.format_clock(taken), "remaining_time": rows.format_clock(left)}
            if percentage is not None:
                ending |= rows.make_scores(percentage, questions or 0, marks)
            rows.update(sql, "attempts", attempt_id, ending | columns)

    def start_content(
        self,
        student: Key,
        content: Key,
        at: datetime | None = None,
        *,
        chapter: Key | None = None,
        **columns: Any,
    ) -> int:
        """Returns `content_attempts.id`. `chapter` is the first of the content's course unless given."""
        with self.transaction() as sql:
            content_id = rows.find_id(sql, "ChapterContent", "title", content)
            sql.execute('SELECT course_id, content_type FROM "ChapterContent" WHERE id = %s', (content_id,))
            course_id, content_type = sql.fetchone() or (None, None)
            if chapter is None:
                first = 'SELECT id FROM chapters WHERE course_id = %s ORDER BY "order", id LIMIT 1'
                sql.execute(first, (course_id,))
                chapter = rows.get_value(sql)
            attempt = {
                "user_id": rows.find_id(sql, "students", "username", student),
                "course_id": course_id,
                "chapter_id": None if chapter is None else rows.find_id(sql, "chapters", "name", chapter),
                "chapter_content_id": content_id,
                "content_type": content_type,
                "state": "started",
                "created": utc(at),
            }
            return rows.insert(sql, "content_attempts", attempt | columns, own_id=True)

    def complete_content(
        self, content_attempt_id: int, at: datetime | None = None, *, state: str = "completed", **columns: Any
    ) -> None:
        self.update_content_attempt(content_attempt_id, state=state, completed_on=utc(at), **columns)

    def watch_content(self, student: Key, content: Key, at: datetime | None = None, **columns: Any) -> int:
        """A content watched in the five minutes until `at`, in a row that says so at once; returns its id."""
        watched: dict[str, Any] = {"state": "watched", "completed_on": utc(at), **columns}
        return self.start_content(student, content, utc(at) - timedelta(minutes=5), **watched)

    # ---- rows as they are, for tests ----

    def insert_attempt(self, **columns: Any) -> int:
        """A row of `attempts` with these columns and no others; returns its id, the next one unless given."""
        with self.transaction() as sql:
            return rows.insert(sql, "attempts", columns, own_id=True)

    def update_attempt(self, attempt_id: int, **columns: Any) -> None:
        with self.transaction() as sql:
            rows.update(sql, "attempts", attempt_id, columns)

    def insert_content_attempt(self, **columns: Any) -> int:
        with self.transaction() as sql:
            return rows.insert(sql, "content_attempts", columns, own_id=True)

    def update_content_attempt(self, content_attempt_id: int, **columns: Any) -> None:
        with self.transaction() as sql:
            rows.update(sql, "content_attempts", content_attempt_id, columns)

    def _living_connection(self) -> connection:
        """The kept connection, or a new one if the server has been away since."""
        if self._connection is not None and not self._connection.closed:
            try:
                with self._connection.cursor() as sql:
                    sql.execute("SELECT 1")
            except psycopg2.Error:
                self._connection.close()
            else:
                return self._connection
        self._connection = self.connect()
        return self._connection


def utc(at: datetime | None = None) -> datetime:
    """The time (None: now) as the LMS writes it: naive, UTC, in milliseconds."""
    at = at or datetime.now(timezone.utc)
    at = at.astimezone(timezone.utc).replace(tzinfo=None) if at.tzinfo else at
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
