"""What a mentor finds in the morning: real store, real texts, people as plain values."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from lms_bot.core.activities import ActivityType
from lms_bot.core.clock import UTC
from lms_bot.insight.concerns.tellings import mark_concerns_seen
from lms_bot.insight.school_calendar import SchoolCalendar
from lms_bot.notify.digest_message import MAX_DIGEST_LENGTH
from lms_bot.notify.digests import DigestParts, DigestWriter
from lms_bot.outbox.outbox import Outbox
from lms_bot.settings.checks import WEEKDAYS
from lms_bot.store.concerns import Concern, ConcernKind, ConcernTelling, PersonNews, Snooze
from lms_bot.store.database import open_store
from lms_bot.store.deliveries import Deliveries
from lms_bot.store.messages import Message, MessageState
from tests.worlds.chat_world import ARJUN, BOTH, JANE, JOHN, JOSE, MARIA, NOW, SOFIA, ZOE, World, make_student

if TYPE_CHECKING:
    from lms_bot.people.users import UserMapper

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MORNING = datetime(2026, 3, 18, 7, 30, tzinfo=UTC)  # of a Wednesday; NOW is its noon
FAILED, PASSED, STARTED = ActivityType.EXAM_FAILED, ActivityType.EXAM_PASSED, ActivityType.EXAM_STARTED
WATCHED = ActivityType.CONTENT_WATCHED


class Office:
    """Maria, Arjun and Sofia, who supervises them, are written their digests."""

    def __init__(self, world: World, *, welcomed: bool = True) -> None:
        self.world, self.store = world, world.store
        self.calendar = SchoolCalendar(frozenset(WEEKDAYS[:5]), UTC, (), world.store)
        self.is_ready = True
        self.writer = self.make_writer()
        if welcomed:
            with self.store.transaction():
                for person in (MARIA, ARJUN, SOFIA):
                    PersonNews.create(zulip_user_id=person, welcomed_at=NOW - 90 * DAY)

    def make_writer(self) -> DigestWriter:
        """Another process's, say."""
        people = self.world.people
        return DigestWriter(
            DigestParts(
                store=self.store,
                outbox=Outbox(self.store, Deliveries(self.store)),
                preferences=self.world.context.preferences,
                users=cast("UserMapper", people),
                calendar=self.calendar,
                get_zone=lambda _: UTC,
                is_ready=lambda: self.is_ready,
                escalate_days=3,
            )
        )

    def write(self, now: datetime = MORNING) -> dict[int, str]:
        """The digests written at that moment, by person."""
        with self.store.session():
            before = {one.message_id for one in Message.select()}
        self.writer.step(now)
        with self.store.session():
            fresh = [one for one in Message.select() if one.message_id not in before]
        assert len({one.zulip_user_id for one in fresh}) == len(fresh)
        return {one.zulip_user_id: one.content for one in fresh}

    def open(self, student: Any, kind: ConcernKind, facts: dict[str, Any] | None = None, **columns: Any) -> Concern:
        since = columns.pop("since_at", MORNING - 8 * DAY)
        given = {"facts": facts or FACTS[kind], "opened_at": MORNING - HOUR, "changed_at": MORNING - HOUR, **columns}
        with self.store.transaction():
            concern: Concern = Concern.create(student_id=student.student_id, kind=kind, since_at=since, **given)
        return concern

    def told(self, person: int) -> list[tuple[int, int]]:
        """Which concerns, and the how manieth time, they were told."""
        with self.store.session():
            query = ConcernTelling.select().where(ConcernTelling.zulip_user_id == person)
            return sorted((one.concern_id, one.number) for one in query if one.message is not None)

    def happen(self, student: Any, kind: ActivityType, at: datetime, **columns: Any) -> None:
        self.world.add_event(student, kind, ago=NOW - at, **columns)


FACTS: dict[ConcernKind, dict[str, Any]] = {
    ConcernKind.FAILING: {
        "in_row": 3, "exams": ["Algebra", "Physics", "Latin"], "percentages": [40, 35, None], "of_exam": 1,
    },
    ConcernKind.FALLING: {"recent": 58.2, "before": 77.0},
    ConcernKind.SILENT: {"last_at": "2026-03-06T10:00:00+00:00", "school_days": 7},
    ConcernKind.LEFT_OPEN: {"exams": [["Algebra", "2026-03-16T10:00:00+00:00"]], "count": 1},
    ConcernKind.RUSHING: {"day": "2026-03-17", "count": 12},
    ConcernKind.NEVER_STARTED: {"since": "2026-03-06", "school_days": 7},
}  # fmt: skip


@pytest.fixture
def office(store_url: str) -> Iterator[Office]:
    store = open_store(store_url)
    yield Office(World(store))
    store.close_thread()


@pytest.fixture
def small_office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('office') / 'store.db'}")
    yield Office(World(store))
    store.close_thread()


def test_who_needs_the_mentor_comes_first_then_failures_good_news_and_sums(office: Office) -> None:
    office.open(JOHN, ConcernKind.FAILING)
    office.open(JANE, ConcernKind.SILENT)
    yesterday = MORNING - 12 * HOUR
    office.happen(JOHN, FAILED, yesterday, activity_title="Latin", activity_metadata={"percentage": 40})
    office.happen(JOSE, PASSED, yesterday, activity_title="Latin", activity_metadata={"percentage": 90})
    office.happen(JOSE, WATCHED, yesterday)

    text = office.write()[MARIA]

    assert text.splitlines() == [
        "☀️ **Digest** · 2 students need you",
        "⚡ **John Doe** failed 3 exams in a row: Algebra 40 %, Physics 35 %, Latin · since Tue 10 Mar",
        "💤 **Jane Smith** did nothing for 7 school days · since Tue 10 Mar",
        "",
        "❌ **1 failed:** John Doe (Latin)",
        "",
        "📊 1 exam passed, 1 content done by 2 of 3 students.",
        "",
        "`needs` · `failed yesterday` · `settings`",
    ]


def test_a_concern_is_told_once_and_again_when_it_worsens(office: Office) -> None:
    concern = office.open(JANE, ConcernKind.SILENT)
    assert "did nothing" in office.write()[MARIA]
    assert office.told(MARIA) == [(concern.concern_id, 0)] and office.told(ARJUN) == []

    assert office.write(MORNING + HOUR) == {}
    assert office.write(MORNING + DAY) == {}  # nothing to say, nothing sent

    with office.store.transaction():
        Concern.update(number=1).where(Concern.concern_id == concern.concern_id).execute()
    assert "did nothing" in office.write(MORNING + 2 * DAY)[MARIA]
    assert office.told(MARIA) == [(concern.concern_id, 0), (concern.concern_id, 1)]


def test_what_a_message_that_was_given_up_said_is_told_again(office: Office) -> None:
    office.open(JANE, ConcernKind.SILENT)
    office.write()
    with office.store.transaction():
        Message.update(state=MessageState.DEAD).execute()
    assert "Jane Smith" in office.write(MORNING + DAY)[MARIA]


def test_nobody_hears_of_students_of_others(small_office: Office) -> None:
    small_office.open(ZOE, ConcernKind.SILENT)
    small_office.happen(ZOE, FAILED, MORNING - 3 * HOUR)
    digests = small_office.write()
    assert list(digests) == [ARJUN, BOTH] and all("Zoë" in text for text in digests.values())


def test_fifteen_rows_at_most_and_what_was_so_before_the_bot_is_a_number(small_office: Office) -> None:
    pupils = tuple(make_student(100 + number, f"pupil{number}", "Pupil", f"Number {number}") for number in range(60))
    small_office.world.people.students_of[1] = pupils
    old = [small_office.open(one, ConcernKind.LEFT_OPEN, is_old=True) for one in pupils[:40]]
    text = small_office.write()[MARIA]
    assert text.count("📝") == 15 and "… and 25 more: `needs`" in text and len(text) <= MAX_DIGEST_LENGTH
    assert len(small_office.told(MARIA)) == len(old)

    fresh = [small_office.open(one, ConcernKind.LEFT_OPEN) for one in pupils[40:]]
    text = small_office.write(MORNING + DAY)[MARIA]
    assert text.count("📝") == 15 and "… and 5 more, 40 told before: `needs`" in text
    assert small_office.write(MORNING + 2 * DAY)[MARIA].count("📝") == 5
    assert len(small_office.told(MARIA)) == len(old) + len(fresh)


def test_where_most_are_silent_it_is_one_line_said_once(small_office: Office) -> None:
    concerns = [small_office.open(one, ConcernKind.SILENT) for one in (JOHN, JANE, JOSE)]
    text = small_office.write()[MARIA]
    assert "💤 quiet everywhere: 3 of 3 students are silent. Holidays?" in text and "did nothing" not in text
    assert small_office.told(MARIA) == []
    assert MARIA not in small_office.write(MORNING + DAY)

    with small_office.store.transaction():
        Concern.update(cleared_at=MORNING + DAY, cleared_facts={"school_days": 9}).where(
            Concern.student_id.in_([JOHN.student_id, JANE.student_id])
        ).execute()
    text = small_office.write(MORNING + 2 * DAY)[MARIA]
    assert "José García** did nothing" in text and "Jane Smith is back after 9 school days" in text
    assert small_office.told(MARIA) == [(concerns[2].concern_id, 0)]


def test_an_urgent_concern_nobody_sees_to_goes_to_the_supervisor_once(office: Office) -> None:
    concern = office.open(JOHN, ConcernKind.FAILING)
    days = [MORNING, MORNING + DAY, MORNING + 2 * DAY, MORNING + 5 * DAY, MORNING + 6 * DAY, MORNING + 7 * DAY]
    told = [office.write(day) for day in days]
    assert [SOFIA in each for each in told] == [False, False, False, False, True, False]  # a weekend is between
    assert "🧭 **Nobody has seen to:**\n⚡ **John Doe** failed 3 exams in a row" in told[4][SOFIA]

    with office.store.transaction():
        Concern.update(number=1, changed_at=days[5]).where(Concern.concern_id == concern.concern_id).execute()
    office.write(days[5] + DAY)
    with office.store.transaction():
        mark_concerns_seen([concern.concern_id], ARJUN, days[5] + 2 * DAY)
    assert all(SOFIA not in office.write(days[5] + number * DAY) for number in range(2, 12))


def test_put_off_muted_and_seen_to_are_not_told(small_office: Office) -> None:
    seen = small_office.open(JOSE, ConcernKind.SILENT)
    small_office.open(JANE, ConcernKind.LEFT_OPEN)
    small_office.open(JOHN, ConcernKind.LEFT_OPEN)
    with small_office.store.transaction():
        Snooze.create(student_id=JANE.student_id, until=MORNING + DAY - HOUR, zulip_user_id=ARJUN, reason="ill")
        mark_concerns_seen([seen.concern_id], MARIA, MORNING)
    small_office.world.context.preferences.change(MARIA, mutes={str(JOHN.student_id): (MORNING + DAY).isoformat()})
    assert MARIA not in small_office.write()
    assert "Jane Smith" in small_office.write(MORNING + DAY)[MARIA]


def test_two_processes_write_a_digest_once_and_none_before_the_record_is_complete(office: Office) -> None:
    office.open(JANE, ConcernKind.SILENT)
    office.is_ready = False
    assert office.write() == {}
    office.is_ready = True
    other = office.make_writer()
    assert list(office.write()) == [MARIA]
    assert other.step(MORNING + HOUR) == 0


def test_the_first_digest_explains_itself(tmp_path_factory: pytest.TempPathFactory) -> None:
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('office') / 'store.db'}")
    office = Office(World(store), welcomed=False)
    office.open(JANE, ConcernKind.SILENT)
    assert "You get `calm`" in office.write()[MARIA]
    office.open(JOHN, ConcernKind.LEFT_OPEN)
    assert "You get" not in office.write(MORNING + DAY)[MARIA]
    store.close_thread()


def test_the_first_digest_is_no_longer_than_any_other(tmp_path_factory: pytest.TempPathFactory) -> None:
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('office') / 'store.db'}")
    office = Office(World(store), welcomed=False)
    pupils = tuple(
        make_student(100 + number, f"pupil{number}", "Pupil", f"Number {number} " * 4) for number in range(30)
    )
    office.world.people.students_of[1] = pupils
    for one in pupils:
        office.open(one, ConcernKind.LEFT_OPEN)
    text = office.write()[MARIA]
    assert "You get `calm`" in text and len(text) <= MAX_DIGEST_LENGTH
    assert 0 < text.count("📝") == len(office.told(MARIA))
    store.close_thread()


def test_hostile_names_and_titles_stay_short_and_inert(small_office: Office) -> None:
    title = "@**all** [x](https://evil.example) | `" * 12
    for number in range(30):
        small_office.happen(JOHN, FAILED, MORNING - timedelta(minutes=number + 1), activity_title=f"{title}{number}")
    small_office.open(JOHN, ConcernKind.LEFT_OPEN, {"exams": [[title, "2026-03-16T10:00:00+00:00"]] * 3, "count": 9})
    text = small_office.write()[MARIA]
    assert len(text) <= MAX_DIGEST_LENGTH and "@**" not in text and "](" not in text


def test_what_long_titles_leave_no_room_for_is_told_by_the_next(small_office: Office) -> None:
    pupils = tuple(make_student(100 + number, f"pupil{number}", "P" * 40, f"{number} " * 9) for number in range(15))
    small_office.world.people.students_of[1] = pupils
    facts = {"exams": [["x" * 60, "2026-03-16T10:00:00+00:00"]] * 3, "count": 3}
    for one in pupils:
        small_office.open(one, ConcernKind.LEFT_OPEN, facts)
    shown = small_office.write()[MARIA].count("📝")
    assert 0 < shown < len(pupils) and len(small_office.told(MARIA)) == shown
    for day in range(1, 3):
        small_office.write(MORNING + day * DAY)
    assert len(small_office.told(MARIA)) > shown
