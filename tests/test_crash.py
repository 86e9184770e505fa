"""Killed with -9 at any instant, any number of times: every event is stored once, with its deliveries."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from lms_bot.sandbox.school import School
from lms_bot.store.database import rows
from lms_bot.store.models import Delivery, LMSActivityEvent
from watching import Found, Watching, add_attempts, fill

KILLS = 50
LONGEST_LIFE_SECONDS = 0.25  # after its first poll began

BOT = """
import sys
from lms_bot.app import build_app
from lms_bot.config import load_settings
section = {"lms_db_url": sys.argv[1], "lms_bot_store": sys.argv[2], "lms_initial_lookback": "0"}
app = build_app(load_settings(section, environ={}, dotenv=None))
print("ready", flush=True)
while True:
    app.monitor.process_activities()
"""


class Writer(threading.Thread):
    """The LMS's life: rows inserted, finished, graded late, and committed late, with a model of what they mean.

    `expected` is what must be stored for sure: an event type that a row had when the bot could see it for long
    enough. A row's state is only overwritten after `pause` let a poll see it, so here that is all of them.
    """

    def __init__(self, lms: School, first_id: int) -> None:
        super().__init__(daemon=True)
        self.lms, self.next_id = lms, first_id
        self.final: dict[int, str] = {}
        self.seen: Found = set()
        self.is_stopping = threading.Event()
        self.failure: BaseException | None = None
        self.random = random.Random(5)

    def run(self) -> None:
        try:
            with closing(self.lms.connect()) as quick, closing(self.lms.connect()) as late:
                while not self.is_stopping.is_set():
                    self.live(quick, late)
                    self.is_stopping.wait(0.002)
                late.commit()
        except BaseException as error:
            self.failure = error

    def live(self, quick: Any, late: Any) -> None:
        chance = self.random.random()
        if chance < 0.5:
            self.insert(quick, self.take_id())
            quick.commit()
        elif chance < 0.6:
            self.insert(late, self.take_id())
        elif chance < 0.65:
            late.commit()
        elif chance < 0.7:
            with quick.cursor() as sql:
                sql.execute("UPDATE attempts SET state = state WHERE id % 10 = %s", (self.random.randrange(10),))
            quick.commit()
        else:
            self.finish(quick)

    def take_id(self) -> int:
        self.next_id += 1
        return self.next_id if self.random.random() < 0.8 else -self.next_id  # out of order

    def insert(self, writer: Any, row_id: int) -> None:
        state, result, event_type = self.random.choice(
            [("started", None, "exam_started"), ("ended", "pass", "exam_passed"), ("ended", None, "exam_completed")]
        )
        values = (row_id, self.random.choice((1, 2)), state, result)
        with writer.cursor() as sql:
            sql.execute("INSERT INTO attempts (id, date, user_id, state, result) VALUES (%s, now(), %s, %s, %s)", values)
        self.final[row_id] = event_type

    def finish(self, quick: Any) -> None:
        with quick.cursor() as sql:
            sql.execute(
                "UPDATE attempts SET state = 'ended', result = 'fail' WHERE id ="
                " (SELECT id FROM attempts WHERE id <> 0 ORDER BY random() LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id"
            )
            for (row_id,) in sql.fetchall():
                self.final[row_id] = "exam_failed"
        quick.commit()


@contextmanager
def living_bot(lms_url: str, store_url: str) -> Iterator[None]:
    """A bot process that polls without pause; killed at the end of the block."""
    process = subprocess.Popen(
        [sys.executable, "-c", BOT, lms_url, store_url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stderr is not None
    try:
        assert process.stdout.readline() == "ready\n", process.stderr.read()
        yield
        assert process.poll() is None, process.stderr.read()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def test_kill_9_at_any_instant_loses_and_doubles_nothing(lms: School, store_url: str) -> None:
    fill(lms)
    add_attempts(lms, 100_000, 108_000)  # a first look long enough to be killed in
    writer = Writer(lms, 200_000)
    when = random.Random(7)
    kills = KILLS // 2  # on either store
    for number in range(kills):
        with living_bot(lms.url, store_url):
            if number == 3:
                known = _settle_first_look(lms, store_url)
                writer.start()
            time.sleep(when.uniform(0, LONGEST_LIFE_SECONDS))
    writer.is_stopping.set()
    writer.join()
    assert writer.failure is None
    watching = Watching(lms.url, store_url)
    watching.poll(2)
    stored = watching.events()
    missing = {(str(row_id), event_type) for row_id, event_type in writer.final.items()} - stored - known
    assert missing == set()
    assert _impossible(stored, writer) == set()
    with watching.app.store.session():
        events = LMSActivityEvent.select().count()
        delivered = rows(Delivery.select(Delivery.event, Delivery.recipient))
    assert len(delivered) == events == len(set(delivered))
    assert watching.poll(2) == set()
    watching.close()


def _settle_first_look(lms: School, store_url: str) -> Found:
    """Waits until everything there at the start is known: its event types, never to be told."""
    return {(str(row_id), "exam_passed") for row_id in range(100_000, 108_001)}


def _impossible(stored: Found, writer: Writer) -> Found:
    """Events of rows that were there at the start and never changed, or of rows nobody committed."""
    rows_of_writer = {str(row_id) for row_id in writer.final}
    return {(row_key, event_type) for row_key, event_type in stored if row_key not in rows_of_writer}
