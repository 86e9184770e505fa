"""A month of a school on a simulated clock: what each mentor gets, at each level, and whether it says what it should.

Real: the record, who is told, the look for concerns, gathering, wording, digests and the outbox; people come from a
Zulip and an LMS in a box. What the LMS would say is written straight into the record, as a poll each minute does, and
what is written down counts as sent in the same minute. The figures are the same each time, whatever the machine.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

from benchmarks.calm_figures import Told, ToldConcern, Truth, count_up, judge
from benchmarks.measuring import Report, doing
from benchmarks.school_month import SCHOOL_ZONE, Happened, Month, School, to_activity
from benchmarks.world import running_app
from benchmarks.year import PEOPLE_SQL
from lms_bot.core.clock import to_utc
from lms_bot.outbox.outbox import Outbox
from lms_bot.sandbox.zulip import SandboxZulip
from lms_bot.store.attempts import AttemptBook
from lms_bot.store.concerns import Concern, ConcernTelling
from lms_bot.store.database import rows
from lms_bot.store.messages import Delivery, Message
from lms_bot.store.models import Cursor, LMSActivityEvent
from lms_bot.store.statements import Statements
from lms_bot.watch.recorder import Recorder
from lms_bot.zulip.gateway import Credentials

if TYPE_CHECKING:
    from benchmarks.world import StoreKind, World
    from lms_bot.app import App

MENTORS, EACH = 10, 40
SMOKE = School(students=40, mentors=2, days=5, holiday=(2,), silent_days=2)
LEVELS = ("calm", "digest", "everything")
POLL = timedelta(seconds=60)
TICK_MINUTES = 10  # digests are looked for at each
WAITS_SQL = """
SELECT 1 WHERE EXISTS (SELECT 1 FROM lms_deliveries WHERE state = 'pending' AND message_id IS NULL)
OR EXISTS (SELECT 1 FROM lms_concern_tellings WHERE message_id IS NULL)
"""


def run(world: World, stores: Sequence[StoreKind], is_smoke: bool, mentors: int = MENTORS) -> Report:
    """On the first kind of store: the figures do not depend on it, nor on how many mentors there are."""
    full = School(students=mentors * EACH, mentors=mentors, days=28, holiday=(17, 18), silent_days=7)
    school = SMOKE if is_smoke else full
    facts = Month(school).make()
    truth = Truth(school, facts)
    report = Report("calm", {"students": school.students, "mentors": school.mentors, **truth.sizes})
    for level in LEVELS[:1] if is_smoke else LEVELS:
        doing(f"calm: {truth.sizes['facts']:,} facts at the level {level}")
        with simulated_app(world, stores[0], school, level) as (app, keys):
            told = Simulation(app, school, keys).run(facts)
        report.figures[level] = count_up(truth, told)
        report.targets += judge(level, report.figures[level])
    return report


@contextmanager
def simulated_app(world: World, kind: StoreKind, school: School, level: str) -> Iterator[tuple[App, dict[int, int]]]:
    """The bot, and the mentors' keys by their Zulip user ids."""
    settings = {
        "lms_default_notify": level,
        "lms_silent_days": str(school.silent_days),
        "lms_school_zone": SCHOOL_ZONE,
        "lms_activity_poll_interval": str(POLL.seconds),
    }
    with SandboxZulip() as zulip, world.new_lms() as lms, world.new_store(kind) as url:
        bot = zulip.add_person("LMS Bot", is_bot=True)
        mentors = {}
        for key in range(1, school.mentors + 1):
            zone, address = school.get_zone(key).key, f"mentor{key}@school.example"
            mentors[zulip.add_person(f"Mentor {key}", delivery_email=address, timezone=zone).user_id] = key
        lms.execute(PEOPLE_SQL, {"mentors": school.mentors, "students": school.students, "each": school.each})
        credentials = Credentials(bot.delivery_email, bot.api_key, zulip.site)
        with running_app(lms.url, url, credentials, **settings) as app:
            yield app, mentors


@dataclass
class Simulation:
    """The bot's month: polls while something happens, and the composer, the concerns and the digests in between."""

    app: App
    school: School
    mentors: dict[int, int]
    _told: list[Told] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._recorder = Recorder(self.app.store)
        self._attempts = AttemptBook(self.app.store.database)
        self._statements = Statements(self.app.store.database)
        self._facts: dict[str, Happened] = {}

    def run(self, facts: Sequence[Happened]) -> list[Told]:
        polls = _make_polls(facts)
        now = to_utc(datetime.combine(self.school.first, time(0))) - timedelta(hours=12)
        end = now + timedelta(days=self.school.days + 1)
        self._begin(now)
        while now < end:
            if now in polls:
                self._record(polls[now], now)
            if now.minute % TICK_MINUTES == 0:
                self._tick(now)
            if self._has_news():
                self.app.composer.write_messages(now)
                self._send(now)
            now += POLL
        return self._told

    def _begin(self, now: datetime) -> None:
        """The LMS was looked through once, and nothing had happened there."""
        with self.app.store.transaction():
            for stream in self.app.source.streams:
                Cursor.insert(stream=stream.name, position={"baseline_at": None}).execute()
        days = [self.school.get_date(one) for one in self.school.holiday]
        self.app.calendar.declare(days[0], days[-1], "Holiday")
        self._look_for_concerns(now)

    def _record(self, found: Sequence[Happened], now: datetime) -> None:
        """As a poll does: of each attempt what the LMS says of it now."""
        activities = [to_activity(one) for one in found]
        self._facts.update((activity.source_key, one) for activity, one in zip(activities, found, strict=True))
        recipients = self.app.events.get_recipients({one.student_id for one in found})
        for stream in sorted({one.stream for one in activities}):
            those = [one for one in activities if one.stream == stream]
            with self.app.store.transaction():
                self._recorder.lock_stream(stream)
                self._attempts.follow(stream, those, now)
                self._recorder.insert_events(those, recipients, now=now, is_told=True)

    def _tick(self, now: datetime) -> None:
        self._look_for_concerns(now)
        self.app.digests.step(now)
        self._send(now)

    def _has_news(self) -> bool:
        """Nothing is composed where nothing waits, which the composer itself takes longer to find."""
        with self.app.store.session():
            return bool(self._statements.execute(WAITS_SQL))

    def _look_for_concerns(self, now: datetime) -> None:
        while self.app.concerns.step(now):
            pass

    def _send(self, now: datetime) -> None:
        """Zulip takes all that is written."""
        outbox: Outbox = self.app.outbox
        while message := outbox.claim("benchmark", now):
            self._told.append(self._describe(message))
            outbox.mark_sent(message, 1000 + message.message_id, now)

    def _describe(self, message: Message) -> Told:
        """Read at once: that a concern is told in a later message, too, is not kept."""
        with self.app.store.session():
            carried = LMSActivityEvent.select(LMSActivityEvent.source_key).join(Delivery)
            keys = [key for (key,) in rows(carried.where(Delivery.message == message))]
            telling = ConcernTelling.select(ConcernTelling, Concern).join(Concern)
            concerns = [_describe(one) for one in telling.where(ConcernTelling.message == message)]
        mentor = self.mentors[message.zulip_user_id]
        facts = [self._facts[key] for key in keys]
        return Told(message.created_at, mentor, message.content, facts, concerns)


def _describe(telling: ConcernTelling) -> ToldConcern:
    concern = telling.concern
    return ToldConcern(concern.student_id, concern.kind, concern.since_at, telling.number, concern.facts.get("exam"))


def _make_polls(facts: Sequence[Happened]) -> dict[datetime, list[Happened]]:
    """What each poll finds. Of an attempt that began and ended between two, it finds that it ended."""
    polls: dict[datetime, dict[int, Happened]] = defaultdict(dict)
    for one in facts:
        seconds = (one.at - datetime(2026, 1, 1, tzinfo=one.at.tzinfo)).total_seconds()
        ahead = -seconds % POLL.total_seconds()
        polls[one.at + timedelta(seconds=ahead)][one.attempt] = one
    return {at: sorted(found.values(), key=lambda one: one.at) for at, found in polls.items()}
