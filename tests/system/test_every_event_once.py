"""Whatever the LMS commits becomes exactly one event per (row, event type), whatever happens meanwhile.

Hypothesis plays the LMS: several writers with open transactions, ids out of order, rows rewritten in place,
tables rewritten whole, and a bot that fails, restarts and loses its connections. After every good poll the
events stored must equal those of a model that simply looks at all rows.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from contextlib import suppress
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

if TYPE_CHECKING:
    from lms_bot.people.recipients import Recipients
    from lms_bot.sandbox.lms.postgres import EmbeddedPostgres
    from lms_bot.sandbox.lms.school import School

LONG_AGO = datetime(2020, 1, 1, tzinfo=timezone.utc).replace(tzinfo=None)

STATES = ("started", "In_Progress", "completed", "Ended", "no such state", None)
RESULTS = ("pass", "FAILED", "", None)
CONTENT_STATES = ("started", "finished", "viewed", "")

SCHOOL = """
INSERT INTO mentors (id, username, user_id, email) VALUES (1, 'anna', 11, 'anna@example.org');
INSERT INTO students (id, username) VALUES (1, 'one'), (2, 'two');
INSERT INTO "_MentorToStudent" VALUES (1, 1);
INSERT INTO exams (id, slug, title) VALUES (1, 'maths', 'Maths');
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
        self.is_started = False
        self.store = f"sqlite:///{shutil.copy(self.empty_store, self.folder / f'{next(_store_numbers)}.db')}"
        FailingHandler.fails = False
        self.sql(self.lms, "TRUNCATE attempts, content_attempts")
        self.app = self.make_app()

    def make_app(self) -> App:
        return build_app(
            Settings.model_validate(
                {
                    "lms_db_url": self.url,
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

    def ids(self, table: str) -> list[int]:
        return [row_id for (row_id,) in self.sql(self.lms, f"SELECT id FROM {table} ORDER BY id")]

    def insert(self, connection: Any, table: str, row_id: int, **row: Any) -> None:
        if table == "attempts":
            columns = "id, date, exam_id, user_id, state, result"
            names = ("date", "exam_id", "user_id", "state", "result")
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
            "exam_id": st.sampled_from([None, 1]),
            "user_id": st.sampled_from([None, 1, 1, 2]),
            "state": st.sampled_from(STATES),
            "result": st.sampled_from(RESULTS),
            "content_state": st.sampled_from(CONTENT_STATES),
        }
    )
    table = st.sampled_from(["attempts", "attempts", "content_attempts"])

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
            max_examples=200,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
