"""The public API as a script uses it that has nothing but environment variables."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from lms_bot import (
    ActivityMonitor,
    LMSActivityEvent,
    LMSActivityEventHandler,
    LMSEventLog,
    MessageFormatter,
    UserMapper,
    health_check,
)
from lms_bot.app import get_app, set_app
from lms_bot.sandbox.lms.school import School, utc

if TYPE_CHECKING:
    from lms_bot.sandbox.lms.postgres import EmbeddedPostgres
    from lms_bot.sandbox.zulip import SandboxPerson, SandboxZulip
    from lms_bot.zulip.gateway import ZulipUser

NOON = datetime(2026, 1, 15, 12, 0, tzinfo=timezone.utc)
EVENT_DATA_KEYS = {
    "event_type",
    "student_id",
    "student_username",
    "mentor_id",
    "mentor_username",
    "activity_id",
    "attempt_id",
    "stream",
    "activity_title",
    "activity_metadata",
    "timestamp",
}


class Place:
    """anna and bob mentor john_doe; all three are in Zulip, and lone_student has nobody."""

    def __init__(self, lms: School, zulip: SandboxZulip) -> None:
        self.lms, self.zulip = lms, zulip
        self.bot = zulip.add_person("LMS bot", email="lms-bot@zulip.example.com", is_bot=True)
        self.anna, self.bob, self.john_in_zulip = (
            zulip.add_person(name, email=f"{name}@{domain}", delivery_email=f"{name}@{domain}")
            for name, domain in (
                ("anna", "school.example.com"),
                ("bob", "school.example.com"),
                ("john_doe", "students.example.com"),
            )
        )
        mentors = [lms.add_mentor("anna", user_id=7001), lms.add_mentor("bob", user_id=7002)]
        lms.add_mentor("carla", user_id=7003)
        self.john = lms.add_student("john_doe", mentors=mentors)
        self.lone = lms.add_student("lone_student")
        self.exam = lms.add_exam("Maths")

    def said(self, to: SandboxPerson | None = None) -> list[str]:
        return [message.content for message in self.zulip.messages(sender=self.bot, to=to)]


on_both_stores = pytest.mark.parametrize("store_kind", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def store_kind(request: pytest.FixtureRequest) -> str:
    return getattr(request, "param", "sqlite")


@pytest.fixture
def place(
    lms: School,
    zulip: SandboxZulip,
    tmp_path: Path,
    store_kind: str,
    new_database: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Place]:
    """The place, and the settings that lead to it in the environment."""
    place = Place(lms, zulip)
    store_url = f"sqlite:///{tmp_path / 'store.db'}" if store_kind == "sqlite" else new_database()
    monkeypatch.setenv("LMS_DB_URL", lms.url)
    monkeypatch.setenv("LMS_BOT_STORE", store_url)
    monkeypatch.setenv("LMS_GROUP_SECONDS", "0")
    monkeypatch.setenv("LMS_DEFAULT_NOTIFY", "everything")
    monkeypatch.setenv("ZULIP_CONFIG", str(zulip.write_zuliprc(place.bot, tmp_path / "zuliprc")))
    set_app(None)
    yield place
    app = get_app()
    app.source.connection.close()
    app.store.close_thread()
    set_app(None)


def event_data(place: Place, **changes: Any) -> dict[str, Any]:
    return {
        "event_type": "exam_passed",
        "student_id": place.john,
        "student_username": "john_doe",
        "mentor_id": 7001,
        "mentor_username": "anna",
        "activity_id": 4711,
        "activity_title": "Maths",
        "activity_metadata": {"score": 85, "percentage": 85, "result": "pass"},
        "timestamp": NOON,
    } | changes


def create(place: Place, **changes: Any) -> LMSActivityEvent:
    event = ActivityMonitor(poll_interval=60).create_activity_event(event_data(place, **changes))
    assert event is not None
    return event


def stored_rows() -> dict[str, int]:
    """How many rows each table of the store has, but for what is only remembered of the LMS's people."""
    database = get_app().store.database
    tables = {table for table in database.get_tables() if table.startswith("lms_")} - {"lms_facts"}
    return {table: database.execute_sql(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}


# ---- ActivityMonitor ----


@on_both_stores
def test_looking_for_new_activities_changes_nothing_and_says_what_would_be_recorded(place: Place) -> None:
    monitor = ActivityMonitor(poll_interval=60)
    before = stored_rows()
    assert monitor.poll_for_new_activities() == []
    assert stored_rows() == before
    assert monitor.process_activities() == 0
    before = stored_rows()
    attempt = place.lms.start_exam(place.john, place.exam, at=NOON)
    (found,) = monitor.poll_for_new_activities()
    assert monitor.poll_for_new_activities() == [found]
    assert stored_rows() == before
    assert found.keys() == EVENT_DATA_KEYS
    assert found["activity_metadata"].keys() >= {"score", "percentage", "result"}
    del found["activity_metadata"]
    assert found == {
        "event_type": "exam_started",
        "student_id": place.john,
        "student_username": "john_doe",
        "mentor_id": 7001,
        "mentor_username": "anna",
        "activity_id": place.exam,
        "attempt_id": attempt,
        "stream": "attempts",
        "activity_title": "Maths",
        "timestamp": NOON,
    }
    assert monitor.process_activities() == 1
    assert monitor.poll_for_new_activities() == []
    assert place.said() == []


@on_both_stores
def test_what_was_found_can_be_stored_by_hand_and_is_not_stored_again(place: Place) -> None:
    monitor = ActivityMonitor()
    monitor.process_activities()
    for _ in range(3):
        place.lms.finish_exam(place.lms.start_exam(place.john, place.exam), "fail")
    found = monitor.poll_for_new_activities()
    events = [monitor.create_activity_event(one) for one in found]
    assert len([event for event in events if event is not None]) == 3
    assert [monitor.create_activity_event(one) for one in found] == [None, None, None]
    assert monitor.poll_for_new_activities() == []
    assert monitor.process_activities() == 0
    LMSActivityEventHandler().process_pending_events()
    assert len(place.said(place.anna)) == len(place.said(place.bob)) == 3


@on_both_stores
def test_an_event_made_by_hand_holds_what_it_was_given(place: Place) -> None:
    event = LMSActivityEvent.get_by_id(create(place).event_id)
    for name, value in event_data(place).items():
        assert getattr(event, name) == value
    assert event.zulip_user_id == place.john_in_zulip.user_id
    assert event.processed_for_ai is False
    assert event.created_at.tzinfo is not None


@on_both_stores
def test_two_students_who_pass_the_same_exam_are_two_events_and_the_same_data_twice_is_one(place: Place) -> None:
    both = [create(place), create(place, student_id=place.lone)]
    assert ActivityMonitor().create_activity_event(event_data(place)) is None
    assert [event.student_id for event in LMSActivityEvent.select().order_by(LMSActivityEvent.event_id)] == [
        event.student_id for event in both
    ]
    assert ActivityMonitor().process_activities() == 0  # it is no row of the LMS, which stops nothing


def get_user_id(user: ZulipUser | None) -> int | None:
    return None if user is None else user.user_id


def test_what_may_be_null_may_be_null(place: Place) -> None:
    nulls = dict.fromkeys(("student_username", "mentor_id", "mentor_username", "activity_title", "activity_metadata"))
    event = create(place, **nulls)
    assert event.activity_title is None
    LMSActivityEventHandler().process_pending_events()
    assert "None" not in place.said(place.anna)[0]


def test_a_naive_timestamp_is_utc(place: Place) -> None:
    assert create(place, timestamp=NOON.replace(tzinfo=None)).timestamp == NOON


def test_event_data_that_is_wrong_raises_and_stores_nothing(place: Place) -> None:
    monitor = ActivityMonitor()
    with pytest.raises(ValueError, match="exam_cheated"):
        monitor.create_activity_event(event_data(place, event_type="exam_cheated"))
    without_student = event_data(place)
    del without_student["student_id"]
    with pytest.raises(KeyError, match="student_id"):
        monitor.create_activity_event(without_student)
    assert LMSActivityEvent.select().count() == 0


# ---- LMSActivityEventHandler ----


def test_pending_events_are_processed_once(place: Place) -> None:
    handler = LMSActivityEventHandler()
    create(place)
    create(place, activity_id=4712, event_type="exam_failed")
    assert handler.process_pending_events() == 2
    assert handler.process_pending_events() == 0
    assert len(place.said(place.anna)) == len(place.said(place.bob)) == 2


def test_handling_an_event_may_be_repeated(place: Place) -> None:
    handler = LMSActivityEventHandler()
    event = create(place)
    for _ in range(3):
        handler.handle_event({"event_id": event.event_id})
        handler.process_pending_events()
    handler.handle_event({"event_id": 999})
    assert len(place.said(place.anna)) == len(place.said(place.bob)) == 1


@on_both_stores
def test_stats_follow_an_event_through_its_life(place: Place) -> None:
    handler = LMSActivityEventHandler()

    def stats() -> tuple[int, ...]:
        found = handler.get_event_stats()
        assert list(found) == [
            "total_events",
            "processed_events",
            "pending_events",
            "events_with_notifications",
            "events_with_errors",
        ]
        return tuple(found.values())

    assert stats() == (0, 0, 0, 0, 0)
    event = create(place)
    assert stats() == (1, 0, 1, 0, 0)
    handler.handle_event({"event_id": event.event_id})
    assert stats() == (1, 0, 1, 0, 0)
    handler.process_pending_events()
    assert stats() == (1, 1, 0, 1, 0)
    create(place, student_id=place.lone, activity_id=2)
    handler.process_pending_events()
    assert stats() == (2, 2, 0, 1, 1)


def test_telling_mentors_marks_nothing_for_the_ai(place: Place) -> None:
    create(place)
    LMSActivityEventHandler().process_pending_events()
    assert [event.processed_for_ai for event in LMSActivityEvent.select()] == [False]


def test_the_log_says_what_became_of_an_event(place: Place) -> None:
    event = create(place)
    LMSActivityEventHandler().process_pending_events()
    log = LMSEventLog.get(LMSEventLog.event == event)
    assert log.event == event
    assert log.notification_sent is True
    assert log.error_message is None
    assert log.notification_message_id in {message.id for message in place.zulip.messages(sender=place.bot)}


@on_both_stores
def test_recovery_by_hand_tells_whom_it_could_not_tell_before_and_nobody_twice(place: Place) -> None:
    handler = LMSActivityEventHandler()
    place.zulip.deactivate(place.bob)
    for activity_id in (1, 2):
        create(place, activity_id=activity_id)
    handler.process_pending_events()
    first = LMSEventLog.select().first()
    assert "no longer using Zulip" in first.error_message
    assert first.notification_sent is True  # to anna
    place.zulip.reactivate(place.bob)
    for log in LMSEventLog.select().where(LMSEventLog.error_message.is_null(False)):
        assert handler.process_event(log.event) is True
    assert len(place.said(place.anna)) == len(place.said(place.bob)) == 2
    assert [log.error_message for log in LMSEventLog.select()] == [None, None]
    assert LMSEventLog.get_by_id(first.event_id).processed_at > first.processed_at


def test_recovery_that_does_not_succeed_says_so_and_keeps_the_error(place: Place) -> None:
    handler = LMSActivityEventHandler()
    place.zulip.deactivate(place.bob)
    event = create(place)
    handler.process_pending_events()
    assert handler.process_event(event) is False
    assert len(place.said(place.anna)) == 1
    assert handler.get_event_stats()["events_with_errors"] == 1


@on_both_stores
def test_a_mentor_who_appears_in_the_lms_is_told_by_recovery(place: Place) -> None:
    handler = LMSActivityEventHandler()
    event = create(place, student_id=place.lone)
    handler.process_pending_events()
    assert place.said() == []
    place.lms.pair("bob", place.lone)
    for log in LMSEventLog.select().where(LMSEventLog.error_message.is_null(False)):
        handler.process_event(log.event)
    assert len(place.said(place.bob)) == len(place.said()) == 1
    assert LMSEventLog.get_by_id(event.event_id).error_message is None


# ---- MessageFormatter ----


def test_a_formatter_words_events_and_summaries(place: Place) -> None:
    formatter = MessageFormatter()
    event = create(
        place, activity_metadata={"score": 85, "percentage": 85, "result": "pass", "time_taken": "0:45:00"}
    )
    assert formatter.format_notification_message(event) == (
        "🎉 **Exam Passed!**\n"
        "\n"
        "**john_doe** has passed: **Maths**\n"
        "📊 **Score:** 85 | **Percentage:** 85% | **Result:** pass | **Time Taken:** 45 minutes\n"
        "🎉 Congratulations to the student!\n"
        f"`#{event.event_id}`"
    )
    assert "(recent)" in formatter.format_summary_message([event])
    assert "(this week)" in formatter.format_summary_message([], time_period="this week")


def test_each_event_type_has_a_method_to_override(place: Place) -> None:
    class Formatter(MessageFormatter):
        pass

    types = ("exam_started", "exam_completed", "exam_passed", "exam_failed")
    for event_type in (*types, "content_started", "content_completed", "content_watched"):
        said: Callable[..., str] = lambda self, event, emoji, name, of=event_type: f"{of} {name}"  # noqa: E731
        setattr(Formatter, f"format_{event_type}_message", said)
        event = create(place, event_type=event_type)
        assert Formatter().format_notification_message(event) == f"{event_type} john_doe"


# ---- UserMapper ----


def test_people_are_found_by_their_addresses(place: Place) -> None:
    users = UserMapper()
    (anna, bob) = users.get_notification_recipients(place.john)
    assert (anna.user_id, bob.user_id) == (place.anna.user_id, place.bob.user_id)
    assert get_user_id(users.get_zulip_user_for_mentor(7002)) == place.bob.user_id
    assert get_user_id(users.get_zulip_user_for_student(place.john)) == place.john_in_zulip.user_id
    assert users.get_mentor_for_student(place.john) == (7001, "anna")


def test_who_is_not_there_is_not_found(place: Place) -> None:
    users = UserMapper()
    assert users.get_notification_recipients(place.lone) == []
    assert users.get_notification_recipients(999) == []
    assert users.get_zulip_user_for_mentor(7003) is None
    assert users.get_zulip_user_for_mentor(999) is None
    assert users.get_zulip_user_for_student(place.lone) is None
    assert users.get_zulip_user_for_student(999) is None
    assert users.get_mentor_for_student(place.lone) is None


def test_mapping_stats_are_real_counts(place: Place) -> None:
    assert UserMapper().get_mapping_stats() == {
        "total_students": 2,
        "total_mentors": 3,
        "mapped_students": 1,
        "mapped_mentors": 2,
    }


def test_a_cache_that_is_cleared_is_asked_for_again(place: Place) -> None:
    users = UserMapper()
    assert users.get_mentor_for_student(place.lone) is None
    place.lms.pair("bob", place.lone)
    users.clear_cache(student_id=place.lone)
    assert users.get_mentor_for_student(place.lone) == (7002, "bob")
    with place.lms.transaction() as sql:
        sql.execute("UPDATE mentors SET user_id = 8002 WHERE username = 'bob'")
    users.clear_cache(mentor_id=7002)
    assert get_user_id(users.get_zulip_user_for_mentor(8002)) == place.bob.user_id
    users.clear_cache()
    assert users.get_mentor_for_student(place.lone) == (8002, "bob")


# ---- health ----


def test_health_is_good_once_all_was_read_and_told(place: Place) -> None:
    assert health_check() is False  # nothing was read yet
    ActivityMonitor().process_activities()
    assert health_check() is True
    create(place, student_id=place.lone)
    LMSActivityEventHandler().process_pending_events()
    assert health_check() is False  # nobody was found to be told


def test_health_without_settings_is_bad_and_does_not_raise() -> None:
    assert health_check() is False


def test_health_names_what_is_away(place: Place, postgres: EmbeddedPostgres) -> None:
    ActivityMonitor().process_activities()
    names = [check.name for check in get_app().health.get_checks()]
    for name in ("store", "LMS", "Zulip", "last good poll", "oldest pending delivery", "dead deliveries"):
        assert name in names
    place.zulip.stop()
    with postgres.away():
        away = {check.name for check in get_app().health.get_checks() if not check.is_ok}
        assert health_check() is False
    place.zulip.start()
    assert {"LMS", "Zulip"} <= away
    assert health_check() is True


# ---- the store's tables, and the queries of every day ----


@on_both_stores
def test_the_tables_are_as_documented(place: Place) -> None:
    database = get_app().store.database
    columns = {column.name: column for column in database.get_columns("lms_activity_events")}
    nullable = {"student_username", "mentor_id", "mentor_username", "activity_title", "activity_metadata"}
    nullable |= {"zulip_user_id", "stream", "attempt_id"}
    needed = {"event_id", "event_type", "student_id", "activity_id", "timestamp", "created_at", "processed_for_ai"}
    assert columns.keys() >= nullable | needed
    assert [name for name in nullable if not columns[name].null] == []
    assert [name for name in needed if columns[name].null] == []
    assert [column.name for column in columns.values() if column.primary_key] == ["event_id"]
    indexed = {index.columns[0] for index in database.get_indexes("lms_activity_events")}
    assert indexed >= {"student_id", "event_type", "timestamp", "processed_for_ai"}
    logs = {column.name: column for column in database.get_columns("lms_event_logs")}
    assert logs.keys() >= {"notification_sent", "notification_message_id", "error_message", "processed_at"}
    assert [column.name for column in logs.values() if column.primary_key] == ["event_id"]


@on_both_stores
def test_the_queries_of_every_day(place: Place) -> None:
    exam = create(place, timestamp=NOON)
    film = create(place, event_type="content_watched", timestamp=NOON + timedelta(hours=1))
    other = create(place, event_type="exam_failed", student_id=place.lone, activity_id=5, timestamp=NOON)
    LMSActivityEventHandler().process_pending_events()
    later = NOON + timedelta(minutes=30)

    assert LMSActivityEvent.get_unprocessed_for_ai() == [exam, film, other]
    assert LMSActivityEvent.get_unprocessed_for_ai("content_watched") == [film]
    assert LMSActivityEvent.mark_processed_for_ai([exam.event_id, film.event_id, 999]) == 2
    assert LMSActivityEvent.mark_processed_for_ai([exam.event_id]) == 0
    assert LMSActivityEvent.get_unprocessed_for_ai() == [other]
    assert LMSActivityEvent.get_student_history(place.john) == [film, exam]
    assert LMSActivityEvent.get_student_history(place.john, since=later) == [film]
    assert LMSActivityEvent.get_in_range(NOON, later) == [exam, other]
    assert LMSActivityEvent.get_in_range(NOON, later, student_ids=[place.lone]) == [other]
    assert LMSActivityEvent.get_with_errors() == [other]
    assert LMSActivityEvent.get_counts_by_type() == {"exam_passed": 1, "content_watched": 1, "exam_failed": 1}
    assert LMSActivityEvent.get_counts_by_type(since=later) == {"content_watched": 1}
    assert LMSActivityEvent.get_student_totals(place.john) == {"total": 2, "exam": 1, "content": 1}
    assert LMSActivityEvent.get_student_totals(999) == {"total": 0, "exam": 0, "content": 0}


def test_marking_many_events_at_once_goes_in_batches(place: Place) -> None:
    ids = [create(place, activity_id=number).event_id for number in range(7)]
    assert LMSActivityEvent.mark_processed_for_ai(iter(ids), batch_size=2) == 7


# ---- classes of one's own, and the app behind it all ----


class LoudFormatter(MessageFormatter):
    def format_exam_passed_message(self, event: Any, emoji: str, student_name: str) -> str:
        return f"{emoji} {student_name.upper()}"


class OnlyAnna(UserMapper):
    def get_notification_recipients(self, student_id: int) -> list[Any]:
        return [user for user in super().get_notification_recipients(student_id) if user.full_name == "anna"]


class Recording(LMSActivityEventHandler):
    handled: ClassVar[list[int]] = []

    def handle_event(self, event: Any) -> None:
        super().handle_event(event)
        self.handled.append(event["event_id"])


def test_classes_named_in_the_environment_are_used(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for setting, own in (
        ("MESSAGE_FORMATTER", LoudFormatter),
        ("USER_MAPPER", OnlyAnna),
        ("EVENT_HANDLER", Recording),
    ):
        monkeypatch.setenv(f"LMS_{setting}", f"{__name__}.{own.__name__}")
    Recording.handled.clear()
    event = create(place)
    get_app().events.process_pending_events()
    assert place.said() == place.said(place.anna)
    assert [text.partition("\n\n---")[0] for text in place.said()] == ["🎉 JOHN_DOE\n🕒 <time:2026-01-15T12:00:00Z>"]
    assert Recording.handled == [event.event_id]


def test_the_health_check_without_a_store_is_false_and_logs_no_traceback(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as environment:
        environment.setenv("LMS_BOT_STORE", f"sqlite:///{tmp_path / 'no_folder' / 'store.db'}")
        assert health_check() is False
    assert "LMS_BOT_STORE: the store does not answer" in caplog.text
    assert "Traceback" not in caplog.text


def test_all_parts_share_one_app_until_the_settings_change(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = get_app()
    ActivityMonitor()
    UserMapper()
    LMSActivityEventHandler()
    assert get_app() is first
    monkeypatch.setenv("LMS_BOT_STORE", f"sqlite:///{tmp_path / 'other.db'}")
    assert get_app() is not first
    assert LMSActivityEvent.select().count() == 0
    first.store.close_thread()


SCRIPT = """
from lms_bot import LMSActivityEvent, LMSEventLog
print(LMSActivityEvent.get_counts_by_type(), LMSEventLog.select().count())

from lms_bot import ActivityMonitor, LMSActivityEventHandler, MessageFormatter, UserMapper, health_check
monitor = ActivityMonitor(poll_interval=60)
print(monitor.process_activities())
handler = LMSActivityEventHandler()
print(handler.process_pending_events())
for event in LMSActivityEvent.get_unprocessed_for_ai():
    print(MessageFormatter().format_notification_message(event).splitlines()[0])
print(UserMapper().get_mapping_stats()["mapped_mentors"], health_check())
"""


@on_both_stores
def test_a_script_needs_nothing_but_the_environment(place: Place) -> None:
    """In a process of its own, asking the tables first."""
    place.lms.finish_exam(place.lms.start_exam(place.john, place.exam, at=utc()), "pass")
    done = subprocess.run([sys.executable, "-c", SCRIPT], check=False, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["{} 0", "1", "1", "🎉 **Exam Passed!**", "2 True"]
    assert len(place.said(place.anna)) == len(place.said(place.bob)) == 1
