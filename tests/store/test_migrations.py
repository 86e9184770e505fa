"""A store of an earlier version is carried over, with what waits in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import peewee
import pytest
from playhouse.migrations import Runner

from lms_bot.core.activities import Activity, ActivityType
from lms_bot.core.clock import utc_now
from lms_bot.lms.stream import Position
from lms_bot.outbox.draft import Button, Draft, get_widget
from lms_bot.outbox.outbox import Outbox
from lms_bot.store.attempts import OLD, AttemptBook
from lms_bot.store.conversation import AnsweredQuestion
from lms_bot.store.database import MIGRATIONS, Store, open_store, rows
from lms_bot.store.deliveries import Deliveries
from lms_bot.store.messages import Delivery, Lane, Message, MessageState
from lms_bot.store.models import Cursor, LMSActivityEvent
from lms_bot.store.statements import to_stored
from lms_bot.store.totals import Attempt, Coursework, StudentTotals

THEN = datetime(2026, 1, 15, 14, 30, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
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


def insert_event(store: Store, row: int, event_type: str, hours: int = 0, **columns: Any) -> None:
    """As earlier versions stored it: its activity id is the row's, and that is also in the source key."""
    stream = "attempts" if event_type.startswith("exam") else "content_attempts"
    moment = to_stored(THEN + hours * HOUR)
    flags: dict[str, Any] = {"processed_for_ai": False, "has_deliveries": True, "is_settled": True}
    usual: dict[str, Any] = {"student_id": 1, "activity_id": row, "timestamp": moment, "created_at": moment}
    key = {"event_type": event_type, "source_key": f"{stream}:{row}:{event_type}"}
    if isinstance(columns.get("activity_metadata"), dict):
        columns["activity_metadata"] = json.dumps(columns["activity_metadata"])
    insert(store, "lms_activity_events", **flags | usual | key | columns)


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
            insert_event(old, number, "exam_passed", activity_title=title)
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
        found = {one.title_key: one.title in TITLES.values() for one in Coursework.select()}
        assert found == {"unit 3 forces": True, "algebra": True}
        attempts = Attempt.select(Attempt.row_key, Coursework.title_key).join(
            Coursework, on=Attempt.coursework_id == Coursework.coursework_id
        )
        assert dict(rows(attempts)) == {"0": "unit 3 forces", "1": "unit 3 forces", "2": "algebra"}


ENDED = {"percentage": 70, "score": 14}
POSITIONS: dict[str, dict[str, Any]] = {
    "attempts": {"high_key": 9, "horizon": 845, "pass_horizon": 850, "pass_block": 3, "baseline_at": None},
    "content_attempts": {"high_key": 9, "horizon": 845, "pass_horizon": 850, "pass_block": 3,
                         "baseline_at": "2026-01-15T14:30:00+00:00", "baseline_writers": [846]},
}  # fmt: skip


def fill_before_attempts_followed_the_lms(old: Store) -> None:
    # An exam that was passed; one that was judged twice; one begun; one whose begin was recorded after its end.
    insert_event(old, 1, "exam_started", activity_title="Algebra", activity_metadata={"percentage": 30})
    insert_event(old, 1, "exam_passed", 1, activity_title="Algebra", activity_metadata=ENDED)
    insert_event(old, 2, "exam_passed", 2, activity_title="Geometry", activity_metadata={"percentage": 62.5})
    insert_event(old, 2, "exam_failed", 3, activity_title="Geometry", activity_metadata={"percentage": 30})
    insert_event(old, 3, "exam_started", 4, activity_title="Algebra", activity_metadata={"percentage": 10})
    insert_event(old, 4, "exam_failed", 6, student_id=2, student_username="bo", activity_metadata={"percentage": 5})
    insert_event(old, 4, "exam_started", 5, student_id=2, student_username="old bo", activity_title="Algebra")
    # Percentages that are none, or not to be added.
    insert_event(old, 5, "exam_completed", 7, student_id=2, activity_metadata={"percentage": True, "score": "many"})
    insert_event(old, 6, "exam_completed", 7, student_id=2, activity_metadata={"percentage": 10**9 - 1})
    huge = '{"percentage": 1' + 400 * "0" + ', "score": 3}'
    insert_event(old, 7, "exam_completed", 7, student_id=2, activity_metadata=huge)
    # Contents, one of which is an exam; the student of that has nothing else.
    insert_event(old, 1, "content_started", 8, activity_title="Algebra", activity_metadata={"percentage": 99})
    insert_event(old, 1, "content_watched", 9, activity_title="Algebra", activity_metadata={"percentage": 99})
    insert_event(old, 2, "content_started", 9, student_id=3)
    insert_event(old, 2, "content_completed", 9, student_id=3, is_echo=True)
    for stream, row_key, kind in (("attempts", "8", "exam_failed"), ("attempts", "1", "exam_failed"),
                                  ("content_attempts", "5", "content_started"),
                                  ("content_attempts", "5", "content_watched")):  # fmt: skip
        insert(old, "lms_known_rows", stream=stream, row_key=row_key, event_type=kind)
    for student_id in (1, 3):  # what is left of the second is told and counted nowhere
        insert(old, "lms_standings", student_id=student_id, username="ada", display_name="Ada", scored=7,
               last_at=to_stored(THEN), last_event_id=1, percentage_total=700.0)  # fmt: skip
    for stream, position in POSITIONS.items():
        known = json.dumps({"table_id": "1/2", "pass_file": "16384/1"} | position)
        insert(old, "lms_cursors", stream=stream, position=known, updated_at=to_stored(THEN))
    insert(old, "lms_deliveries", event_id=1, recipient="zulip:9", zulip_user_id=9, state="sent",
           created_at=to_stored(THEN), updated_at=to_stored(THEN))  # fmt: skip


@pytest.fixture
def carried(url_without_tables: str) -> Iterator[Store]:
    """A store of before attempts followed the LMS, brought up to date."""
    old = Store(url_without_tables)
    with old.transaction() as db:
        Runner(db, str(MIGRATIONS), table_name="lms_schema_migrations").up("0005_ids_of_64_bits")
        fill_before_attempts_followed_the_lms(old)
    old.close_thread()
    opened = open_store(url_without_tables)
    with opened.session():
        yield opened
    opened.close_thread()


def get_attempt(stream: str, row_key: str) -> Attempt:
    return Attempt.get(Attempt.stream == stream, Attempt.row_key == row_key)


def get_coursework() -> dict[tuple[str, str], tuple[str, bool, int, str | None] | None]:
    """What each attempt is about, by stream and row key."""
    about = {one.coursework_id: (one.stream, one.is_exam, one.activity_id, one.title) for one in Coursework.select()}
    return {(one.stream, one.row_key): about.get(one.coursework_id or 0) for one in Attempt.select()}


def bits(*kinds: str) -> int:
    return sum(ActivityType(kind).bit for kind in kinds)


def test_old_events_name_their_row_and_are_marked_as_naming_it_in_place_of_the_exam(carried: Store) -> None:
    event = LMSActivityEvent
    found = rows(event.select(event.stream, event.attempt_id, event.activity_id, event.is_old_id, event.source_key))
    assert len(found) == 14
    assert {(stream, attempt_id) for stream, attempt_id, *_ in found} == {
        *(("attempts", row) for row in range(1, 8)), ("content_attempts", 1), ("content_attempts", 2),
    }  # fmt: skip
    for stream, attempt_id, activity_id, is_old_id, source_key in found:
        assert activity_id == attempt_id
        assert is_old_id
        assert source_key.startswith(f"{stream}:{attempt_id}:")


def test_attempts_are_as_their_last_events_say(carried: Store) -> None:
    said = {
        (one.stream, one.row_key): (one.student_id, one.is_exam, one.outcome, one.percentage, one.score, one.is_shown)
        for one in Attempt.select().where(Attempt.student_id.is_null(False))
    }
    assert said == {
        ("attempts", "1"): (1, True, "passed", 70.0, 14.0, True),
        ("attempts", "2"): (1, True, "failed", 30.0, None, True),
        ("attempts", "3"): (1, True, "started", None, None, True),
        ("attempts", "4"): (2, True, "failed", 5.0, None, True),
        ("attempts", "5"): (2, True, "completed", None, None, True),
        ("attempts", "6"): (2, True, "completed", None, None, True),
        ("attempts", "7"): (2, True, "completed", None, 3.0, True),
        ("content_attempts", "1"): (1, False, "watched", 99.0, None, True),
        ("content_attempts", "2"): (3, False, "completed", None, None, False),
    }


def test_attempts_know_when_they_began_and_when_something_happened_last(carried: Store) -> None:
    times = {(one.stream, one.row_key): (one.started_at, one.last_at) for one in Attempt.select()}
    assert times["attempts", "1"] == (THEN, THEN + HOUR)
    assert times["attempts", "2"] == (None, THEN + 3 * HOUR)
    assert times["attempts", "4"] == (THEN + 5 * HOUR, THEN + 6 * HOUR)
    assert times["content_attempts", "1"] == (THEN + 8 * HOUR, THEN + 9 * HOUR)


def test_attempts_are_about_what_their_events_called_so(carried: Store) -> None:
    found = get_coursework()
    algebra = ("attempts", True, 0, "Algebra")
    assert found["attempts", "1"] == found["attempts", "3"] == algebra
    assert found["attempts", "4"] == algebra, "its last event had no title, but an earlier one"
    assert found["attempts", "2"] == ("attempts", True, 0, "Geometry")
    assert found["content_attempts", "1"] == ("content_attempts", False, 0, "Algebra")
    assert found["attempts", "5"] is None


def test_what_was_seen_of_a_row_is_known_told_or_not(carried: Store) -> None:
    seen = AttemptBook(carried.database).get_seen("attempts", [str(number) for number in range(10)])
    assert seen == {
        "1": OLD + bits("exam_started", "exam_passed", "exam_failed"),  # one of these was known and no event
        "2": OLD + bits("exam_passed", "exam_failed"),
        "3": OLD + bits("exam_started"),
        "4": OLD + bits("exam_started", "exam_failed"),
        **dict.fromkeys("567", OLD + bits("exam_completed")),
        "8": bits("exam_failed"),
    }
    known = get_attempt("content_attempts", "5")
    assert known.seen_types == bits("content_started", "content_watched")
    assert not known.is_shown
    assert known.student_id is None


def test_students_stand_as_their_attempts_add_up(carried: Store) -> None:
    found = {row[0]: row[1:] for row in rows(StudentTotals.select())}
    assert found == {
        1: ("ada", "Ada", THEN + 9 * HOUR, 2, 100.0, False),
        2: (None, None, THEN + 7 * HOUR, 1, 5.0, False),  # called as in the latest events
    }


def test_the_next_polls_look_at_everything_unless_the_first_look_is_not_over(carried: Store) -> None:
    positions = {one.stream: Position.from_json(one.position) for one in Cursor.select()}
    said = {name: (one.high_key, one.horizon, one.pass_horizon, one.pass_block) for name, one in positions.items()}
    assert said == {"attempts": (9, 0, None, 0), "content_attempts": (9, 845, 850, 3)}
    assert positions["content_attempts"].baseline_writers == [846]


def test_an_event_may_be_owed_again_with_a_correction_and_once_without(carried: Store) -> None:
    assert [one.correction for one in Delivery.select()] == [0]
    Delivery.create(event=1, recipient="zulip:9", zulip_user_id=9, correction=1)
    with pytest.raises(peewee.IntegrityError), carried.transaction():
        Delivery.create(event=1, recipient="zulip:9", zulip_user_id=9)


def test_events_are_told_their_exam_when_its_row_is_read_and_stay_marked_until_then(carried: Store) -> None:
    book = AttemptBook(carried.database)
    now = THEN + 10 * HOUR
    exam = Activity(
        "attempts", "1", ActivityType.EXAM_FAILED, 1, "ada", "Ada", 55, "Algebra I", {"percentage": 40}, THEN + HOUR,
        attempt_id=1,
    )  # fmt: skip
    content = Activity("content_attempts", "1", ActivityType.CONTENT_WATCHED, 1, "ada", "Ada", 0, None, {}, None)
    with carried.transaction():
        followed = book.follow("attempts", [exam], now)
        book.follow("content_attempts", [content], now)
    event = LMSActivityEvent
    query = event.select(event.stream, event.attempt_id, event.activity_id, event.is_old_id).distinct()

    assert sorted(rows(query)) == [
        ("attempts", 1, 55, False),
        *(("attempts", row, row, True) for row in range(2, 8)),
        ("content_attempts", 1, 0, False),  # its content is gone
        ("content_attempts", 2, 2, True),
    ]
    assert followed.turns == [], "what earlier versions told of it is not known for sure"
    attempt = get_attempt("attempts", "1")
    assert (attempt.outcome, attempt.percentage, attempt.started_at) == ("failed", 40.0, THEN)
    assert attempt.seen_types == bits("exam_started", "exam_passed", "exam_failed")
    assert StudentTotals.get_by_id(1).percentage_total == 70.0
    about = get_coursework()
    assert about["attempts", "1"] == ("attempts", True, 55, "Algebra I")
    assert about["attempts", "3"] == ("attempts", True, 0, "Algebra"), "it was not read"
    assert about["content_attempts", "1"] == ("content_attempts", False, 0, "Algebra"), "as last known"


@pytest.mark.parametrize(
    ("metadata", "percentage"),
    [
        ('{"percentage": 66.66666666666667}', 66.66666666666667),
        ('{"percentage": -0.5}', -0.5),
        ('{"percentage": 1000.5}', None),
        ('{"percentage": "much"}', None),
        ("[85]", None),
        ('"85"', None),
        ("null", None),
        (None, None),
    ],
)
def test_a_percentage_is_carried_over_as_it_is(
    url_without_tables: str, metadata: str | None, percentage: float | None
) -> None:
    assert carry_over_percentage(url_without_tables, metadata) == percentage


@pytest.mark.parametrize("url_without_tables", ["sqlite"], indirect=True)
def test_what_was_stored_and_is_no_number_is_carried_over_as_none(url_without_tables: str) -> None:
    """Python writes it as JSON has it not; PostgreSQL did not take it."""
    assert carry_over_percentage(url_without_tables, json.dumps({"percentage": float("nan")})) is None


def carry_over_percentage(url: str, metadata: str | None) -> float | None:
    old = Store(url)
    with old.transaction() as db:
        Runner(db, str(MIGRATIONS), table_name="lms_schema_migrations").up("0005_ids_of_64_bits")
        insert_event(old, 1, "exam_completed", activity_metadata=metadata)
    old.close_thread()
    opened = open_store(url)
    with opened.session():
        found: float | None = get_attempt("attempts", "1").percentage
    opened.close_thread()
    return found


def test_what_waits_is_sent_without_buttons_and_what_comes_may_have_them(url_without_tables: str) -> None:
    old, moment = Store(url_without_tables), to_stored(THEN)
    with old.transaction() as db:
        Runner(db, str(MIGRATIONS), table_name="lms_schema_migrations").up("0007_concerns")
        for state in ("ready", "sent"):
            row = {"content": "news", "conversation": "9", "lane": 1, "tries": 0, "is_gathered": False}
            insert(old, "lms_messages", zulip_user_id=9, state=state, not_before=moment, created_at=moment, **row)
    old.close_thread()
    opened = open_store(url_without_tables)
    outbox = Outbox(opened, Deliveries(opened))
    with opened.session():
        assert [one.buttons for one in Message.select()] == [None, None]
        claimed = outbox.claim("some-machine:1:a", THEN + HOUR)
        assert claimed is not None and get_widget(claimed) is None and claimed.content == "news"
        outbox.write(Draft(8, "Really?", Lane.ANSWERS, buttons=(Button("Yes", "yes"),)), THEN)
        asked = outbox.claim("some-machine:1:a", THEN + HOUR)
        assert asked is not None and asked.buttons["choices"] == [{"label": "Yes", "says": "yes", "meaning": ""}]
    opened.close_thread()
