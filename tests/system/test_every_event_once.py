"""Whatever the LMS commits becomes exactly one event per (row, event type), and its attempts are the LMS's.

Hypothesis plays the LMS: several writers with open transactions, ids out of order, rows rewritten in place, results
corrected and filled in late, exams and students renamed, accounts merged, rows deleted, tables rewritten whole; and
a bot that fails, restarts and loses its connections. After every good poll the events stored must equal those of a
model that simply looks at all rows, and the attempts must say exactly what the rows say.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import psycopg2
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from lms_bot.app import App, build_app
from lms_bot.core.errors import LMSUnavailable
from lms_bot.notify.events import LMSActivityEventHandler
from lms_bot.settings.settings import Settings
from lms_bot.store.database import rows
from lms_bot.store.models import LMSActivityEvent
from tests.places import IS_THOROUGH

if TYPE_CHECKING:
    from lms_bot.people.recipients import Recipients
    from lms_bot.sandbox.lms.postgres import EmbeddedPostgres
    from lms_bot.sandbox.lms.school import School

LONG_AGO = datetime(2020, 1, 1, tzinfo=timezone.utc).replace(tzinfo=None)

STATES = ("started", "In_Progress", "completed", "Ended", "no such state", None)
RESULTS = ("pass", "FAILED", "", None)
PERCENTAGES = (None, 30, 60, 85)
TITLES = ("Maths", "Midterm", "MIDTERM", "Änderung")
CONTENT_STATES = ("started", "finished", "viewed", "")

SCHOOL = """
INSERT INTO mentors (id, username, user_id, email) VALUES (1, 'anna', 11, 'anna@example.org');
INSERT INTO students (id, username) VALUES (1, 'one'), (2, 'two');
INSERT INTO "_MentorToStudent" VALUES (1, 1);
INSERT INTO exams (id, slug, title) VALUES (1, 'maths', 'Maths'), (2, 'midterm', 'Midterm');
INSERT INTO courses (id, slug, title) VALUES (1, 'maths', 'Maths');
INSERT INTO chapters (id, slug, name, course_id) VALUES (1, 'one', 'One', 1);
INSERT INTO "ChapterContent" (id, title, content_type) VALUES (1, 'Film', 'Video');
"""

_store_numbers = itertools.count()


class FailingHandler(LMSActivityEventHandler):
    """Fails in the middle of a poll when told to, as an LMS does that goes away."""

    fails: ClassVar[bool] = False

    def get_recipients(self, student_ids: Any) -> dict[int, Recipients]:
        if FailingHandler.fails:
            raise LMSUnavailable("told to fail")
        return super().get_recipients(student_ids)


def model_type(table: str, row: dict[str, Any]) -> str | None:
    """What a row stands for, said as simply as it can be."""
    state = (row["state"] or "").lower().replace("_", " ")
    if row["user_id"] is None:
        return None
    if table == "content_attempts":
        kinds = {"started": "content_started", "finished": "content_completed", "viewed": "content_watched"}
        return kinds.get(state)
    if state in ("started", "in progress"):
        return "exam_started"
    if state in ("completed", "ended"):
        result = (row["result"] or "").lower()
        return {"pass": "exam_passed", "failed": "exam_failed"}.get(result, "exam_completed")
    return None


@dataclass(frozen=True)
class Said:
    """What a row of the LMS says of its attempt, and what the store says of it."""

    student_id: int
    username: str | None
    activity_id: int
    title: str | None
    outcome: str
    percentage: float | None


ATTEMPTS_SQL = """
SELECT a.id, a.user_id, s.username, coalesce(e.id, 0), e.title, a.state, a.result, a.percentage
FROM attempts AS a LEFT JOIN exams AS e ON e.id = a.exam_id LEFT JOIN students AS s ON s.id = a.user_id
"""
CONTENTS_SQL = """
SELECT c.id, c.user_id, s.username, coalesce(cc.id, 0), cc.title, c.state, NULL, NULL
FROM content_attempts AS c LEFT JOIN "ChapterContent" AS cc ON cc.id = c.chapter_content_id
LEFT JOIN students AS s ON s.id = c.user_id
"""
STORED_SQL = """
SELECT attempt.stream, row_key, attempt.student_id, username, coalesce(activity_id, 0), title, outcome, percentage
FROM lms_attempts AS attempt LEFT JOIN lms_coursework AS about ON about.coursework_id = attempt.coursework_id
LEFT JOIN lms_standings AS totals ON totals.student_id = attempt.student_id WHERE is_shown
"""
TOTALS_SQL = """
SELECT student_id, count(result), coalesce(sum(result), 0) FROM (
  SELECT student_id, CASE WHEN is_exam THEN percentage END AS result FROM lms_attempts WHERE is_shown
) AS shown GROUP BY student_id
"""


class LMSMachine(RuleBasedStateMachine):
    """The LMS and the bot; `url`, `folder` and `empty_store` are set by the test."""

    url: ClassVar[str]
    folder: ClassVar[Path]
    empty_store: ClassVar[Path]
    budget_ms: ClassVar[int] = 60_000  # one poll sees all, however slow the machine is just now

    def __init__(self) -> None:
        super().__init__()
        self.lms = psycopg2.connect(self.url)
        self.lms.autocommit = True
        self.writers: list[Any] = []
        self.expected: set[tuple[str, int, str]] = set()
        self.silent: set[tuple[str, int, str]] = set()
        self.attempts: dict[tuple[str, str], Said] = {}
        self.is_started = False
        self.store = f"sqlite:///{shutil.copy(self.empty_store, self.folder / f'{next(_store_numbers)}.db')}"
        FailingHandler.fails = False
        self.sql(self.lms, "TRUNCATE attempts, content_attempts; UPDATE exams SET title = 'Maths' WHERE id = 1")
        self.app = self.make_app()

    def make_app(self) -> App:
        return build_app(
            Settings.model_validate(
                {
                    "lms_db_url": self.url,
                    "lms_default_notify": "everything",
                    "lms_bot_store": self.store,
                    "lms_initial_lookback": 0,
                    "lms_sweep_budget": self.budget_ms,
                    "lms_event_handler": f"{__name__}.FailingHandler",
                }
            )
        )

    def teardown(self) -> None:
        for writer in self.writers:
            writer.close()
        self.lms.close()
        self.app.stop()

    # -- the LMS ---------------------------------------------------------------------------------------------

    def sql(self, connection: Any, statement: str, parameters: tuple[Any, ...] = ()) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    def change(self, statement: str, parameters: tuple[Any, ...] = ()) -> None:
        """Unless an open transaction holds what it is about."""
        with suppress(psycopg2.errors.LockNotAvailable):
            self.sql(self.lms, "SET lock_timeout = '50ms'")
            self.sql(self.lms, statement, parameters)

    def ids(self, table: str) -> list[int]:
        return [row_id for (row_id,) in self.sql(self.lms, f"SELECT id FROM {table} ORDER BY id")]

    def insert(self, connection: Any, table: str, row_id: int, **row: Any) -> None:
        if table == "attempts":
            columns = "id, date, exam_id, user_id, state, result, percentage"
            names = ("date", "exam_id", "user_id", "state", "result", "percentage")
            values: tuple[Any, ...] = (row_id, *(row[name] for name in names))
        else:
            columns = "id, created, course_id, chapter_id, chapter_content_id, content_type, user_id, state"
            values = (row_id, LONG_AGO, 1, 1, 1, "Video", 1, row["content_state"])
        marks = ", ".join(["%s"] * len(values))
        # An id another open transaction holds would make us wait for it.
        with suppress(psycopg2.errors.UniqueViolation, psycopg2.errors.LockNotAvailable):
            self.sql(connection, "SET lock_timeout = '50ms'")
            self.sql(connection, f"INSERT INTO {table} ({columns}) VALUES ({marks})", values)

    row = st.fixed_dictionaries(
        {
            "date": st.sampled_from([None, LONG_AGO]),
            "exam_id": st.sampled_from([None, 1, 2]),
            "percentage": st.sampled_from(PERCENTAGES),
            "user_id": st.sampled_from([None, 1, 1, 2]),
            "state": st.sampled_from(STATES),
            "result": st.sampled_from(RESULTS),
            "content_state": st.sampled_from(CONTENT_STATES),
        }
    )
    table = st.sampled_from(["attempts", "attempts", "content_attempts"])
    percentage = st.sampled_from(PERCENTAGES)
    result = st.sampled_from(["pass", "FAILED"])

    @initialize(rows=st.lists(row, max_size=4))
    def begin(self, rows: list[dict[str, Any]]) -> None:
        for number, row in enumerate(rows):
            self.insert(self.lms, "attempts", 1000 + number, **row)

    @rule(table=table, row=row, gap=st.integers(1, 40))
    def insert_at_end(self, table: str, row: dict[str, Any], gap: int) -> None:
        self.insert(self.lms, table, max([1000, *self.ids(table)]) + gap, **row)

    @rule(table=table, row=row, row_id=st.integers(1, 999))
    def insert_late(self, table: str, row: dict[str, Any], row_id: int) -> None:
        self.insert(self.lms, table, row_id, **row)

    @rule(table=table, rows=st.lists(row, min_size=1, max_size=3), lowest=st.integers(1, 1200))
    def insert_in_open_transaction(self, table: str, rows: list[dict[str, Any]], lowest: int) -> None:
        writer = psycopg2.connect(self.url)
        for number, row in enumerate(rows):
            self.sql(writer, "SAVEPOINT one")
            try:
                self.insert(writer, table, lowest + number, **row)
                self.sql(writer, "RELEASE SAVEPOINT one")
            except psycopg2.Error:
                self.sql(writer, "ROLLBACK TO SAVEPOINT one")
        self.writers.append(writer)

    @precondition(lambda self: self.writers)
    @rule(which=st.integers(0, 10), commits=st.sampled_from([True, True, False]))
    def end_transaction(self, which: int, commits: bool) -> None:
        writer = self.writers.pop(which % len(self.writers))
        with suppress(psycopg2.Error):
            if commits:
                writer.commit()
        writer.close()

    @rule(table=table, which=st.integers(0, 50), row=row)
    def update(self, table: str, which: int, row: dict[str, Any]) -> None:
        ids = self.ids(table)
        if not ids:
            return
        row_id = ids[which % len(ids)]
        if table == "attempts":
            change = "UPDATE attempts SET state = %s, result = %s WHERE id = %s"
            self.sql(self.lms, change, (row["state"], row["result"], row_id))
        else:
            self.sql(self.lms, "UPDATE content_attempts SET state = %s WHERE id = %s", (row["content_state"], row_id))

    @rule(which=st.integers(0, 50), result=result, percentage=percentage)
    def regrade(self, which: int, result: str, percentage: int | None) -> None:
        if ids := self.ids("attempts"):
            change = "UPDATE attempts SET state = 'completed', result = %s, percentage = %s WHERE id = %s"
            self.change(change, (result, percentage, ids[which % len(ids)]))

    @rule(which=st.integers(0, 50), percentage=percentage)
    def correct_percentage(self, which: int, percentage: int | None) -> None:
        if ids := self.ids("attempts"):
            change = "UPDATE attempts SET percentage = %s WHERE id = %s"
            self.change(change, (percentage, ids[which % len(ids)]))

    @rule(which=st.sampled_from([1, 2]), title=st.sampled_from(TITLES))
    def rename(self, which: int, title: str) -> None:
        self.change("UPDATE exams SET title = %s WHERE id = %s", (title, which))
        self.change('UPDATE "ChapterContent" SET title = %s', (title,))

    @rule(which=st.sampled_from([1, 2]), name=st.sampled_from(["first", "second", "third"]))
    def rename_student(self, which: int, name: str) -> None:
        self.change("UPDATE students SET username = %s WHERE id = %s", (f"{name}{which}", which))

    @rule()
    def use_another_column(self) -> None:
        self.change("UPDATE students SET last_active_date = now(), streak = coalesce(streak, 0) + 1")

    @rule(table=table, kept=st.sampled_from([1, 2]))
    def merge_accounts(self, table: str, kept: int) -> None:
        self.change(f"UPDATE {table} SET user_id = %s WHERE user_id IS NOT NULL", (kept,))

    @rule(which=st.integers(0, 50), exam_id=st.sampled_from([None, 1, 2]))
    def move_to_another_exam(self, which: int, exam_id: int | None) -> None:
        if ids := self.ids("attempts"):
            self.change("UPDATE attempts SET exam_id = %s WHERE id = %s", (exam_id, ids[which % len(ids)]))

    @rule(table=table)
    def touch_all_unchanged(self, table: str) -> None:
        self.sql(self.lms, f"UPDATE {table} SET state = state")

    @rule(table=table, which=st.integers(0, 50))
    def delete(self, table: str, which: int) -> None:
        ids = self.ids(table)
        if ids:
            self.sql(self.lms, f"DELETE FROM {table} WHERE id = %s", (ids[which % len(ids)],))

    @precondition(lambda self: not self.writers)
    @rule(table=table, how=st.sampled_from(["VACUUM FULL {}", "VACUUM FREEZE {}", "CLUSTER {} USING {}_pkey"]))
    def rewrite_table(self, table: str, how: str) -> None:
        self.sql(self.lms, how.format(table, table))

    # -- the bot ---------------------------------------------------------------------------------------------

    @rule()
    def poll(self) -> None:
        self.app.monitor.process_activities()
        now = set(self.look_at_all())
        if self.is_started:
            self.expected |= now - self.silent
        else:
            self.silent, self.is_started = now, True
        assert self.stored() == self.expected
        self.attempts = dict(self.look_at_attempts())
        assert self.stored_attempts() == self.attempts
        self.check_totals()

    @rule()
    def poll_that_fails(self) -> None:
        FailingHandler.fails = True
        before = self.stored()
        try:
            self.app.monitor.process_activities()
            found_news = False
        except LMSUnavailable:
            found_news = True
        finally:
            FailingHandler.fails = False
        if found_news:
            # Pages before the failing one are whole and stay; what the failing one held is not recorded.
            assert before <= self.stored() <= self.expected | (set(self.look_at_all()) - self.silent)
        self.poll()

    @rule()
    def restart_bot(self) -> None:
        self.app.stop()
        self.app = self.make_app()

    @rule()
    def lose_store_connection(self) -> None:
        self.app.store.close_thread()

    @rule()
    def lose_lms_connection(self) -> None:
        self.sql(
            self.lms,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'lms_bot' AND datname = current_database()",
        )
        with suppress(LMSUnavailable):
            self.app.monitor.process_activities()
        self.poll()

    def look_at_all(self) -> Iterator[tuple[str, int, str]]:
        for row_id, user_id, state, result in self.sql(self.lms, "SELECT id, user_id, state, result FROM attempts"):
            event_type = model_type("attempts", {"user_id": user_id, "state": state, "result": result})
            if event_type:
                yield "attempts", row_id, event_type
        for row_id, state in self.sql(self.lms, "SELECT id, state FROM content_attempts"):
            event_type = model_type("content_attempts", {"user_id": 1, "state": state})
            if event_type:
                yield "content_attempts", row_id, event_type

    def look_at_attempts(self) -> Iterator[tuple[tuple[str, str], Said]]:
        """What the rows say; of what cannot be read now, what they said when it last could be."""
        for table, sql in (("attempts", ATTEMPTS_SQL), ("content_attempts", CONTENTS_SQL)):
            for row_id, user_id, username, activity_id, title, state, result, percentage in self.sql(self.lms, sql):
                key = (table, str(row_id))
                known = self.attempts.get(key)
                kind = model_type(table, {"user_id": user_id, "state": state, "result": result})
                if kind is not None:
                    outcome = kind.split("_")[1]
                    shown = title if title or known is None else known.title
                    result_now = None if outcome == "started" or percentage is None else float(percentage)
                    yield key, Said(user_id, username, activity_id, shown, outcome, result_now)
                elif known is not None:
                    yield key, self.as_called_now(known)

    def as_called_now(self, known: Said) -> Said:
        """Exams and students are called by their present names also where the row itself cannot be read."""
        names: dict[Any, str] = dict(self.sql(self.lms, "SELECT id, username FROM students"))
        return replace(known, username=names.get(known.student_id, known.username))

    def stored_attempts(self) -> dict[tuple[str, str], Said]:
        with self.app.store.session() as db:
            found = db.execute_sql(STORED_SQL).fetchall()
        return {(stream, key): Said(*rest) for stream, key, *rest in found}

    def check_totals(self) -> None:
        with self.app.store.session() as db:
            expected = {student: (scored, total) for student, scored, total in db.execute_sql(TOTALS_SQL).fetchall()}
            kept = db.execute_sql("SELECT student_id, scored, percentage_total FROM lms_standings").fetchall()
        assert {student: (scored, total) for student, scored, total in kept} == expected

    def stored(self) -> set[tuple[str, int, str]]:
        found = rows(LMSActivityEvent.select(LMSActivityEvent.source_key))
        keys = [key.split(":") for (key,) in found]
        return {(stream, int(row_id), event_type) for stream, row_id, event_type in keys}


@pytest.fixture
def machine(postgres: EmbeddedPostgres, lms: School, empty_store: Path, tmp_path: Path) -> type[LMSMachine]:
    with lms.transaction() as sql:
        sql.execute(SCHOOL)
    return type("Machine", (LMSMachine,), {"url": lms.url, "folder": tmp_path, "empty_store": empty_store})


def test_events_equal_a_model_that_looks_at_everything(machine: type[LMSMachine]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=200 if IS_THOROUGH else 30,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
