"""An LMS with two students and their mentor, and a bot in this process that watches it and tells nobody."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lms_bot.app import build_app
from lms_bot.insight.reports.students import StudentAttempt, get_attempts
from lms_bot.lms.source import Source
from lms_bot.lms.stream import Position, Stream
from lms_bot.settings.settings import load_settings
from lms_bot.store.attempts import AttemptBook
from lms_bot.store.database import rows
from lms_bot.store.models import Cursor, LMSActivityEvent, OpenRow, RejectedRow
from lms_bot.store.totals import Attempt
from lms_bot.watch.polling import Polling
from lms_bot.watch.recorder import Recorder
from lms_bot.watch.stored_rows import StoredRows

if TYPE_CHECKING:
    import pytest

    from lms_bot.sandbox.lms.school import School

Found = set[tuple[str, str]]  # (row key, event type)

PEOPLE = """
INSERT INTO mentors (id, username, user_id, email) VALUES (1, 'anna', 11, 'anna@example.org');
INSERT INTO students (id, username) VALUES (1, 'one'), (2, 'two');
INSERT INTO "_MentorToStudent" VALUES (1, 1), (1, 2);
INSERT INTO exams (id, slug, title) VALUES (1, 'maths', 'Maths');
INSERT INTO courses (id, slug, title) VALUES (1, 'maths', 'Maths');
INSERT INTO chapters (id, slug, name, course_id) VALUES (1, 'one', 'One', 1);
INSERT INTO "ChapterContent" (id, title, content_type) VALUES (1, 'Film', 'Video');
"""

ATTEMPTS = """
INSERT INTO attempts (id, date, exam_id, user_id, state, result)
SELECT i, %(date)s, 1, 1, %(state)s, %(result)s FROM generate_series(%(first)s, %(last)s) AS i
"""

CONTENT = """
INSERT INTO content_attempts (id, course_id, chapter_id, chapter_content_id, content_type, user_id, state, created)
VALUES (%s, 1, 1, 1, 'Video', 1, %s, %s)
"""

LONG_AGO = "2020-01-01"


def fill(lms: School) -> School:
    """Adds the people and what they learn from; no attempts."""
    with lms.transaction() as sql:
        sql.execute(PEOPLE)
    return lms


def run(lms: School, statement: str, *parameters: Any) -> list[Any]:
    """A statement committed by itself, outside any transaction block (so VACUUM may be run)."""
    connected = lms.connect()
    connected.autocommit = True
    try:
        with connected.cursor() as sql:
            sql.execute(statement, parameters or None)
            return sql.fetchall() if sql.description else []
    finally:
        connected.close()


def add_attempts(lms: School, first: int, last: int, state: str | None = "completed", **columns: Any) -> None:
    """Rows `first` to `last`, of long ago unless `date` says otherwise."""
    usual = {"date": LONG_AGO, "result": "pass"}
    with lms.transaction() as sql:
        sql.execute(ATTEMPTS, {**usual, "first": first, "last": last, "state": state, **columns})


def add_content(lms: School, row_id: int, state: str = "started") -> None:
    """One of long ago."""
    run(lms, CONTENT, row_id, state, LONG_AGO)


def passed(*row_ids: int) -> Found:
    return {(str(row_id), "exam_passed") for row_id in row_ids}


def failed(*row_ids: int) -> Found:
    return {(str(row_id), "exam_failed") for row_id in row_ids}


class Watching:
    """The bot's reading half, on a store of its own. `poll` gives each event once."""

    def __init__(self, lms_url: str, store_url: str, **settings: Any) -> None:
        section = {"lms_db_url": lms_url, "lms_bot_store": store_url, "lms_initial_lookback": "0"}
        section |= {"lms_default_notify": "everything"}
        section["lms_sweep_budget"] = "60000"  # one poll sees all, however slow the machine is just now
        section |= {name: str(value) for name, value in settings.items()}
        self.settings = load_settings(section, environ={}, dotenv=None)
        self.app = build_app(self.settings)
        self._seen = self.events()

    def poll(self, times: int = 1) -> Found:
        """What these polls found for the first time. An event stored twice would show in the counts."""
        created = sum(self.app.monitor.process_activities() for _ in range(times))
        fresh = self.events() - self._seen
        self._seen |= fresh
        assert created == len(fresh)
        return fresh

    def new_polling(self) -> Polling:
        """As after a start: it knows of no trouble yet."""
        app = self.app
        return Polling(app.store, app.monitor, app.source.connection, app.handle_news)

    def replace_parts(self, monkeypatch: pytest.MonkeyPatch, **parts: Any) -> None:
        """Makes the monitor go by other parts for the test."""
        monitor = self.app.monitor
        monkeypatch.setattr(monitor, "_parts", replace(monitor._parts, **parts))

    def watch_streams(self, monkeypatch: pytest.MonkeyPatch, *streams: Stream) -> None:
        """Has it read these, in place of the LMS's own."""
        source = Source(self.app.source.connection, streams, 60)
        monkeypatch.setattr(self.app.monitor, "_source", source)

    def slow_down(self) -> None:
        """Once its first pass is over, it takes one slice of each table a poll."""
        self.app.source.memory.budget_seconds = 10.0
        self.poll()
        assert self.position().pass_horizon is None
        self.app.source.memory.budget_seconds = 1e-9

    def events(self) -> Found:
        with self.app.store.session():
            keys = [key for (key,) in rows(LMSActivityEvent.select(LMSActivityEvent.source_key))]
        assert len(keys) == len(set(keys))
        named = (key.partition(":")[2].rpartition(":") for key in keys)  # stream:row key:event type
        return {(row_key, event_type) for row_key, _, event_type in named}

    def event(self, attempt_id: int) -> LMSActivityEvent:
        """The one that was read from this row."""
        with self.app.store.session():
            return LMSActivityEvent.get(LMSActivityEvent.attempt_id == attempt_id)

    def attempts(self, student_id: int = 1) -> list[StudentAttempt]:
        """What answers show of a student."""
        with self.app.store.session():
            return get_attempts(student_id)

    def shown(self, stream: str = "attempts") -> set[str]:
        """Keys of the rows that are attempts which answers show."""
        shown = Attempt.select(Attempt.row_key).where(Attempt.stream == stream, Attempt.is_shown)
        with self.app.store.session():
            return {key for (key,) in rows(shown)}

    def open_rows(self) -> set[str]:
        """Keys of the rows of any stream that are followed at each poll."""
        with self.app.store.session():
            return {row.row_key for row in OpenRow.select()}

    def known(self, stream: str = "attempts") -> StoredRows:
        """What its store tells a poll."""
        return StoredRows(self.app.store, Recorder(self.app.store), AttemptBook(self.app.store.database), stream)

    def rejected(self) -> dict[str, str]:
        """Why each of the rejected rows of any stream gave no event."""
        with self.app.store.session():
            return {row.row_key: row.reason for row in RejectedRow.select()}

    def position(self, stream: str = "attempts") -> Position:
        with self.app.store.session():
            return Position.from_json(Cursor.get_by_id(stream).position)

    def change_position(self, stream: str = "attempts", **known: Any) -> None:
        """As if it had read that far."""
        self.set_position(stream, self.position(stream).to_json() | known)

    def set_position(self, stream: str, position: dict[str, Any]) -> None:
        with self.app.store.transaction():
            Cursor.update(position=position).where(Cursor.stream == stream).execute()

    def restart(self, **settings: Any) -> None:
        """As after a new start of the process, with other settings where given."""
        self.close()
        self.settings = self.settings.model_copy(update=settings)
        self.app = build_app(self.settings)

    def close(self) -> None:
        self.app.source.connection.close()
        self.app.store.close_thread()
