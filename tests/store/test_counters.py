"""The counts of each student say what the events say, however they came and whatever happened meanwhile."""

from __future__ import annotations

import itertools
import threading
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from time import monotonic, sleep
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playhouse.migrations import Runner

from lms_bot.app import build_app
from lms_bot.core.activities import Activity, ActivityType
from lms_bot.core.clock import UTC
from lms_bot.outbox.draft import Draft
from lms_bot.outbox.outbox import Outbox
from lms_bot.people.recipients import Owed, Recipients
from lms_bot.settings.settings import load_settings
from lms_bot.store.counters import Counters
from lms_bot.store.database import MIGRATIONS, Store, open_store, rows
from lms_bot.store.deliveries import Deliveries
from lms_bot.store.messages import Lane
from lms_bot.store.models import KeyValue, LMSActivityEvent
from lms_bot.store.totals import StudentCount
from lms_bot.watch.recorder import Recorder

NOON = datetime(2026, 3, 18, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
KINDS = [kind.value for kind in ActivityType]

MOMENTS = [
    datetime(1990, 1, 1, tzinfo=UTC),
    datetime(2026, 3, 17, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(2026, 3, 18, tzinfo=UTC),
    NOON,
    NOON + 9 * DAY,
    datetime(2104, 2, 29, 3, 4, 5, tzinfo=UTC),
]
EVENTS = st.fixed_dictionaries(
    {
        "event_type": st.sampled_from([*KINDS, "exam_", "nonsense"]),
        "student_id": st.integers(1, 2),
        "timestamp": st.sampled_from(MOMENTS),
        "is_echo": st.sampled_from([False, False, False, True]),
    }
)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    store = open_store(store_url)
    with store.session():
        yield store
    store.close_thread()


_numbers = itertools.count()


def add_events(store: Store, *events: dict[str, Any]) -> None:
    with store.transaction():
        for event in events:
            LMSActivityEvent.create(**{"source_key": f"said:{next(_numbers)}"} | event)


def an_event(event_type: str = "exam_passed", **columns: Any) -> dict[str, Any]:
    return {"event_type": event_type, "student_id": 1, "activity_id": 1, "timestamp": NOON} | columns


def activities(first: int, count: int) -> list[Activity]:
    return [
        Activity(
            "attempts", str(number), ActivityType.EXAM_PASSED, number % 7, "name", None, number, "Algebra",
            {"percentage": 50 + number % 50}, NOON + number * timedelta(minutes=1),
        )
        for number in range(first, first + count)
    ]  # fmt: skip


def record(store: Store, first: int, count: int = 1) -> None:
    with store.transaction():
        Recorder(store).insert_events(activities(first, count), {}, now=NOON, is_told=False)


def get_kept() -> dict[tuple[int, ...], list[int]]:
    """All that the counters keep: by span, day and student, how many of each type and of any other."""
    return {row[:3]: list(row[3:11]) for row in rows(StudentCount.select())}


def recount() -> dict[tuple[int, ...], list[int]]:
    """The same from the events, in the plainest way."""
    counts: dict[tuple[int, ...], list[int]] = defaultdict(lambda: [0] * 8)
    for one in LMSActivityEvent.select().where(~LMSActivityEvent.is_echo):
        column = KINDS.index(one.event_type) if one.event_type in KINDS else 7
        day = (one.timestamp - datetime(1970, 1, 1, tzinfo=UTC)).days
        for span in (1, 8, 64):
            counts[span, day // span * span, one.student_id][column] += 1
        counts[0, 0, one.student_id][column] += 1
    return dict(counts)


def get_counted_students() -> set[int]:
    return {student_id for (student_id,) in rows(StudentCount.select(StudentCount.student_id))}


def get_count(student_id: int = 1) -> int:
    """How many events of any type are counted of one student."""
    return sum(get_kept().get((0, 0, student_id), []))


def empty(store: Store) -> None:
    with store.transaction():
        for model in (LMSActivityEvent, StudentCount, KeyValue):
            model.delete().execute()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.lists(EVENTS, max_size=8), min_size=1, max_size=4), events_at_once=st.integers(1, 5))
def test_the_counts_equal_a_recount(store: Store, batches: list[list[dict[str, Any]]], events_at_once: int) -> None:
    empty(store)
    counters = Counters(store, events_at_once)
    for batch in batches:
        add_events(store, *(an_event(**one) for one in batch))
        assert counters.catch_up() == 0
        assert get_kept() == recount()


def test_nothing_new_costs_one_look(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    counters = Counters(store)
    add_events(store, an_event())
    counters.catch_up()
    asked: list[str] = []
    execute = store.database.execute_sql

    def note(sql: str, *rest: Any) -> Any:
        asked.append(sql)
        return execute(sql, *rest)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(store.database, "execute_sql", note)

    assert counters.catch_up() == 0
    assert len(asked) == 1


def test_what_patience_does_not_suffice_for_is_told_and_counted_later(store: Store) -> None:
    record(store, 0, 10)
    counters = Counters(store, events_at_once=3)

    assert counters.catch_up(patience_seconds=0) == 7
    assert counters.step() is None, "events may still be coming"
    assert counters.step() == 0.0, "there may be more"
    assert counters.step() is None, "there is nothing more"
    assert get_kept() == recount()


def test_what_cannot_be_done_in_time_is_not_waited_for(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lms_bot.store.counters.EVENTS_PER_SECOND", 1)
    record(store, 0, 30)

    assert Counters(store, events_at_once=3).catch_up(patience_seconds=9) == 27
    assert Counters(store, events_at_once=3).catch_up(patience_seconds=27) == 0


def test_while_events_keep_coming_the_background_waits_but_not_for_ever(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    counters = Counters(store)
    for number in range(3):
        record(store, number)
        assert counters.step() is None
    assert get_kept() == {}

    monkeypatch.setattr("lms_bot.store.counters.LONGEST_WAIT_SECONDS", 0)
    record(store, 3)
    assert counters.step() == 0.0
    assert get_counted_students() == {0, 1, 2, 3}


def test_a_started_app_counts_by_itself(store_url: str) -> None:
    settings = {"lms_bot_store": store_url, "lms_activity_monitor_enabled": "false"}
    app = build_app(load_settings(settings, environ={}, dotenv=None, require_lms=False))
    app.start()
    try:
        record(app.store, 0, 3)
        app.counters.bell.ring()
        deadline = monotonic() + 120
        while not get_kept() and monotonic() < deadline:
            sleep(0.01)
        assert get_kept() == recount()
    finally:
        app.stop()


def test_echoes_are_never_waited_for(store: Store) -> None:
    add_events(store, an_event(), an_event("content_watched", is_echo=True))
    counters = Counters(store, events_at_once=1)

    assert counters.catch_up(patience_seconds=0) == 0
    assert get_count() == 1


def test_a_crash_while_counting_leaves_all_as_it_was(store: Store) -> None:
    record(store, 0, 10)
    counters = Counters(store, events_at_once=4)
    counters.catch_up(patience_seconds=0)
    before = get_kept()
    with suppress(KeyboardInterrupt), store.transaction():
        counters.catch_up()
        raise KeyboardInterrupt

    assert get_kept() == before
    assert counters.catch_up() == 0
    assert get_kept() == recount()


def test_many_may_count_at_once_while_events_are_recorded(store: Store) -> None:
    def count_for_a_while() -> None:
        while not is_over.is_set():
            Counters(store, events_at_once=5).catch_up()
        store.close_thread()

    is_over = threading.Event()
    with ThreadPoolExecutor(3) as pool:
        counting = [pool.submit(count_for_a_while) for _ in range(3)]
        try:
            for number in range(15):
                record(store, number * 20, 20)
        finally:
            is_over.set()
        for one in counting:
            one.result()

    assert Counters(store).catch_up() == 0
    assert get_kept() == recount()


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_an_event_committed_after_one_with_a_higher_id_is_counted(store: Store) -> None:
    counters = Counters(store)
    has_written, may_commit = threading.Event(), threading.Event()

    def write_slowly() -> None:
        with store.transaction():
            Recorder(store).insert_events(activities(0, 2), {}, now=NOON, is_told=False)
            has_written.set()
            assert may_commit.wait(30)
        store.close_thread()

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write_slowly)
        assert has_written.wait(30)
        record(store, 2, 3)
        assert counters.catch_up(patience_seconds=0.1) == 3, "they may be counted only after those with lower ids"
        may_commit.set()
        writing.result()

    assert counters.catch_up() == 0
    assert get_kept() == recount()
    assert [get_count(student_id) for student_id in range(5)] == [1, 1, 1, 1, 1]


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_store_that_others_write_to_is_answered_from_as_far_as_it_is_counted(store: Store, store_url: str) -> None:
    counters = Counters(store)
    record(store, 0, 2)
    counters.catch_up()
    record(store, 2, 1)
    other = Store(store_url)
    with other.transaction():
        assert counters.catch_up(patience_seconds=0.1) == 1
        assert get_counted_students() == {0, 1}
    other.close_thread()

    assert counters.catch_up() == 0


def test_an_id_that_was_counted_is_not_given_again(store: Store) -> None:
    record(store, 0, 3)
    Counters(store).catch_up()
    with store.transaction():
        LMSActivityEvent.delete().where(LMSActivityEvent.event_id == 3).execute()
    record(store, 3)

    assert Counters(store).catch_up() == 0
    assert get_count(3) == 1


def test_totals_are_of_events_counted_or_not_and_of_those_somebody_was_told_of(store: Store) -> None:
    owed = Recipients((Owed("zulip:1", 1), Owed("zulip:2", 2)))
    with store.transaction():
        Recorder(store).insert_events(activities(0, 3), {0: owed, 1: owed}, now=NOON, is_told=True)
    counters, deliveries = Counters(store), Deliveries(store)
    outbox = Outbox(store, deliveries)
    assert counters.get_totals() == (3, 0)
    for person in (1, 2):
        with store.transaction():
            message = outbox.write(Draft(person, "…", Lane.ROUTINE), NOON)
            deliveries.put_into(message, deliveries.get_unwritten(person, 10, NOON), NOON)
        outbox.mark_sent(message, 100 + person, NOON)
        assert counters.get_totals() == (3, 2), "told to one or to two, it is told"
    counters.catch_up()
    record(store, 3)
    assert counters.get_totals() == (4, 2)


def test_events_recorded_before_there_were_counters_are_counted(url_without_tables: str) -> None:
    old = Store(url_without_tables)
    with old.transaction() as db:
        Runner(db, str(MIGRATIONS), table_name="lms_schema_migrations").up("0001_initial")
        for number in range(5):
            is_true = "TRUE" if old.is_postgresql else "1"
            db.execute_sql(
                "INSERT INTO lms_activity_events (event_type, student_id, activity_id, activity_metadata, timestamp,"
                " created_at, processed_for_ai, source_key, has_deliveries, is_settled) VALUES ('exam_passed', 1,"
                f" {number}, '{{\"percentage\": 90}}', '2026-03-18 12:00:00.000000+00:00',"
                f" '2026-03-18 12:00:00.000000+00:00', {is_true}, 'old:{number}', {is_true}, {is_true})"
            )
        db.execute_sql(
            "INSERT INTO lms_event_logs (event_id, notification_sent, processed_at) SELECT event_id, activity_id < 2,"
            " created_at FROM lms_activity_events"
        )
    old.close_thread()
    store = open_store(url_without_tables)
    with store.session():
        assert Counters(store, events_at_once=2).catch_up() == 0
        assert get_kept() == recount()
        assert get_count() == 5
        assert Counters(store).get_totals() == (5, 2)
    store.close_thread()


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_long_backlog_is_counted_without_keeping_others_from_writing(
    store: Store, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two chunks SQLite's one lock is free, and left so for a while."""
    record(store, 0, 6000)
    other = Store(store_url)
    pauses: list[float] = []

    def write(seconds: float) -> None:
        with other.transaction() as db:
            db.execute_sql("UPDATE lms_leases SET holder = '' WHERE duty = 'none'")
        pauses.append(seconds)

    monkeypatch.setattr("lms_bot.store.counters.sleep", write)
    assert Counters(store, events_at_once=1000).catch_up() == 0
    other.close_thread()
    assert len(pauses) >= 5
    assert min(pauses) > 0
