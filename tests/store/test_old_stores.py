"""Stores that earlier versions of the bot made are carried over: what was told stays told, what was owed is told.

`old_stores` has two, as `sqlite3 … .dump` wrote them. Their LMS is long gone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playhouse.migrations import Runner

from lms_bot.core.activities import ActivityType
from lms_bot.insight.reports.students import get_attempts, get_history
from lms_bot.insight.reports.titles import find_titles
from lms_bot.lms.stream import Position
from lms_bot.store.attempts import OLD, AttemptBook
from lms_bot.store.counters import Counters
from lms_bot.store.database import MIGRATIONS, Store, open_store, rows
from lms_bot.store.deliveries import Deliveries
from lms_bot.store.messages import Delivery, DeliveryState, Message
from lms_bot.store.models import Cursor, LMSActivityEvent
from lms_bot.store.totals import Attempt, StudentTotals

OLD_STORES = Path(__file__).parent / "old_stores"
JOHN, ZOE = 9, 10
TOLD = {1: "exam_started", 2: "exam_passed", 4: "exam_failed"}  # of John, each to two mentors


def load(dump: Path, path: Path) -> str:
    with closing(sqlite3.connect(path)) as store:
        store.executescript(dump.read_text(encoding="utf-8"))
    return f"sqlite:///{path}"


def copy_to_postgresql(version: str, old: Path, url: str) -> str:
    """What the older version would have in PostgreSQL: its tables, with the same rows."""
    store = Store(url)
    with store.transaction() as db, closing(sqlite3.connect(old)) as kept:
        Runner(db, str(MIGRATIONS), table_name="lms_schema_migrations").up(version)
        for table in TABLES:
            found = kept.execute(f"SELECT * FROM {table}")
            names = [column[0] for column in found.description]
            kinds = dict(db.execute_sql(KINDS_SQL, (table,)).fetchall())
            marks = ", ".join("%s::integer::boolean" if kinds[name] == "boolean" else "%s" for name in names)
            for row in found:
                db.execute_sql(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", row)
        for table, column in SEQUENCES.items():
            last = f"SELECT setval(pg_get_serial_sequence(%s, %s), (SELECT max({column}) FROM {table}))"
            db.execute_sql(last, (table, column))
    store.close_thread()
    return url


KINDS_SQL = "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s"
TABLES = (
    "lms_activity_events", "lms_event_logs", "lms_messages", "lms_deliveries", "lms_cursors", "lms_known_rows",
    "lms_open_rows", "lms_rejected_rows",
)  # fmt: skip
SEQUENCES = {"lms_activity_events": "event_id", "lms_messages": "message_id", "lms_deliveries": "delivery_id"}


@pytest.fixture(params=["0001_initial", "0002_conversation"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, version: str, tmp_path: Path) -> Iterator[Store]:
    url = load(OLD_STORES / f"{version}.sql", tmp_path / "old.db")
    if request.param == "postgresql":
        create: Callable[..., str] = request.getfixturevalue("new_database")
        url = copy_to_postgresql(version, tmp_path / "old.db", create())
    opened = open_store(url)
    with opened.session():
        yield opened
    opened.close_thread()


def test_what_was_told_stays_told_and_what_was_owed_waits(store: Store) -> None:
    events: dict[int, Any] = {one.event_id: one for one in LMSActivityEvent.select()}
    assert len(events) == 6
    delivered = Delivery.select(Delivery.event).where(Delivery.state == DeliveryState.SENT)
    told = [event_id for (event_id,) in rows(delivered)]
    assert sorted(told) == sorted([*TOLD] * 2)
    assert {one: str(events[one].event_type) for one in TOLD} == TOLD
    assert Message.select().where(Message.zulip_message_id.is_null()).count() == 0
    waiting = Deliveries(store).get_waiting_people()
    assert len(waiting) == 2  # John's mentors, of his last start


def test_how_far_the_lms_was_read_is_known_and_all_of_it_is_looked_at_again(store: Store) -> None:
    positions = {one.stream: Position.from_json(one.position) for one in Cursor.select()}
    read = {stream: (one.high_key, one.horizon, one.pass_horizon) for stream, one in positions.items()}
    assert read == {"attempts": (90002, 0, None), "content_attempts": (14, 0, None)}


def test_rows_of_before_the_bot_stay_known_and_those_told_of_know_their_events(store: Store) -> None:
    book = AttemptBook(store.database)
    keys = [*map(str, range(1, 20)), "90001", "90002"]
    exams, contents = book.get_seen("attempts", keys), book.get_seen("content_attempts", keys)
    assert set(exams) == {*map(str, range(1, 17)), "90001", "90002"}
    assert exams["9"] == ActivityType.EXAM_COMPLETED.bit
    assert exams["14"] == OLD | ActivityType.EXAM_STARTED.bit | ActivityType.EXAM_FAILED.bit
    assert exams["90002"] == OLD | ActivityType.EXAM_STARTED.bit
    assert set(contents) == {*map(str, range(1, 15))}
    shown = rows(Attempt.select(Attempt.row_key, Attempt.student_id).where(Attempt.is_shown))
    assert set(shown) == {("14", JOHN), ("15", JOHN), ("16", ZOE), ("90001", ZOE), ("90002", JOHN)}


def test_events_are_of_rows_whose_exams_are_not_known_yet(store: Store) -> None:
    event = LMSActivityEvent
    found = rows(event.select(event.event_id, event.stream, event.attempt_id, event.activity_id, event.is_old_id))
    rows_of_events = {1: 15, 2: 15, 3: 16, 4: 14, 5: 90001, 6: 90002}
    assert sorted(found) == [(one, "attempts", row, row, True) for one, row in rows_of_events.items()]


def test_students_stand_as_their_attempts_add_up(store: Store) -> None:
    totals = StudentTotals
    found = rows(totals.select(totals.student_id, totals.display_name, totals.scored, totals.percentage_total))
    assert sorted(found) == [(JOHN, "John Doe", 2, 100.0), (ZOE, "Zo\u00eb M\u00fcller", 1, 40.0)]


def test_what_was_done_is_counted_and_found(store: Store) -> None:
    Counters(store).catch_up()
    assert get_history(JOHN).total == 4
    outcomes = [(one.title, one.outcome, one.percentage) for one in get_attempts(JOHN)]
    assert sorted(outcomes, key=str) == [
        ("Maths", "failed", 30.0),
        ("Maths", "passed", 70.0),
        ("Unit 3 \u2013 Forces", "started", None),
    ]
    assert [one.title for one in find_titles("unit 3 - forces", [ZOE])] == ["Unit 3 \u2013 Forces"]
    assert LMSActivityEvent.get_counts_by_type()["exam_failed"] == 2
