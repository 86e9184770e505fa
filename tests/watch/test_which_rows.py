"""Which LMS rows become which events, and who is told: real rows in, stored events and real messages out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest

from lms_bot.app import App, build_app
from lms_bot.core.clock import utc_now
from lms_bot.insight.reports.students import get_attempts, get_totals_of_students
from lms_bot.sandbox.lms.school import School, utc
from lms_bot.sandbox.zulip import Fault, SandboxPerson, SandboxZulip
from lms_bot.settings.settings import Settings, load_settings
from lms_bot.store.messages import Delivery
from lms_bot.store.models import LMSActivityEvent, LMSEventLog, OpenRow
from lms_bot.zulip.gateway import Credentials
from tests.worlds.outbox_world import get_notifier
from tests.worlds.running_bot import WELCOME, wait_until

if TYPE_CHECKING:
    from lms_bot.sandbox.lms.postgres import EmbeddedPostgres

NOON = datetime(2026, 1, 15, 12, 0, tzinfo=timezone.utc)
ONE = timedelta(hours=1)

STATES: dict[str, list[str | None]] = {
    "exam_started": [
        "started",
        "STARTED",
        "in_progress",
        "In_Progress",
        "in progress",
        " In  Progress ",
        "Running",
        "resumed",
    ],
    "exam_completed": ["completed", "Completed", "finished", "FINISHED", "ended", "Ended", "submitted", "Submitted"],
    "unknown": ["watched", "viewed", "", "paused", "start", "completed!", None],
}
CONTENT_STATES: dict[str, list[str]] = {
    "content_started": ["started", "Started", "in_progress", "IN PROGRESS", "Running", "resumed"],
    "content_completed": ["completed", "COMPLETED", "finished", "Ended", "submitted"],
    "content_watched": ["watched", "Watched", "viewed", "VIEWED"],
    "unknown": ["", "seen", "passed"],
}
RESULTS: dict[str, list[str | None]] = {
    "exam_passed": ["pass", "Pass", "PASSED", "passed", " pass "],
    "exam_failed": ["fail", "FAIL", "failed", "Failed"],
    "exam_completed": ["", None, "pending", "absent", "not passed", "passable"],
}
EXAM_KEYS = ["score", "percentage", "result", "time_taken", "correct_answers", "incorrect_answers"]
EXAM_KEYS += ["unanswered", "percentile", "speed"]
CONTENT_KEYS = ["content_type", "state", "course_title", "chapter_name", "correct_answers", "incorrect_answers"]
CONTENT_KEYS += ["completed_on"]


class Watch:
    """A school with one student and one mentor, and the bot's parts around it, in this process."""

    def __init__(self, lms: School, folder: Path, credentials: Credentials | None = None, **settings: str) -> None:
        self.lms = lms
        self.credentials = credentials
        self.settings: Settings = load_settings(
            {
                "lms_db_url": lms.url,
                "lms_bot_store": f"sqlite:///{folder / 'store.db'}",
                "lms_group_seconds": "0",
                "lms_default_notify": "everything",
                **settings,
            },
            environ={},
            dotenv=None,
        )
        self.anna = lms.add_mentor("anna", user_id=7001)
        self.john = lms.add_student("john_doe", mentors=[self.anna])
        self.exam = lms.add_exam("Maths")
        self.course = lms.add_course("Biology", chapters=["The Cell"])
        self.film = lms.add_content("Mitosis", "Video", course=self.course)
        self.app = self._open()
        self.app.monitor.process_activities()

    def _open(self) -> App:
        return build_app(self.settings, self.credentials)

    def close(self) -> None:
        self.app.source.connection.close()
        self.app.store.close_thread()

    def restart(self) -> None:
        self.close()
        self.app = self._open()

    def poll(self) -> list[LMSActivityEvent]:
        """The events of one poll."""
        last_id = max((event.event_id for event in self.events()), default=0)
        created = self.app.monitor.process_activities()
        fresh = [event for event in self.events() if event.event_id > last_id]
        assert created == len(fresh)
        return fresh

    def poll_types(self) -> list[str]:
        return [event.event_type for event in self.poll()]

    def events(self) -> list[LMSActivityEvent]:
        with self.app.store.session():
            return list(LMSActivityEvent.select().order_by(LMSActivityEvent.event_id))

    def insert_attempt(self, **columns: Any) -> int:
        return self.lms.insert_attempt(**{"user_id": self.john, **columns})

    def insert_content_attempt(self, **columns: Any) -> int:
        usual = {"user_id": self.john, "course_id": self.course, "chapter_content_id": self.film, "created": utc()}
        usual |= {"chapter_id": 1, "content_type": "Video", "state": "started"}
        return self.lms.insert_content_attempt(**{**usual, **columns})

    def attempts(self) -> set[tuple[bool, str, float | None]]:
        """What answers show of the student: whether it is an exam, how it stands, and the percentage."""
        with self.app.store.session():
            return {(one.is_exam, one.outcome, one.percentage) for one in get_attempts(self.john)}

    def open_rows(self) -> int:
        """How many rows are followed at each poll."""
        with self.app.store.session():
            return OpenRow.select().count()

    def error(self, event: LMSActivityEvent) -> str:
        with self.app.store.session():
            return LMSEventLog.get_by_id(event.event_id).error_message or ""

    def health(self, name: str) -> str:
        (text,) = (check.text for check in self.app.health.get_checks() if check.name == name)
        return text


@pytest.fixture
def watch(lms: School, tmp_path: Path) -> Iterator[Watch]:
    watch = Watch(lms, tmp_path)
    yield watch
    watch.close()


def types_by_row(watch: Watch, rows: dict[int, Any]) -> dict[str, list[Any]]:
    """What became of each of the rows, by what it said."""
    types = {event.attempt_id: event.event_type for event in watch.poll()}
    found: dict[str, list[Any]] = {}
    for key, said in rows.items():
        found.setdefault(types.get(key, "unknown"), []).append(said)
    return found


# ---- states and results ----


def test_the_state_of_an_exam_says_what_happened_in_any_case(watch: Watch) -> None:
    words = [word for words in STATES.values() for word in words]
    rows = {watch.insert_attempt(state=word): word for word in words}
    assert types_by_row(watch, rows) == STATES


def test_the_result_of_a_completed_exam_says_whether_it_was_passed(watch: Watch) -> None:
    results = [result for results in RESULTS.values() for result in results]
    rows = {watch.insert_attempt(state="Finished", result=result): result for result in results}
    assert types_by_row(watch, rows) == RESULTS


def test_a_result_does_not_matter_before_the_exam_is_completed(watch: Watch) -> None:
    watch.insert_attempt(state="running", result="pass")
    assert watch.poll_types() == ["exam_started"]


def test_the_state_of_a_content_says_what_happened_in_any_case(watch: Watch) -> None:
    words = [word for words in CONTENT_STATES.values() for word in words]
    rows = {watch.insert_content_attempt(state=word): word for word in words}
    assert types_by_row(watch, rows) == CONTENT_STATES


def test_a_later_state_of_a_row_is_a_later_event_and_each_comes_once(watch: Watch) -> None:
    attempt = watch.lms.start_exam(watch.john, watch.exam)
    assert watch.poll_types() == ["exam_started"]
    watch.lms.update_attempt(attempt, state="running")
    assert watch.poll_types() == []
    watch.lms.finish_exam(attempt, result=None)
    assert watch.poll_types() == ["exam_completed"]
    watch.lms.update_attempt(attempt, result="pass")
    assert watch.poll_types() == ["exam_passed"]
    watch.lms.update_attempt(attempt, result="fail")
    assert watch.poll_types() == ["exam_failed"]
    for change in ({"state": "started"}, {"state": "completed", "result": None}, {"result": "passed"}):
        watch.lms.update_attempt(attempt, **change)
        assert watch.poll_types() == []


def test_a_content_is_started_then_watched_then_completed(watch: Watch) -> None:
    attempt = watch.lms.start_content(watch.john, watch.film)
    assert watch.poll_types() == ["content_started"]
    watch.lms.update_content_attempt(attempt, state="Viewed")
    assert watch.poll_types() == ["content_watched"]
    watch.lms.complete_content(attempt)
    assert watch.poll_types() == ["content_completed"]
    watch.lms.update_content_attempt(attempt, state="watched")
    assert watch.poll_types() == []


def test_states_that_passed_between_two_polls_are_not_made_up(watch: Watch) -> None:
    watch.lms.finish_exam(watch.lms.start_exam(watch.john, watch.exam), "fail")
    assert watch.poll_types() == ["exam_failed"]


def test_an_event_comes_once_for_ever_whatever_restarts(watch: Watch) -> None:
    attempt = watch.lms.start_exam(watch.john, watch.exam)
    assert watch.poll_types() == ["exam_started"]
    watch.restart()
    assert watch.poll_types() == []
    watch.lms.finish_exam(attempt, "pass")
    watch.restart()
    assert watch.poll_types() == ["exam_passed"]
    watch.restart()
    watch.lms.update_attempt(attempt, score=86)
    assert watch.poll_types() == []


def test_a_second_attempt_is_another_row_and_told_again(watch: Watch) -> None:
    for _ in range(2):
        watch.lms.finish_exam(watch.lms.start_exam(watch.john, watch.exam), "fail")
    assert watch.poll_types() == ["exam_failed", "exam_failed"]


def test_the_first_look_takes_as_known_what_is_there_but_follows_it(lms: School, tmp_path: Path) -> None:
    watch = Watch(lms, tmp_path)
    attempt = watch.lms.start_exam(watch.john, watch.exam, at=NOON)
    done = watch.lms.start_exam(watch.john, watch.exam, at=NOON)
    watch.lms.finish_exam(done, "pass", at=NOON + ONE)
    watch.close()
    for file in tmp_path.glob("store.db*"):
        file.unlink()
    watch.restart()
    assert watch.poll_types() == []
    watch.lms.finish_exam(attempt, "fail", at=NOON + ONE)
    watch.lms.update_attempt(done, score=99)
    assert watch.poll_types() == ["exam_failed"]
    watch.close()


# ---- attempts that were given up ----

GIVEN_UP = ["withdrawn", "Withdrawn", "abandoned", "ABANDONED"]


@pytest.mark.parametrize("state", GIVEN_UP)
def test_an_attempt_that_is_given_up_is_over_and_no_event(watch: Watch, state: str) -> None:
    exam = watch.lms.start_exam(watch.john, watch.exam)
    content = watch.lms.start_content(watch.john, watch.film)
    assert sorted(watch.poll_types()) == ["content_started", "exam_started"]
    watch.lms.update_attempt(exam, state=state, score=3)
    watch.lms.update_content_attempt(content, state=state)
    assert watch.poll() == []
    assert watch.attempts() == {(True, "withdrawn", None), (False, "withdrawn", None)}
    assert watch.open_rows() == 0
    assert watch.health("LMS rows without event") == "none"


def test_an_attempt_that_was_given_up_before_it_was_seen_is_no_event(watch: Watch) -> None:
    watch.insert_attempt(state="withdrawn", exam_id=watch.exam)
    watch.insert_content_attempt(state="abandoned")
    assert watch.poll() == []
    assert watch.attempts() == {(True, "withdrawn", None), (False, "withdrawn", None)}
    assert watch.health("LMS rows without event") == "none"


def test_an_attempt_that_is_taken_up_again_is_followed_again(watch: Watch) -> None:
    attempt = watch.lms.start_exam(watch.john, watch.exam)
    watch.poll()
    watch.lms.update_attempt(attempt, state="withdrawn")
    watch.poll()
    watch.lms.update_attempt(attempt, state="resumed")
    assert watch.poll_types() == []  # that it was started is told already
    assert watch.open_rows() == 1
    watch.lms.finish_exam(attempt, "pass", percentage=90)
    assert watch.poll_types() == ["exam_passed"]
    assert watch.attempts() == {(True, "passed", 90)}


def test_the_result_of_an_attempt_that_is_given_up_later_counts_no_longer(watch: Watch) -> None:
    attempt = watch.lms.start_exam(watch.john, watch.exam)
    watch.lms.finish_exam(attempt, "fail", percentage=10)
    assert watch.poll_types() == ["exam_failed"]
    watch.lms.update_attempt(attempt, state="withdrawn")
    assert watch.poll_types() == []
    assert watch.attempts() == {(True, "withdrawn", None)}
    with watch.app.store.session():
        assert get_totals_of_students([watch.john])[watch.john].scored == 0


# ---- rows that say nothing we understand ----


def test_unknown_states_are_counted_in_health_and_become_events_when_they_are_mended(watch: Watch) -> None:
    rows = [watch.insert_attempt(state=state) for state in ("teleported", None, "")]
    content = watch.insert_content_attempt(state="dreamt")
    assert watch.poll() == []
    assert watch.health("LMS rows without event") == "4 unknown state"
    for row in rows:
        watch.lms.update_attempt(row, state="started")
    watch.lms.update_content_attempt(content, state="watched")
    assert sorted(watch.poll_types()) == ["content_watched", *["exam_started"] * 3]
    assert watch.health("LMS rows without event") == "none"


def test_an_attempt_of_nobody_is_shown_and_told_once_it_is_somebodys(watch: Watch) -> None:
    row = watch.lms.insert_attempt(username="john_doe", state="started")
    assert watch.poll() == []
    assert watch.health("LMS rows without event") == "1 unreadable"
    watch.lms.update_attempt(row, user_id=watch.john)
    assert watch.poll_types() == ["exam_started"]


def test_a_row_that_can_not_be_read_costs_no_other(watch: Watch) -> None:
    watch.insert_attempt(state="started", date=datetime(9998, 1, 1))
    watch.insert_attempt(state="started", percentile=float("nan"))
    watch.insert_attempt(state="started", date=NOON)
    assert [event.timestamp for event in watch.poll()] == [NOON]
    assert watch.health("LMS rows without event") == "2 unreadable"


# ---- what an event holds ----


def test_an_exams_event_holds_what_the_row_says(watch: Watch) -> None:
    attempt = watch.insert_attempt(
        exam_id=watch.exam, state="completed", result="Pass", date=NOON.replace(tzinfo=None), score=85, percentage=84,
        percentile=97.5, speed=12, time_taken="0:45:00", correct_answers_count=17, incorrect_answers_count=2,
        unanswered_count=1, last_answer_updated_time=(NOON + ONE).replace(tzinfo=None),
    )  # fmt: skip
    (event,) = watch.poll()
    assert (event.stream, event.attempt_id) == ("attempts", attempt)
    assert (event.activity_id, event.activity_title) == (watch.exam, "Maths")
    assert (event.student_id, event.student_username) == (watch.john, "john_doe")
    assert (event.mentor_id, event.mentor_username) == (7001, "anna")
    assert event.timestamp == NOON + ONE
    assert utc_now() - event.created_at < timedelta(minutes=1)
    assert event.processed_for_ai is False
    assert event.zulip_user_id is None
    assert list(event.activity_metadata) == EXAM_KEYS
    assert list(event.activity_metadata.values()) == [85, 84, "Pass", "0:45:00", 17, 2, 1, 97.5, 12]


def test_a_contents_event_holds_what_the_row_says(watch: Watch) -> None:
    attempt = watch.lms.start_content(
        watch.john, watch.film, at=NOON, correct_answers_count=3, incorrect_answers_count=1
    )
    watch.lms.complete_content(attempt, at=NOON + ONE, state="Finished")
    (event,) = watch.poll()
    assert (event.stream, event.attempt_id) == ("content_attempts", attempt)
    assert (event.activity_id, event.activity_title) == (watch.film, "Mitosis")
    assert event.timestamp == NOON + ONE
    assert list(event.activity_metadata) == CONTENT_KEYS
    (*values, completed_on) = event.activity_metadata.values()
    assert values == ["Video", "Finished", "Biology", "The Cell", 3, 1]
    assert datetime.fromisoformat(completed_on) == NOON + ONE


@pytest.mark.parametrize("timestamps", ["timestamp", "timestamptz"])
def test_an_event_happened_when_the_row_says(
    new_database: Callable[..., str], tmp_path: Path, timestamps: Any
) -> None:
    url = new_database()
    with School(url, timestamps) as lms:
        lms.create()
        watch = Watch(lms, tmp_path)
        moments = [NOON + number * ONE for number in range(6)]
        watch.insert_attempt(state="started", date=moments[0], last_answer_updated_time=NOON + 9 * ONE)
        watch.insert_attempt(state="ended", date=NOON - ONE, last_answer_updated_time=moments[1])
        watch.insert_attempt(state="ended", date=moments[2])
        watch.insert_content_attempt(state="started", created=moments[3], completed_on=NOON + 9 * ONE)
        watch.insert_content_attempt(state="watched", created=NOON - ONE, completed_on=moments[4])
        watch.insert_content_attempt(state="watched", created=moments[5])
        events = watch.poll()
        assert [event.timestamp for event in events] == moments
        assert all(event.timestamp.utcoffset() == timedelta(0) for event in events)
        watch.close()


def test_times_with_a_zone_are_what_they_are_in_any_session(new_database: Callable[..., str], tmp_path: Path) -> None:
    url = new_database()
    with School(url, "timestamptz") as lms:
        lms.create()
        with lms.transaction() as sql:
            sql.execute(f"ALTER DATABASE {url.rpartition('/')[2]} SET timezone = 'America/St_Johns'")
        watch = Watch(lms, tmp_path)
        watch.insert_attempt(state="ended", date=NOON)
        watch.insert_content_attempt(state="watched", created=NOON, completed_on=NOON + ONE)
        exam, content = watch.poll()
        assert (exam.timestamp, content.timestamp) == (NOON, NOON + ONE)
        assert datetime.fromisoformat(content.activity_metadata["completed_on"]) == NOON + ONE
        watch.close()


def test_a_row_of_nulls_becomes_an_event_without_the_word_none(lms: School, tmp_path: Path) -> None:
    lms.add_student("bare", email=None, created=None, modified=None)
    watch = Watch(lms, tmp_path)
    bare = watch.lms.insert_attempt(user_id=1, state="started")
    done = watch.lms.insert_attempt(user_id=1, state="completed", result="fail")
    content = watch.insert_content_attempt(user_id=1, state="watched", content_type="", completed_on=None)
    events = {event.attempt_id: event for event in watch.poll() if event.event_type != "content_watched"}
    assert set(events) == {bare, done}
    for event in events.values():
        assert (event.activity_id, event.activity_title) == (0, None)
        assert event.mentor_id is None and event.mentor_username is None
        assert utc_now() - event.timestamp < timedelta(minutes=1)
        assert list(event.activity_metadata) == EXAM_KEYS
    for event in watch.events():
        message = watch.app.formatters.long.format_notification_message(event)
        assert "None" not in message
        assert "null" not in message
        assert f"`#{event.event_id}`" in message
    assert watch.events()[-1].attempt_id in (bare, done, content)
    watch.close()


def test_a_title_too_long_for_the_column_is_cut(watch: Watch) -> None:
    watch.lms.start_exam(watch.john, watch.lms.add_exam("Ä" * 600, slug="long"))
    (event,) = watch.poll()
    assert event.activity_title == "Ä" * 499 + "…"


def test_a_student_with_a_display_name_shows_with_it(watch: Watch) -> None:
    jane = watch.lms.add_student("jane_smith", mentors=[watch.anna], display_name="Jane Smith")
    max_ = watch.lms.add_student("max", mentors=[watch.anna], first_name="Max", last_name="Musterfrau")
    for student in (jane, max_):
        watch.lms.start_exam(student, watch.exam)
    messages = [watch.app.formatters.long.format_notification_message(event) for event in watch.poll()]
    assert "**Jane Smith (jane_smith)** has started the exam: **Maths**" in messages[0]
    assert "(max)** has started the exam:" in messages[1]


# ---- who is told ----


@pytest.fixture
def bot(zulip: SandboxZulip) -> SandboxPerson:
    return zulip.add_person("LMS bot", email="lms-bot@zulip.example.com", is_bot=True)


def add_account(zulip: SandboxZulip, name: str, domain: str = "school.example.com") -> SandboxPerson:
    address = f"{name}@{domain}"
    return zulip.add_person(name, email=address, delivery_email=address)


@pytest.fixture
def told(lms: School, zulip: SandboxZulip, bot: SandboxPerson, tmp_path: Path) -> Iterator[Watch]:
    """A watch that tells people in Zulip."""
    add_account(zulip, "anna")
    watch = Watch(lms, tmp_path, Credentials(bot.email, bot.api_key, zulip.site))
    yield watch
    watch.close()


def test_a_content_that_is_an_exam_is_stored_and_the_mentor_hears_of_the_act_once(
    told: Watch, zulip: SandboxZulip, bot: SandboxPerson
) -> None:
    test = told.lms.add_content("The test", "Exam", course=told.course, exam=told.exam)
    attempt = told.lms.start_exam(told.john, told.exam)
    content = told.lms.start_content(told.john, test, assessment_id=attempt)
    assert sorted(told.poll_types()) == ["content_started", "exam_started"]
    get_notifier(told.app).send_all_due()
    told.lms.finish_exam(attempt, "pass")
    told.lms.complete_content(content)
    assert sorted(told.poll_types()) == ["content_completed", "exam_passed"]
    get_notifier(told.app).send_all_due()
    titles = [message.content.split("\n")[0] for message in zulip.messages(sender=bot)]
    assert titles == ["📝 **Student Activity Alert**", "🎉 **Exam Passed!**"]
    stats = told.app.events.get_event_stats()
    assert (stats["total_events"], stats["pending_events"], stats["events_with_notifications"]) == (2, 0, 2)
    assert stats["events_with_errors"] == 0


def test_all_mentors_are_told_and_the_first_by_id_is_on_the_event(
    told: Watch, zulip: SandboxZulip, bot: SandboxPerson
) -> None:
    people = [add_account(zulip, name) for name in ("zara", "bob")]
    told.lms.add_mentor("zara", id=-5, user_id=7005)
    bob = told.lms.add_mentor("bob", user_id=1)
    jane = told.lms.add_student("jane_smith", mentors=[bob, told.anna, "zara"])
    told.lms.start_exam(jane, told.exam)
    (event,) = told.poll()
    get_notifier(told.app).send_all_due()
    assert (event.mentor_id, event.mentor_username) == (7005, "zara")
    recipients = sorted(message.recipient_ids for message in zulip.messages(sender=bot))
    assert len(recipients) == len(set(recipients)) == 3
    assert {(person.user_id,) for person in people} < set(recipients)


def test_two_mentors_who_are_one_person_in_zulip_are_told_once(
    lms: School, zulip: SandboxZulip, bot: SandboxPerson, tmp_path: Path
) -> None:
    add_account(zulip, "anna")
    user_map = tmp_path / "map.csv"
    user_map.write_text("lms_kind,lms_username,zulip_user\nmentor,second,anna@school.example.com\n", encoding="utf-8")
    watch = Watch(lms, tmp_path, Credentials(bot.email, bot.api_key, zulip.site), lms_user_map=str(user_map))
    watch.lms.pair(watch.lms.add_mentor("second"), watch.john)
    watch.lms.start_exam(watch.john, watch.exam)
    watch.poll()
    get_notifier(watch.app).send_all_due()
    assert len(zulip.messages(sender=bot)) == 1
    watch.close()


def test_a_mentor_without_a_platform_id_is_told_and_named(
    told: Watch, zulip: SandboxZulip, bot: SandboxPerson
) -> None:
    add_account(zulip, "bob")
    bob = told.lms.add_mentor("bob", user_id=None)
    told.lms.start_exam(told.lms.add_student("jane_smith", mentors=[bob]), told.exam)
    (event,) = told.poll()
    get_notifier(told.app).send_all_due()
    assert (event.mentor_id, event.mentor_username) == (None, "bob")
    assert len(zulip.messages(sender=bot)) == 1


def test_the_student_who_is_in_zulip_is_on_the_event_but_not_told(
    told: Watch, zulip: SandboxZulip, bot: SandboxPerson
) -> None:
    student = add_account(zulip, "john_doe", "students.example.com")
    told.lms.start_exam(told.john, told.exam)
    (event,) = told.poll()
    get_notifier(told.app).send_all_due()
    assert event.zulip_user_id == student.user_id
    assert zulip.messages(sender=bot, to=student) == []


def test_a_student_without_mentors_is_an_event_with_a_reason_and_told_when_a_mentor_appears(
    told: Watch, zulip: SandboxZulip, bot: SandboxPerson
) -> None:
    lone = told.lms.add_student("lone")
    told.lms.start_exam(lone, told.exam)
    (event,) = told.poll()
    get_notifier(told.app).send_all_due()
    assert "no mentor in the LMS" in told.error(event)
    told.lms.pair(told.anna, lone)
    told.app.users.clear_cache()
    told.app.events.process_pending_events()
    assert len(zulip.messages(sender=bot)) == 1
    with told.app.store.session():
        log = LMSEventLog.get_by_id(event.event_id)
        assert (log.error_message, log.notification_sent) == (None, True)
        assert [one.state for one in Delivery.select()] == ["sent"]


def test_while_zulips_list_of_people_is_slow_the_last_one_serves(told: Watch, zulip: SandboxZulip) -> None:
    told.lms.start_exam(told.john, told.exam)
    told.poll()
    told.app.users.clear_cache()
    zulip.faults.add(Fault("slow_before", method="GET", path="users", seconds=60))
    told.lms.start_exam(told.john, told.lms.add_exam("Physics"))
    began = monotonic()
    (event,) = told.poll()
    assert monotonic() - began < 30
    get_notifier(told.app).send_all_due()
    assert told.error(event) == ""


def test_who_was_not_found_since_zulip_was_away_from_the_start_is_told_soon_after_it_is_back(
    told: Watch, zulip: SandboxZulip, bot: SandboxPerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("running", "people.matching"):
        monkeypatch.setattr(f"lms_bot.{module}.ZULIP_AWAY_SECONDS", 0.05)
    zulip.faults.add(Fault("error_before", method="GET", path="users", times=None))
    told.lms.start_exam(told.john, told.exam)
    (event,) = told.poll()
    assert "could not be read yet" in told.error(event)
    told.app.start()
    try:
        wait_until(lambda: sum(one.path.endswith("/users") for one in zulip.requests) > 2, "it is asked again")
        zulip.faults.clear()
        wait_until(lambda: zulip.messages(sender=bot), "anna is told", 5)
    finally:
        told.app.stop()
    assert told.error(event) == ""


def test_an_address_that_two_people_share_matches_nobody_and_says_so(
    told: Watch, zulip: SandboxZulip, bot: SandboxPerson
) -> None:
    told.lms.add_mentor("anna_too", email="ANNA@school.example.com")
    told.lms.start_exam(told.john, told.exam)
    (event,) = told.poll()
    get_notifier(told.app).send_all_due()
    assert zulip.messages(sender=bot) == []
    assert "shares the e-mail address" in told.error(event)
    reasons = {one.mentor.username: one.reason for one in told.app.users.get_unmapped_mentors()}
    assert set(reasons) == {"anna", "anna_too"}


def test_a_hostile_title_is_shown_as_text(told: Watch, zulip: SandboxZulip, bot: SandboxPerson) -> None:
    title = "@**all** [x](http://evil.example.com) `#1`\n```quote\n| a |"
    told.lms.start_exam(told.john, told.lms.add_exam(title, slug="hostile"))
    told.poll()
    get_notifier(told.app).send_all_due()
    (message,) = zulip.messages(sender=bot)
    news = message.content.partition(WELCOME)[0]
    assert "@**" not in news
    assert "](" not in news
    assert "```" not in news
    assert news.count("\n") == 4


def test_rows_of_the_lms_are_never_locked_or_changed(watch: Watch, postgres: EmbeddedPostgres) -> None:
    """A writer that holds everything locked does not keep the bot from reading, nor the other way round."""
    attempt = watch.lms.start_exam(watch.john, watch.exam)
    with watch.lms.transaction() as sql:
        sql.execute("SELECT * FROM attempts FOR UPDATE")
        assert watch.poll_types() == ["exam_started"]
        sql.execute("UPDATE attempts SET state = 'ended', result = 'pass' WHERE id = %s", (attempt,))
        assert watch.poll_types() == []
    assert watch.poll_types() == ["exam_passed"]
