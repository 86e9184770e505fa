"""Killed with -9 at any instant, any number of times: every event is stored once, with its deliveries."""

from __future__ import annotations

import multiprocessing
import random
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from lms_bot.lms import poll
from lms_bot.store.database import rows
from lms_bot.store.messages import Delivery
from lms_bot.store.models import Cursor
from tests.worlds.watching import Found, Watching, add_attempts, fill

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    import pytest

    from lms_bot.sandbox.lms.school import School

ROUNDS = 25  # each kills two bots that poll side by side
LONGEST_LIFE_SECONDS = 0.3
FIRST, LAST = 100_000, 103_000  # the rows that are there at the first start
KINDS = {"exam_started": ("started", None), "exam_passed": ("ended", "pass"), "exam_completed": ("Finished", "")}

nursery = multiprocessing.get_context("forkserver")
nursery.set_forkserver_preload(["lms_bot.app", __name__])  # what is imported once need not be for each life


def poll_without_pause(lms_url: str, store_url: str, parent: Connection) -> None:
    poll.CRASH_MARGIN = 0  # the server does not crash; with it, every life would begin with a look at everything
    watching = Watching(lms_url, store_url)
    parent.send("polls now")
    while True:
        watching.app.monitor.process_activities()


@contextmanager
def living_bot(lms_url: str, store_url: str) -> Iterator[None]:
    """A bot process; killed at the end of the block."""
    ours, theirs = nursery.Pipe()
    process = nursery.Process(target=poll_without_pause, args=(lms_url, store_url, theirs), daemon=True)
    process.start()
    try:
        assert ours.poll(30) and ours.recv() == "polls now"
        yield
        assert process.is_alive(), f"the bot ended by itself: {process.exitcode}"
    finally:
        process.kill()
        process.join()
        ours.close()
        theirs.close()


class Writer(threading.Thread):
    """The LMS's life: rows inserted in any order, committed late, touched, and failed in the end.

    `kinds` holds, for each row, the event types it stood for, the present one last.
    """

    def __init__(self, lms: School) -> None:
        super().__init__(daemon=True)
        self.lms = lms
        self.kinds: dict[int, list[str]] = defaultdict(list)
        self.random = random.Random(5)
        self.is_stopping = threading.Event()
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            with closing(self.lms.connect()) as quick, closing(self.lms.connect()) as late:
                while not self.is_stopping.wait(0.002):
                    self.write_something(quick, late)
                late.commit()
        except BaseException as error:
            self.failure = error

    def write_something(self, quick: Any, late: Any) -> None:
        chance = self.random.random()
        if chance < 0.6:
            self.insert(quick if chance < 0.5 else late)
        elif chance < 0.65:
            late.commit()
        elif chance < 0.7:
            # Not the first rows: touched before the first look is complete, they cannot be told from news.
            touch = "UPDATE attempts SET state = state WHERE id %% 100 = %s AND id NOT BETWEEN %s AND %s"
            execute(quick, touch, self.random.randrange(100), FIRST, LAST)
        else:
            self.fail_any(quick)
        quick.commit()

    def insert(self, writer: Any) -> None:
        row_id = self.random.randrange(1, 10**9)
        kind = self.random.choice(list(KINDS))
        values = (row_id, self.random.choice((1, 2)), *KINDS[kind])
        columns = "id, date, user_id, state, result"
        execute(writer, f"INSERT INTO attempts ({columns}) VALUES (%s, now(), %s, %s, %s)", *values)
        self.kinds[row_id].append(kind)

    def fail_any(self, writer: Any) -> None:
        chosen = "SELECT id FROM attempts TABLESAMPLE BERNOULLI (1) LIMIT 1"
        change = f"UPDATE attempts SET state = 'ended', result = 'fail' WHERE id IN ({chosen}) RETURNING id"
        for (row_id,) in execute(writer, change):
            self.kinds[row_id].append("exam_failed")


def execute(writer: Any, statement: str, *values: Any) -> list[Any]:
    with writer.cursor() as sql:
        sql.execute(statement, values)
        return sql.fetchall() if sql.description and sql.rowcount else []


def has_begun(store_url: str, lms_url: str) -> bool:
    """Whether the first look was begun, so that whatever is written from now on is an event."""
    watching = Watching(lms_url, store_url)
    with watching.app.store.session():
        begun = Cursor.select().where(Cursor.stream == "attempts").exists()
    watching.close()
    return bool(begun)


def test_kill_9_at_any_instant_loses_and_doubles_nothing(
    lms: School, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(lms)
    add_attempts(lms, FIRST, LAST, date=datetime.now(timezone.utc).replace(tzinfo=None))
    writer, when, begun = Writer(lms), random.Random(7), False
    for _ in range(ROUNDS):
        with living_bot(lms.url, store_url), living_bot(lms.url, store_url):
            time.sleep(when.uniform(0, LONGEST_LIFE_SECONDS))
        if not begun and (begun := has_begun(store_url, lms.url)):
            writer.start()
    writer.is_stopping.set()
    writer.join()
    assert writer.failure is None

    monkeypatch.setattr(poll, "CRASH_MARGIN", 0)
    watching = Watching(lms.url, store_url)
    watching.poll(2)
    stored = watching.events()
    present: Found = {(str(row_id), kinds[-1]) for row_id, kinds in writer.kinds.items()}
    ever: Found = {(str(row_id), kind) for row_id, kinds in writer.kinds.items() for kind in kinds}
    assert len(present) > 100
    assert present - stored == set(), "lost"
    assert stored - ever == set(), "told, though it was there at the first start or never was"
    assert watching.poll(2) == set()
    with watching.app.store.session():
        deliveries = rows(Delivery.select(Delivery.event, Delivery.recipient))
    assert len(deliveries) == len(set(deliveries)) == len(stored)
    watching.close()
