"""How students stand is right also while several processes write."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from time import monotonic, sleep

import pytest

from lms_bot.core.activities import Activity, ActivityType
from lms_bot.core.clock import UTC
from lms_bot.store.attempts import AttemptBook
from lms_bot.store.database import Store, open_store
from lms_bot.store.totals import StudentTotals

NOON = datetime(2026, 3, 18, 12, 0, tzinfo=UTC)
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    store = open_store(store_url)
    with store.session():
        yield store
    store.close_thread()


def follow(store: Store, stream: str, percentage: int) -> None:
    """The student's one attempt in this stream, in the caller's transaction."""
    exam = ActivityType.EXAM_PASSED
    activity = Activity(stream, "1", exam, 1, "ada", "Ada", 7, "Algebra", {"percentage": percentage}, NOON)
    AttemptBook(store.database).follow(stream, [activity], NOON)


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_who_loses_an_attempt_while_another_process_records_one_stands_with_that(store: Store) -> None:
    """A backfill, say, beside the polls of another stream: neither sees what the other has not committed."""
    with store.transaction():
        follow(store, "attempts", 70)
    has_written, may_commit = threading.Event(), threading.Event()

    def write_slowly() -> None:
        with store.transaction():
            follow(store, "content_attempts", 50)
            has_written.set()
            assert may_commit.wait(30)
        store.close_thread()

    def lose() -> None:
        with store.transaction():
            AttemptBook(store.database).mark_gone("attempts", ["1"], NOON)
        store.close_thread()

    with ThreadPoolExecutor(2) as pool:
        writing = pool.submit(write_slowly)
        assert has_written.wait(30)
        losing = pool.submit(lose)
        deadline = monotonic() + 30
        while not store.database.execute_sql(WAITING).fetchone()[0] and monotonic() < deadline:
            sleep(0.01)
        may_commit.set()
        writing.result()
        losing.result()

    assert [(one.scored, one.percentage_total) for one in StudentTotals.select()] == [(1, 50.0)]
