"""A store of an earlier version is carried over, with what waits in it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from playhouse.migrations import Runner

from lms_bot.core.clock import utc_now
from lms_bot.store.conversation import AnsweredQuestion
from lms_bot.store.database import MIGRATIONS, Store, open_store
from lms_bot.store.messages import Lane, Message, MessageState
from lms_bot.store.statements import to_stored
from lms_bot.store.totals import Attempt, Title

THEN = datetime(2026, 1, 15, 14, 30, tzinfo=timezone.utc)
MESSAGES = {7: ("ready", 0), 8: ("sent", 1), 9: ("unknown", 1)}
"""Zulip user id: state and priority, as there were before there was one outbox."""

TITLES = {
    "unit 3 \u2013 forces": "Unit 3 \u2013 Forces",
    "unit 3 - forces": "Unit 3 - Forces",
    "algebra": "Algebra",
}
"""By how they were looked for: with their punctuation."""


def insert(store: Store, table: str, **columns: Any) -> None:
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    sql = f"INSERT INTO {table} ({names}) VALUES ({marks})"
    store.database.execute_sql(sql.replace("?", "%s") if store.is_postgresql else sql, tuple(columns.values()))


@pytest.fixture
def store(url_without_tables: str) -> Iterator[Store]:
    """One of before the outbox carried answers, brought up to date."""
    old, moment = Store(url_without_tables), to_stored(THEN)
    with old.transaction() as db:
        Runner(db, str(MIGRATIONS), table_name="lms_schema_migrations").up("0002_conversation")
        for person, (state, priority) in MESSAGES.items():
            times = {"not_before": moment, "created_at": moment, "lease_until": moment}
            row = {"content": "news", "state": state, "priority": priority, "tries": 0, "is_gathered": False}
            insert(old, "lms_messages", zulip_user_id=person, **row, **times)
        for number, answered_at, content in ((1, moment, None), (2, None, "perhaps sent"), (3, None, None)):
            row = {"zulip_message_id": number, "zulip_user_id": 9, "taken_at": moment, "taken_by": "some:1"}
            insert(old, "lms_answers", key=str(number), answered_at=answered_at, content=content, **row)
        for number, (key, title) in enumerate(TITLES.items()):
            insert(old, "lms_titles", is_exam=True, title_key=key, title=title)
            insert(old, "lms_attempts", student_id=1, is_exam=True, activity_id=number, title=title, title_key=key,
                   outcome="passed", last_at=moment)  # fmt: skip
    old.close_thread()
    opened = open_store(url_without_tables)
    yield opened
    opened.close_thread()


def test_news_waits_in_the_lane_it_had(store: Store) -> None:
    news = {one.zulip_user_id: one for one in Message.select().where(Message.content == "news")}
    assert {one: (row.state, row.lane) for one, row in news.items()} == {
        7: (MessageState.READY, Lane.URGENT),
        8: (MessageState.SENT, Lane.ROUTINE),
        9: (MessageState.UNKNOWN, Lane.ROUTINE),
    }
    assert {one: row.conversation for one, row in news.items()} == {7: "7", 8: "8", 9: "9"}


def test_an_answer_that_may_have_been_sent_is_looked_for_before_it_is_sent(store: Store) -> None:
    answer = Message.get(Message.lane == Lane.ANSWERS)
    assert (answer.state, answer.content, answer.after_id, answer.conversation) == ("unknown", "perhaps sent", 2, "9")
    assert answer.not_before <= utc_now() < answer.lease_until < utc_now() + timedelta(minutes=1)


def test_what_was_answered_stays_so_and_what_was_only_begun_is_answered_anew(store: Store) -> None:
    assert AnsweredQuestion.get_answered(["1", "2", "3"]) == {"1": THEN, "2": THEN}


def test_titles_are_found_without_their_punctuation(store: Store) -> None:
    with store.session():
        assert {one.title_key: one.title in TITLES.values() for one in Title.select()} == {
            "unit 3 forces": True, "algebra": True,
        }  # fmt: skip
        assert [one.title_key for one in Attempt.select().order_by(Attempt.activity_id)] == [
            "unit 3 forces", "unit 3 forces", "algebra",
        ]  # fmt: skip
