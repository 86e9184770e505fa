"""Deliveries, urgent concerns -> messages: what each person is told now, in which words, and what waits.

Written down before it is sent, so that what is sent twice or not at all can be told afterwards.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from lms_bot.core.activities import ActivityType
from lms_bot.core.bell import Bell
from lms_bot.core.clock import UTC, find_zone, utc_now
from lms_bot.core.errors import LMSBotError
from lms_bot.insight.concerns import tellings
from lms_bot.insight.concerns.watcher import ConcernWatch
from lms_bot.insight.reports.so_far import RESULTS, get_so_far
from lms_bot.notify.grouping import Choice, Gathering, Recent, Waiting, choose
from lms_bot.notify.message_writer import MessageWriter, Owing, concern_key
from lms_bot.notify.person_news import get_recent, lock_person, note_told
from lms_bot.notify.preference_book import PreferenceBook
from lms_bot.notify.preferences import Pace, Plan, Preferences, Told, When
from lms_bot.notify.recipients import find_recipients
from lms_bot.notify.wording import correction_of, type_of
from lms_bot.outbox.outbox import Outbox
from lms_bot.people.users import UserMapper
from lms_bot.store.concerns import Concern
from lms_bot.store.database import Store
from lms_bot.store.deliveries import Deliveries
from lms_bot.store.messages import NEWS, Delivery, DeliveryState

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 2000
LOOK_AGAIN = timedelta(minutes=10)  # a person's time zone may change; of preferences we hear
WAIT_FOR_ZONE = timedelta(seconds=30)
LONGEST_LOOK = timedelta(minutes=1)  # that a result waits until its student was looked at for concerns
UNWANTED = "this person wants no such events"
SUMMED = "in the sums of the digest"
FAILED, PASSED = ActivityType.EXAM_FAILED.value, ActivityType.EXAM_PASSED.value


@dataclass(frozen=True)
class ComposerParts:
    """What a composer goes by; `writer` writes down what it chose."""

    store: Store
    deliveries: Deliveries
    outbox: Outbox
    preferences: PreferenceBook
    users: UserMapper
    writer: MessageWriter
    gathering: Gathering
    concerns: ConcernWatch


class Composer:
    """Writes messages for whoever is owed something. One process at a time does it for a person."""

    def __init__(self, parts: ComposerParts) -> None:
        self.parts = parts
        self._store, self._deliveries, self._outbox = parts.store, parts.deliveries, parts.outbox
        self._seen: dict[int, tuple[tuple[int, int, int], datetime]] = {}
        self._kept: dict[int, int] = {}  # how many of a person's oldest news were not told when we looked last
        self._hurried: set[int] = set()
        self._version: object = None
        self.bell = Bell()

    def wake(self) -> None:
        """There may be something to write: whoever waits need not wait longer."""
        self.bell.ring()

    def step(self, now: datetime | None = None) -> float | None:
        """Writes what is to be told now, to be sent at once. Returns 0 where there may be more, None if not soon."""
        written = self.write_messages(now or utc_now())
        return 0.0 if written else None

    def write_messages(self, now: datetime) -> int:
        """Writes what is to be told now. Returns how many messages that were."""
        self._find_concerns(now)
        with self._store.session():
            waiting = self._get_waiting()
            version = self.parts.preferences.get_version() if waiting else self._version
            if version != self._version:
                self._version = version
                self._seen.clear()
            due = {person: news for person, news in waiting.items() if self._is_due(person, news, now)}
            if self.parts.gathering.is_on:
                due = {one: news for one, news in due.items() if not self._outbox.has_unsent_news(one)}
        written = sum(self._write_to(person, news, now) for person, news in due.items())
        if written:
            self._outbox.wake(NEWS)
        return written

    def look_again(self) -> None:
        """Something changed that may change what is due, e.g. preferences."""
        self._seen.clear()
        self.wake()

    def hurry(self, people: Collection[int] | None = None) -> None:
        """Somebody asks for it: what waits for these people, or for all, is not gathered any longer."""
        with self._store.session():
            self._hurried.update(self._get_waiting() if people is None else people)
        self.look_again()

    def get_zone(self, person: int) -> tzinfo | None:
        """A person's time zone; UTC for who has none, None where that cannot be known now."""
        try:
            user = self.parts.users.get_zulip_user(person)
        except LMSBotError:
            return None
        return find_zone(user.timezone if user is not None else None)

    # ---- urgent concerns ----

    def _find_concerns(self, now: datetime) -> None:
        """Looks at students whose attempts changed, and finds out who is to be told at once of what that showed."""
        with suppress(LMSBotError):
            while self.parts.concerns.look_at_changed(now):
                pass
            with self._store.session():
                undecided = tellings.get_undecided()
            if undecided:
                recipients = find_recipients(self.parts.users, {one.student_id for one in undecided})
                with self._store.transaction():
                    for one in undecided:
                        owed = (each.zulip_user_id for each in recipients[one.student_id].owed)
                        tellings.owe(one, {each for each in owed if each is not None}, now)

    def _may_hear(self, person: int, now: datetime) -> set[int] | None:
        """Of which students with an urgent concern owed to them the person may hear; None: cannot be known now."""
        with self._store.transaction():
            owed = {one.student_id for one in tellings.get_owed(person, now)}
        try:
            recipients = find_recipients(self.parts.users, owed) if owed else {}
        except LMSBotError:
            return None
        return {each for each, found in recipients.items() if person in {one.zulip_user_id for one in found.owed}}

    # ---- what is due ----

    def _get_waiting(self) -> dict[int, tuple[int, int, int]]:
        """Who is owed what: how many events, the latest delivery's id, and how many concerns."""
        concerns = tellings.get_owed_people()
        waiting = {
            person: (*news, concerns.pop(person, 0)) for person, news in self._deliveries.get_waiting_people().items()
        }
        return waiting | {person: (0, 0, many) for person, many in concerns.items()}

    def _is_due(self, person: int, news: tuple[int, int, int], now: datetime) -> bool:
        """Whether there is something new for this person, or it is time to look again."""
        seen = self._seen.get(person)
        return seen is None or seen[0] != news or now >= seen[1]

    def _write_to(self, person: int, news: tuple[int, int, int], now: datetime) -> int:
        zone = self.get_zone(person)  # may ask Zulip, as the next may ask the LMS, so before the transaction
        may_hear = self._may_hear(person, now) if news[2] else set()
        limit = MOST_AT_ONCE + self._kept.get(person, 0)  # what is held back must not hide what is not
        with self._store.transaction():
            known = lock_person(self._store, person)
            preferences = self.parts.preferences.get(person)
            if zone is None and preferences.depend_on_zone:
                self._seen[person] = (news, now + WAIT_FOR_ZONE)
                return 0
            deliveries = self._deliveries.get_unwritten(person, limit, now)
            if self._is_unlooked(deliveries, now):
                self._seen.pop(person, None)
                return 0
            owing = Owing(person, deliveries, self._get_concerns(person, preferences, may_hear, now))
            waiting = self._plan(owing, preferences, zone or UTC, now)
            recent = get_recent(known, is_one_on_its_way=self._outbox.has_unsent_news(person))
            choice = choose(waiting, Recent() if person in self._hurried else recent, self.parts.gathering, now)
            written = self.parts.writer.write(owing, choice, preferences, known, zone or UTC, now)
            if written:
                note_told(known, {one.pace for one in choice.now}, now)
        self._hurried.discard(person)
        self._kept[person] = len(waiting) - len(choice.now)
        self._note_seen(person, news, choice, now, is_more=bool(written) or len(deliveries) == limit)
        return written

    def _note_seen(
        self, person: int, news: tuple[int, int, int], choice: Choice, now: datetime, *, is_more: bool
    ) -> None:
        look_again_at = now if is_more else choice.look_again_at or now + LOOK_AGAIN
        self._seen[person] = (news, min(look_again_at, now + LOOK_AGAIN))

    def _is_unlooked(self, deliveries: Sequence[Delivery], now: datetime) -> bool:
        """Whether a result came after its student was looked at: a concern that it makes is told with it."""
        fresh = {
            one.event.student_id
            for one in deliveries
            if one.event.event_type in RESULTS and now - one.created_at < LONGEST_LOOK
        }
        return bool(fresh) and self.parts.concerns.has_unlooked(fresh)

    def _get_concerns(
        self, person: int, preferences: Preferences, may_hear: set[int] | None, now: datetime
    ) -> list[Concern]:
        owed = tellings.get_owed(person, now)
        if may_hear is None:
            return []
        if preferences.general is When.OFF:
            may_hear = set()
        tellings.forget_owed(person, [one for one in owed if one.student_id not in may_hear])
        return [one for one in owed if one.student_id in may_hear]

    def _plan(self, owing: Owing, preferences: Preferences, zone: tzinfo, now: datetime) -> list[Waiting]:
        """When each is to be told, and how; what is not wanted, or in the digest alone, ends."""
        so_far = get_so_far(one.event for one in owing.deliveries)
        waiting: list[Waiting] = []
        unwanted: list[Delivery] = []
        summed: list[Delivery] = []
        overtaken = self._deliveries.get_overtaken(owing.person, owing.deliveries)
        for one in owing.deliveries:
            one.event.so_far = so_far.get(one.event_id)
            plan = _make_plan(one, preferences, zone, now)
            if plan is None:
                unwanted.append(one)
            elif plan.pace is Pace.SUMMED or one.delivery_id in overtaken:
                summed.append(one)
            else:
                waiting.append(Waiting(one.delivery_id, type_of(one.event), plan.pace, plan.due_at))
        for those, state, reason in (
            (unwanted, DeliveryState.UNWANTED, UNWANTED),
            (summed, DeliveryState.SUMMED, SUMMED),
        ):
            if those:
                self._deliveries.end(those, state, reason, now)
        for concern in owing.concerns:
            due_at = preferences.find_concern_due(concern.student_id, concern.changed_at, zone, now)
            waiting.append(Waiting(concern_key(concern), FAILED, Pace.URGENT, due_at))
        return waiting


def _make_plan(delivery: Delivery, preferences: Preferences, zone: tzinfo, now: datetime) -> Plan | None:
    event, correction = delivery.event, correction_of(delivery.event)
    is_recovery = correction is not None or (event.so_far is not None and event.so_far.is_recovery)
    told = Told(type_of(event), event.student_id, is_recovery=is_recovery and type_of(event) == PASSED)
    plan = preferences.make_plan(told, delivery.created_at, zone, now)
    if plan is None and correction is not None:  # who wants no such news was told what holds no longer
        was = Told(correction.was_type, event.student_id)
        plan = preferences.make_plan(was, delivery.created_at, zone, now)
    return plan
