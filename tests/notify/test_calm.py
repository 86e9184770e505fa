"""A mentor who chose nothing: what interrupts, what does not, and that a concern is told with what made it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lms_bot.app import build_app
from lms_bot.core.activities import Activity, ActivityType
from lms_bot.core.clock import UTC
from lms_bot.insight.concerns.watcher import ConcernWatch
from lms_bot.notify.composer import Composer
from lms_bot.settings.settings import Settings
from lms_bot.store.attempts import AttemptBook
from lms_bot.store.concerns import Concern, ConcernTelling, PersonNews
from lms_bot.store.messages import Delivery, DeliveryState, Lane, Message, MessageState
from lms_bot.store.models import Cursor, LMSActivityEvent
from lms_bot.zulip.gateway import ZulipUser

if TYPE_CHECKING:
    from lms_bot.people.users import UserMapper

NOON = datetime(2026, 3, 18, 12, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ANNA, BOB = 1, 2
JOHN, JANE = 11, 12
FAILED, PASSED, STARTED = ActivityType.EXAM_FAILED, ActivityType.EXAM_PASSED, ActivityType.EXAM_STARTED
WATCHED = ActivityType.CONTENT_WATCHED


class Mentors:
    """Whose students are whose, as `UserMapper` says it."""

    def __init__(self) -> None:
        self.of_student = {JOHN: [ANNA, BOB], JANE: [ANNA]}

    def get_zulip_user(self, user_id: int) -> ZulipUser:
        return ZulipUser(user_id, f"user {user_id}", "", None, 400, False, True, "")

    def get_notification_recipients(self, student_id: int) -> list[int]:
        return self.of_student.get(student_id, [])

    def prefetch(self, student_ids: Any) -> None: ...
    def remember_recipients(self, student_id: int, recipients: Any) -> None: ...

    def get_remembered_recipients(self, student_id: int) -> None:
        return None

    def get_missing_recipients(self, student_id: int) -> list[Any]:
        return []

    def get_mentor_for_student(self, student_id: int) -> None:
        return None

    def get_zulip_user_for_student(self, student_id: int) -> None:
        return None

    def get_enrolled(self) -> dict[int, None]:
        return dict.fromkeys(self.of_student)


class Desk:
    """Anna and Bob are owed what happens; the LMS was looked through before the bot began."""

    def __init__(self, store_url: str, **given: Any) -> None:
        self.app = build_app(Settings(**{"lms_bot_store": store_url, **given}))
        self.store = self.app.store
        self.mentors = Mentors()
        self.composer = self.open()
        with self.store.transaction():
            Cursor.create(stream="attempts", position={"baseline_at": None})
            for person in (ANNA, BOB):
                PersonNews.create(zulip_user_id=person, welcomed_at=NOON - DAY)
        while self.composer.parts.concerns.step(NOON - DAY):
            pass
        self.rows = 0

    def open(self) -> Composer:
        """As a process has it that has just started."""
        users, parts = cast("UserMapper", self.mentors), self.app.composer.parts
        thresholds = parts.concerns.thresholds
        watch = ConcernWatch(self.store, users, self.app.calendar, thresholds)
        return Composer(replace(parts, users=users, concerns=watch))

    def happen(
        self,
        kind: ActivityType,
        at: datetime,
        student: int = JOHN,
        exam: int = 1,
        percentage: float | None = None,
        row: int | None = None,
    ) -> int:
        """An attempt, a new one unless it is said which, is recorded with its event, as the monitor does."""
        self.rows += row is None
        number = row or self.rows
        activity = Activity(
            stream="attempts",
            row_key=str(number),
            event_type=kind,
            student_id=student,
            student_username=f"student_{student}",
            student_display_name={JOHN: "John Doe", JANE: "Jane Smith"}[student],
            activity_id=exam,
            activity_title=f"Exam {exam}",
            activity_metadata={"percentage": percentage},
            happened_at=at,
            attempt_id=number,
        )
        with self.store.transaction():
            AttemptBook(self.store.database).follow("attempts", [activity], at)
            event = LMSActivityEvent.create(
                event_type=kind.value,
                student_id=student,
                student_username=activity.student_username,
                student_display_name=activity.student_display_name,
                activity_id=exam,
                activity_title=activity.activity_title,
                activity_metadata=dict(activity.activity_metadata),
                timestamp=at,
                created_at=at,
                source_key=activity.source_key,
                stream="attempts",
                attempt_id=number,
                has_deliveries=True,
            )
            for person in self.mentors.of_student[student]:
                Delivery.create(event=event, recipient=f"zulip:{person}", zulip_user_id=person, created_at=at)
        return int(event.event_id)

    def tell(self, now: datetime, person: int = ANNA) -> list[str]:
        """What this person is written now; all that is written is sent."""
        with self.store.session():
            before = {one.message_id for one in Message.select()}
        self.composer.write_messages(now)
        with self.store.session():
            fresh = [one for one in Message.select().order_by(Message.message_id) if one.message_id not in before]
            Message.update(state=MessageState.SENT).where(Message.state == MessageState.READY).execute()
        return [one.content for one in fresh if one.zulip_user_id == person]

    def live(self, start: datetime, minutes: int) -> list[datetime]:
        """When Anna gets a message, looked for each minute."""
        moments = (start + number * MINUTE for number in range(minutes))
        return [now for now in moments for _ in self.tell(now)]

    def told_concerns(self) -> list[tuple[int, int]]:
        with self.store.session():
            query = ConcernTelling.select().where(ConcernTelling.message.is_null(False))
            return sorted((one.zulip_user_id, one.number) for one in query)


@pytest.fixture
def desk(store_url: str) -> Iterator[Desk]:
    desk = Desk(store_url)
    yield desk
    desk.store.close_thread()


@pytest.fixture
def small_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    desk = Desk(f"sqlite:///{tmp_path_factory.mktemp('calm') / 'store.db'}")
    yield desk
    desk.store.close_thread()


def test_starts_and_lessons_interrupt_nobody_and_are_settled(desk: Desk) -> None:
    started, watched = desk.happen(STARTED, NOON), desk.happen(WATCHED, NOON)
    assert desk.tell(NOON) == [] and desk.tell(NOON + DAY) == []
    with desk.store.session():
        assert {str(one.state) for one in Delivery.select()} == {DeliveryState.SUMMED.value}
        assert all(LMSActivityEvent.get_by_id(one).is_settled for one in (started, watched))


def test_a_failure_comes_at_once_and_what_follows_within_a_quarter_of_an_hour(desk: Desk) -> None:
    desk.happen(FAILED, NOON, percentage=40)
    (first,) = desk.tell(NOON)
    assert first.startswith("❌ **John Doe** failed **Exam 1**") and "40 %" in first
    for minute in range(1, 10):
        desk.happen(FAILED, NOON + minute * MINUTE, student=JANE, exam=2)
    assert desk.live(NOON + MINUTE, 60) == [NOON + 15 * MINUTE]


def test_results_come_once_an_hour_and_a_recovery_at_once(small_desk: Desk) -> None:
    desk = small_desk
    desk.happen(FAILED, NOON - DAY, exam=1, percentage=40)
    assert len(desk.tell(NOON - DAY)) == 1
    desk.happen(PASSED, NOON, student=JANE, exam=2)
    assert len(desk.tell(NOON)) == 1
    desk.happen(PASSED, NOON + MINUTE, student=JANE, exam=3)
    assert desk.tell(NOON + MINUTE) == []
    desk.happen(PASSED, NOON + 2 * MINUTE, exam=1, percentage=85)
    (recovery,) = desk.tell(NOON + 2 * MINUTE)
    assert "John Doe" in recovery and "Exam 3" in recovery and "recovered" in recovery
    desk.happen(PASSED, NOON + 3 * MINUTE, student=JANE, exam=4)
    assert desk.live(NOON + 3 * MINUTE, 120) == [NOON + 62 * MINUTE]


def test_the_third_failure_in_a_row_is_told_as_such_and_once(desk: Desk) -> None:
    for number in range(3):
        desk.happen(FAILED, NOON + number * HOUR, exam=number)
        told = desk.tell(NOON + number * HOUR)
        assert len(told) == 1 and ("3rd" in told[0]) == (number == 2)
    assert desk.told_concerns() == [(ANNA, 0), (BOB, 0)]
    assert desk.live(NOON + 3 * HOUR, 120) == []


def test_a_concern_that_no_failure_tells_comes_by_itself(small_desk: Desk) -> None:
    desk = small_desk
    desk.app.preferences.change(ANNA, notify={FAILED.value: "off"})
    for number in range(3):
        desk.happen(FAILED, NOON + number * HOUR, exam=number)
    (told,) = desk.tell(NOON + 3 * HOUR)
    assert told.startswith("⚡ **John Doe** failed 3 exams in a row")
    with desk.store.session():
        message = Message.select().where(Message.zulip_user_id == ANNA).get()
    assert message.lane == Lane.URGENT
    assert desk.live(NOON + 4 * HOUR, 60) == []


def test_however_long_the_concerns_are_each_that_is_told_is_read(small_desk: Desk) -> None:
    desk = small_desk
    title = "[x](" * 60  # grows when it is disarmed
    facts = {"in_row": 3, "of_exam": 0, "exam": None, "exams": [title] * 3, "percentages": [1, 2, 3]}
    with desk.store.transaction():
        for student in range(100, 160):
            desk.mentors.of_student[student] = [ANNA]
            at = {"opened_at": NOON, "since_at": NOON, "changed_at": NOON}
            Concern.create(student_id=student, kind="failing", facts=facts, is_owed=True, **at)
    told = [text for minute in range(40) for text in desk.tell(NOON + minute * MINUTE)]
    assert all(len(text) <= 10_000 for text in told)
    assert sum(text.count("⚡") for text in told) == len(desk.told_concerns()) == 60


def test_who_may_not_see_the_student_any_more_hears_of_no_concern(small_desk: Desk) -> None:
    desk = small_desk
    desk.app.preferences.change(ANNA, notify={FAILED.value: "off"}, quiet=("11:00", "14:00"), failed_pass=False)
    for number in range(3):
        desk.happen(FAILED, NOON + number * MINUTE, exam=number)
    assert desk.tell(NOON + HOUR) == []
    desk.mentors.of_student[JOHN] = [BOB]
    assert desk.tell(NOON + 3 * HOUR) == []
    with desk.store.session():
        assert not ConcernTelling.select().where(ConcernTelling.zulip_user_id == ANNA).exists()


def test_who_passed_meanwhile_is_no_concern(small_desk: Desk) -> None:
    desk = small_desk
    desk.app.preferences.change(
        ANNA, notify={FAILED.value: "off", PASSED.value: "off"}, muted_until=(NOON + DAY).isoformat()
    )
    for number in range(3):
        desk.happen(FAILED, NOON + number * MINUTE, exam=number)
    assert desk.tell(NOON + HOUR) == []
    desk.happen(PASSED, NOON + 2 * HOUR, exam=9)
    assert desk.live(NOON + DAY, 30) == []
    with desk.store.session():
        assert Concern.get().cleared_at is not None


def test_an_off_person_hears_of_nothing(small_desk: Desk) -> None:
    desk = small_desk
    desk.app.preferences.change(ANNA, level="off")
    for number in range(3):
        desk.happen(FAILED, NOON + number * MINUTE, exam=number)
    assert desk.live(NOON + HOUR, 30) == []


def test_one_student_may_be_told_everything_of(small_desk: Desk) -> None:
    desk = small_desk
    desk.app.preferences.change(ANNA, students={str(JANE): "everything"})
    desk.happen(STARTED, NOON)
    desk.happen(STARTED, NOON, student=JANE)
    (told,) = desk.tell(NOON)
    assert "Jane Smith" in told and "John" not in told


NEWS = st.lists(
    st.tuples(st.sampled_from([FAILED, FAILED, PASSED, STARTED]), st.integers(1, 3), st.integers(0, 50)),
    min_size=1,
    max_size=14,
)


@settings(max_examples=15, deadline=None)
@given(NEWS, st.sets(st.integers(0, 13)))
def test_each_concern_is_told_once_to_each_and_each_failure_once(
    tmp_path_factory: pytest.TempPathFactory, news: list[tuple[ActivityType, int, int]], restarts: set[int]
) -> None:
    """Whatever comes, in whatever distance, whoever restarts in between."""
    path: Path = tmp_path_factory.mktemp("calm") / "store.db"
    desk = Desk(f"sqlite:///{path}")
    now, failures = NOON, []
    for number, (kind, exam, wait) in enumerate(news):
        now += wait * MINUTE
        event_id = desk.happen(kind, now, exam=exam)
        failures += [event_id] if kind is FAILED else []
        if number in restarts:
            desk.composer = desk.open()
        if wait % 2:
            desk.tell(now)
    for _ in range(3):
        now += HOUR
        desk.tell(now)
    with desk.store.session():
        sent = {
            one.event_id
            for one in Delivery.select().where(Delivery.message.is_null(False), Delivery.zulip_user_id == ANNA)
        }
        texts = [one.content for one in Message.select().where(Message.zulip_user_id == ANNA)]
        concerns = list(Concern.select())
        told = [
            (one.concern_id, one.number)
            for one in ConcernTelling.select().where(
                ConcernTelling.zulip_user_id == ANNA, ConcernTelling.message.is_null(False)
            )
        ]
    assert sent >= set(failures)
    assert all(sum(f"`#{one}`" in text for text in texts) == 1 for one in failures)
    assert len(told) == len(set(told))
    still_open = {(one.concern_id, one.number) for one in concerns if one.cleared_at is None}
    assert still_open <= set(told)
    desk.store.close_thread()


def test_a_start_that_comes_after_its_end_was_told_is_no_news(small_desk: Desk) -> None:
    desk = small_desk
    desk.app.preferences.change(ANNA, level="everything", notify={STARTED.value: "daily"})
    desk.happen(STARTED, NOON)
    row = desk.rows
    assert desk.tell(NOON) == []
    desk.happen(FAILED, NOON + HOUR, row=row)
    assert len(desk.tell(NOON + HOUR)) == 1
    assert desk.live(NOON + 5 * HOUR, 120) == []
    desk.happen(STARTED, NOON + DAY)
    assert len(desk.live(NOON + DAY, 8 * 60)) == 1
