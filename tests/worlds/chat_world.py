"""A small world to ask the bot about: real store, real settings, and people as plain values.

The people stand in for Zulip's and the LMS's answers, at the border where `UserMapper` gives them.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING, Any, cast

from lms_bot.chat import Reply, respond
from lms_bot.chat.language.question import Context
from lms_bot.core.activities import ActivityType
from lms_bot.core.clock import UTC, find_zone
from lms_bot.core.markdown import NO_BREAK
from lms_bot.insight.school_calendar import SchoolCalendar
from lms_bot.lms.people import Mentor, Student
from lms_bot.notify.brief import BriefFormatter
from lms_bot.notify.digests import DigestParts, DigestWriter
from lms_bot.notify.events import LMSActivityEventHandler, RetryOutcome
from lms_bot.notify.formatter import MessageFormatter
from lms_bot.notify.formatters import Formatters
from lms_bot.notify.preference_book import PreferenceBook
from lms_bot.notify.preferences import Preferences
from lms_bot.operation.health import Check
from lms_bot.outbox.outbox import Outbox
from lms_bot.people.access import Access
from lms_bot.people.rosters import Roster
from lms_bot.people.users import UnmappedMentor, UserMapper
from lms_bot.settings.checks import WEEKDAYS
from lms_bot.store.attempts import AttemptBook
from lms_bot.store.conversation import AuditEntry
from lms_bot.store.counters import Counters
from lms_bot.store.database import Store, open_store
from lms_bot.store.deliveries import Deliveries
from lms_bot.store.messages import Delivery, Message
from lms_bot.store.models import LMSActivityEvent, LMSEventLog
from lms_bot.zulip.gateway import ZulipUser
from tests.worlds.followed import create_event, follow_event
from tests.worlds.zulip_rules import MOST_COLUMNS, count_columns

if TYPE_CHECKING:
    from lms_bot.core.errors import LMSBotError

NOW = datetime(2026, 3, 18, 12, 0, tzinfo=timezone.utc)  # a Wednesday

MARIA, ARJUN, ADMIN, BOSS, HEAD, BOTH = 1, 2, 3, 4, 5, 6
PUPIL, GUEST, BOT, GONE, SOFIA, NOBODY = 7, 8, 9, 10, 11, 99


def make_user(user_id: int, name: str, **changes: Any) -> ZulipUser:
    values: dict[str, Any] = {
        "full_name": name,
        "email": f"user{user_id}@zulip.example.com",
        "delivery_email": f"{name.lower()}@school.example.com",
        "role": 400,
        "is_bot": False,
        "is_active": True,
        "timezone": "",
    }
    return ZulipUser(user_id=user_id, **values | changes)


def make_student(student_id: int, username: str, first_name: str = "", last_name: str = "") -> Student:
    return Student(
        student_id=student_id,
        username=username,
        email=None,
        display_name=f"{first_name} {last_name}".strip() or None,
        first_name=first_name or None,
        last_name=last_name or None,
    )


def make_mentor(key: int, username: str) -> Mentor:
    return Mentor(key=key, mentor_id=9000 + key, username=username, email=None, name=username.title())


JOHN = make_student(11, "john_doe", "John", "Doe")
JANE = make_student(12, "jane_smith", "Jane", "Smith")
JOSE = make_student(13, "jgarcia", "José", "García")
ZOE = make_student(14, "zoe_m", "Zoë", "Müller")
AMA = make_student(15, "ama_o", "Ama", "Owusu")

PEOPLE = (
    make_user(MARIA, "Maria"),
    make_user(ARJUN, "Arjun"),
    make_user(ADMIN, "Ada", role=200),
    make_user(BOSS, "Boris"),
    make_user(HEAD, "Helena"),
    make_user(BOTH, "Bo", role=100),
    make_user(PUPIL, "John"),
    make_user(GUEST, "Gus", role=600),
    make_user(BOT, "Robot", is_bot=True, role=200),
    make_user(GONE, "Gone", is_active=False, role=200),
    make_user(SOFIA, "Sofia"),
)
MENTOR_OF = {
    MARIA: make_mentor(1, "maria.santos"),
    ARJUN: make_mentor(2, "arjun.nair"),
    BOTH: make_mentor(3, "bo"),
    GUEST: make_mentor(4, "gus"),
    GONE: make_mentor(5, "gone"),
    SOFIA: make_mentor(6, "sofia.lind"),
}
STUDENTS_OF = {1: (JOHN, JANE, JOSE), 2: (JOHN, ZOE), 3: (ZOE,), 4: (JOHN,), 5: (JOHN,), 6: (AMA,)}
BELOW = {6: (1, 2)}
"""Which mentors, by key, a mentor supervises."""


@dataclass
class People:
    """Who is who, as UserMapper tells it. `lms_trouble` is raised where the LMS would have to be asked."""

    students_of: dict[int, tuple[Student, ...]] = field(default_factory=lambda: dict(STUDENTS_OF))
    zulip_users: dict[int, ZulipUser] = field(default_factory=lambda: {one.user_id: one for one in PEOPLE})
    is_student: dict[int, Student] = field(default_factory=lambda: {PUPIL: JOHN})
    is_stale: bool = False
    lms_trouble: LMSBotError | None = None
    students_trouble: LMSBotError | None = None

    def get_zulip_user(self, user_id: int) -> ZulipUser | None:
        return self.zulip_users.get(user_id)

    def get_mentors_for_zulip_user(self, user: ZulipUser) -> list[Mentor]:
        self._ask_lms()
        return [MENTOR_OF[user.user_id]] if user.user_id in MENTOR_OF else []

    def get_roster(self, mentors: Sequence[Mentor]) -> Roster:
        if self.students_trouble is not None:
            raise self.students_trouble
        own = {one.student_id: one for mentor in mentors for one in self.students_of[mentor.key]}
        below = {
            one.student_id: one for mentor in self.get_mentors_below(mentors) for one in self.students_of[mentor.key]
        }
        only_below = frozenset(below).difference(own)
        return Roster({**own, **below}, only_below, NOW - timedelta(hours=1), self.is_stale)

    def get_mentors_below(self, mentors: Sequence[Mentor]) -> list[Mentor]:
        keys = {key for mentor in mentors for key in BELOW.get(mentor.key, ())}
        return [mentor for mentor in MENTOR_OF.values() if mentor.key in keys]

    def get_mentors(self) -> list[Mentor]:
        self._ask_lms()
        return list(MENTOR_OF.values())

    def get_enrolled(self) -> dict[int, datetime | None]:
        self._ask_lms()
        return {one.student_id: None for some in self.students_of.values() for one in some}

    def get_mentors_in_zulip(self) -> dict[int, list[Mentor]]:
        return {user_id: [mentor] for user_id, mentor in MENTOR_OF.items()}

    def get_student_for_zulip_user(self, user: ZulipUser) -> Student | None:
        return self.is_student.get(user.user_id)

    def get_all_students(self) -> list[Student]:
        self._ask_lms()
        return [JOHN, JANE, JOSE, ZOE]

    def get_unmapped_mentors(self) -> list[UnmappedMentor]:
        self._ask_lms()
        return [UnmappedMentor(make_mentor(7, "chen.wei"), "no Zulip user has the e-mail address")]

    def get_mapping_stats(self) -> dict[str, int]:
        self._ask_lms()
        return {"total_students": 4, "total_mentors": 6, "mapped_students": 1, "mapped_mentors": 5}

    def _ask_lms(self) -> None:
        if self.lms_trouble is not None:
            raise self.lms_trouble


@dataclass
class Events:
    """What `retry` and `discard` were asked, and what they answer."""

    retried: list[Sequence[int] | None] = field(default_factory=list)
    discarded: list[tuple[Sequence[int] | None, str]] = field(default_factory=list)
    failed: set[int] = field(default_factory=set)
    stats: dict[str, int] = field(default_factory=lambda: {"total_events": 5, "pending_events": 1})
    outcome: RetryOutcome = field(
        default_factory=lambda: RetryOutcome(retried=1, unknown_ids=[404], nothing_to_do_ids=[7], unmapped_ids=[8])
    )

    def get_event_stats(self) -> dict[str, int]:
        return self.stats

    def retry(self, event_ids: Sequence[int] | None) -> RetryOutcome:
        self.retried.append(event_ids)
        return self.outcome

    def discard(self, event_ids: Sequence[int] | None, who: str) -> list[int]:
        self.discarded.append((event_ids, who))
        done = self.failed if event_ids is None else self.failed & set(event_ids)
        self.failed = self.failed - done
        return sorted(done)


class World:
    """What answers are made from, with what happened in it."""

    def __init__(self, store: Store, students_may_ask: bool = False) -> None:
        self.store = store
        self.people = People()
        self.events = Events()
        self.polls = self.wakes = 0
        self._numbers = itertools.count(1)
        users = cast("UserMapper", self.people)
        self.context = Context(
            store=store,
            counters=Counters(store),
            users=users,
            access=Access(users, frozenset({BOSS, "helena@school.example.com"}), students_may_ask),
            preferences=PreferenceBook(store, {}),
            get_zone=self._get_zone,
            on_preferences_changed=self._wake,
            formatters=Formatters(MessageFormatter(), BriefFormatter()),
            calendar=SchoolCalendar(frozenset(WEEKDAYS[:5]), UTC, (), store),
            digests=self._make_digests(),
            events=cast("LMSActivityEventHandler", self.events),
            get_checks=lambda: [Check("store", True, "answers"), Check("LMS", False, "connection refused")],
            poll=self._poll,
            is_watching=True,
            is_notifying=True,
            is_grouping=True,
            poll_seconds=60,
        )

    def _make_digests(self) -> DigestWriter:
        return DigestWriter(
            DigestParts(
                store=self.store,
                outbox=Outbox(self.store, Deliveries(self.store)),
                preferences=PreferenceBook(self.store, {}),
                users=cast("UserMapper", self.people),
                calendar=SchoolCalendar(frozenset(WEEKDAYS[:5]), UTC, (), self.store),
                get_zone=self._get_zone,
                is_ready=lambda: True,
                escalate_days=3,
            )
        )

    def change(self, **parts: Any) -> None:
        """Other parts, or settings, for what is asked from now on."""
        self.context = replace(self.context, **parts)

    def use_people(self, people: People) -> None:
        self.people = people
        users = cast("UserMapper", people)
        self.change(users=users, access=replace(self.context.access, users=users))

    def let_students_ask(self) -> None:
        self.change(access=replace(self.context.access, students_may_ask=True))

    def _get_zone(self, person: int) -> tzinfo | None:
        user = self.people.get_zulip_user(person)
        return find_zone(user.timezone if user is not None else None)

    def _wake(self) -> None:
        self.wakes += 1

    def _poll(self) -> int:
        self.polls += 1
        return 2

    def ask(self, text: str, who: int = MARIA, now: datetime = NOW) -> Reply:
        """What is answered, with ordinary spaces for those at which no line ends."""
        reply = respond(self.context, text, who, now=now)
        assert count_columns(reply.text) <= MOST_COLUMNS, f"too wide for a phone: {reply.text}"
        return replace(reply, text=reply.text.replace(NO_BREAK, " "))

    def add_event(
        self,
        student: Student,
        kind: ActivityType = ActivityType.EXAM_PASSED,
        *,
        ago: timedelta = timedelta(hours=1),
        attempt_id: int | None = None,
        **columns: Any,
    ) -> LMSActivityEvent:
        """Recorded as of one of the LMS's rows, by default a new one."""
        number = next(self._numbers)
        row = number if attempt_id is None else attempt_id
        return create_event(self.store, describe(student, kind, NOW - ago) | columns, attempt_id=row, now=NOW - ago)

    def read_again(
        self,
        student: Student,
        kind: ActivityType,
        *,
        attempt_id: int,
        ago: timedelta = timedelta(hours=1),
        is_withdrawn: bool = False,
        **columns: Any,
    ) -> None:
        """The LMS says so now of one of its rows, and it is no event: there was one, or it was given up."""
        said = describe(student, kind, NOW - ago) | columns
        with self.store.transaction():
            follow_event(self.store, said, attempt_id=attempt_id, now=NOW - ago, is_withdrawn=is_withdrawn)

    def lose(self, *attempt_ids: int) -> None:
        """The LMS has these attempts at exams no more."""
        with self.store.transaction():
            AttemptBook(self.store.database).mark_gone("attempts", [str(one) for one in attempt_ids], NOW)

    def add_delivery(self, event: LMSActivityEvent, recipient: str = "zulip:1", **columns: Any) -> Delivery:
        kind, _, key = recipient.partition(":")
        usual = {"zulip_user_id": int(key) if kind == "zulip" else None, "created_at": event.created_at}
        with self.store.transaction():
            return Delivery.create(event=event, recipient=recipient, **usual | columns)

    def add_message(self, **columns: Any) -> Message:
        with self.store.transaction():
            return Message.create(**{"zulip_user_id": MARIA, "content": "…"} | columns)

    def add_error(self, event: LMSActivityEvent, reason: str) -> None:
        with self.store.transaction():
            LMSEventLog.create(event=event, error_message=reason, processed_at=event.created_at)


def describe(student: Student, kind: ActivityType, when: datetime) -> dict[str, Any]:
    """What an event of this student says, where a test says nothing else."""
    return {
        "event_type": kind.value,
        "student_id": student.student_id,
        "student_username": student.username,
        "student_display_name": student.display_name,
        "activity_title": "Mathematics Final Exam",
        "activity_metadata": {"score": 85, "percentage": 85},
        "timestamp": when,
        "created_at": when,
        "has_deliveries": True,
    }


def open_world(store_url: str, students_may_ask: bool = False) -> World:
    return World(open_store(store_url), students_may_ask)


def close_world(world: World) -> None:
    world.store.close_thread()


def add_exam(
    world: World, student: Student, title: str, percentage: float | None, ago: timedelta = timedelta(hours=1)
) -> None:
    """An exam that is passed with half of the points, or left open where there is no percentage."""
    result = None if percentage is None else {"percentage": percentage}
    kind = ActivityType.EXAM_STARTED
    if percentage is not None:
        kind = ActivityType.EXAM_PASSED if percentage >= 50 else ActivityType.EXAM_FAILED
    world.add_event(student, kind, ago=ago, activity_title=title, activity_metadata=result)


def owe(world: World, student: Student, kind: ActivityType = ActivityType.EXAM_PASSED, who: int = MARIA) -> None:
    """Something happened that this person is to be told of."""
    world.add_delivery(world.add_event(student, kind), f"zulip:{who}")


def lines_of(world: World, said: str, who: int = MARIA) -> list[str]:
    return world.ask(said, who).text.splitlines()


def get_audited(world: World) -> list[tuple[int | None, str]]:
    """Who was looked at with which command, oldest first."""
    with world.store.session():
        entries = AuditEntry.select().order_by(AuditEntry.look_id)
        return [(entry.student_id, entry.command) for entry in entries]


def chosen(world: World, who: int = MARIA) -> Preferences:
    """What this person chose to be told."""
    return world.context.preferences.get(who)
