"""Deliveries -> messages: what each person is told now, in which words, and what waits.

Written down before it is sent, so that what is sent twice or not at all can be told afterwards.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta, tzinfo

from lms_bot.core.activities import ActivityType
from lms_bot.core.bell import Bell
from lms_bot.core.clock import UTC, find_zone, utc_now
from lms_bot.core.errors import LMSBotError, without_words
from lms_bot.core.markdown import MAX_MESSAGE_LENGTH, time_tag
from lms_bot.notify.formatter import MessageFormatter
from lms_bot.notify.grouping import Choice, Waiting, choose
from lms_bot.notify.preferences import PreferenceBook
from lms_bot.notify.wording import type_of
from lms_bot.outbox.draft import Draft
from lms_bot.outbox.outbox import Outbox, Recent
from lms_bot.people.users import UserMapper
from lms_bot.store.database import Store
from lms_bot.store.deliveries import Deliveries
from lms_bot.store.messages import NEWS, Delivery, DeliveryState, Lane

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 2000
LOOK_AGAIN = timedelta(seconds=30)  # preferences change, also in other processes
UNWANTED = "this person wants no such events"


class Composer:
    """Writes messages for whoever is owed something. One process at a time does it for a person."""

    def __init__(
        self,
        store: Store,
        deliveries: Deliveries,
        outbox: Outbox,
        preferences: PreferenceBook,
        users: UserMapper,
        formatter: MessageFormatter,
        group_seconds: float,
    ) -> None:
        self._store = store
        self._deliveries = deliveries
        self._outbox = outbox
        self._preferences = preferences
        self._users = users
        self._formatter = formatter
        self._group_seconds = group_seconds
        self._seen: dict[int, tuple[tuple[int, int], datetime]] = {}
        self._kept: dict[int, int] = {}  # how many of a person's oldest news were not told when we looked last
        self._hurried: set[int] = set()
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
        with self._store.session():
            waiting = self._deliveries.get_waiting_people()
            due = {person: news for person, news in waiting.items() if self._is_due(person, news, now)}
            if self._group_seconds > 0:
                due = {one: news for one, news in due.items() if not self._outbox.get_recent(one).is_one_on_its_way}
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
            self._hurried.update(self._deliveries.get_waiting_people() if people is None else people)
        self.look_again()

    def _is_due(self, person: int, news: tuple[int, int], now: datetime) -> bool:
        """Whether there is something new for this person, or it is time to look again."""
        seen = self._seen.get(person)
        return seen is None or seen[0] != news or now >= seen[1]

    def _write_to(self, person: int, news: tuple[int, int], now: datetime) -> int:
        zone = self.get_zone(person)  # may ask Zulip, so before the transaction
        limit = MOST_AT_ONCE + self._kept.get(person, 0)  # what is held back must not hide what is not
        with self._store.transaction():
            deliveries = {one.delivery_id: one for one in self._deliveries.get_unwritten(person, limit, now)}
            preferences = self._preferences.get(person)
            if zone is None and preferences.depend_on_zone:
                self._seen[person] = (news, now + LOOK_AGAIN)
                return 0
            waiting, unwanted = [], []
            for one in deliveries.values():
                kind, correction = type_of(one.event), one.event.correction
                due = preferences.get_due(kind, one.event.student_id, one.created_at, zone or UTC, now)
                if due is None and correction is not None:  # who wants no such news was told what holds no longer
                    due = preferences.get_due(
                        correction.was_type, one.event.student_id, one.created_at, zone or UTC, now
                    )
                if due is None:
                    unwanted.append(one)
                else:
                    waiting.append(Waiting(one.delivery_id, kind, due))
            if unwanted:
                self._deliveries.end(unwanted, DeliveryState.UNWANTED, UNWANTED, now)
            recent = Recent() if person in self._hurried else self._outbox.get_recent(person)
            choice = choose(waiting, recent, self._group_seconds, now)
            told = [deliveries[one.delivery_id] for one in choice.now]
            written = self._write(told, choice, now, zone or UTC)
        self._hurried.discard(person)
        self._kept[person] = len(waiting) - len(choice.now)
        is_more_behind = len(deliveries) == limit
        look_again_at = now if written or is_more_behind else choice.look_again_at or now
        self._seen[person] = (news, min(look_again_at, now + LOOK_AGAIN))
        return written

    def _write(self, deliveries: Sequence[Delivery], choice: Choice, now: datetime, zone: tzinfo) -> int:
        if choice.is_gathered and len(deliveries) > 1:
            return self._write_gathered(deliveries, now)
        for one in deliveries:
            self._write_single(one, now, zone, is_gathered=choice.is_gathered)
        return len(deliveries)

    def _write_gathered(self, deliveries: Sequence[Delivery], now: datetime) -> int:
        of_event = {one.event_id: one for one in deliveries}
        try:
            pages = [
                (content, [of_event.pop(event_id) for event_id in event_ids])
                for content, event_ids in self._formatter.format_group_messages([one.event for one in deliveries])
            ]
        except Exception as error:  # a formatter may be anybody's subclass
            self._give_up(deliveries, error, now)
            return 0
        for content, carried in pages:
            self._write_down(carried, content, now, is_gathered=True)
        if of_event:
            self._give_up(list(of_event.values()), LookupError("left out"), now)
        return len(pages)

    def _write_single(self, delivery: Delivery, now: datetime, zone: tzinfo, *, is_gathered: bool) -> None:
        try:
            content = _say_when(self._formatter.format_notification_message(delivery.event), delivery, now, zone)
        except Exception as error:
            self._give_up([delivery], error, now)
            return
        self._write_down([delivery], content, now, is_gathered=is_gathered)

    def _write_down(self, deliveries: Sequence[Delivery], content: str, now: datetime, *, is_gathered: bool) -> None:
        """The message that carries these deliveries, all to one person."""
        person = deliveries[0].zulip_user_id
        assert person is not None
        draft = Draft(person, content, _choose_lane(deliveries), is_gathered=is_gathered)
        self._deliveries.put_into(self._outbox.write(draft, now), deliveries, now)

    def _give_up(self, deliveries: Sequence[Delivery], error: Exception, now: datetime) -> None:
        event_ids = [one.event_id for one in deliveries]
        logger.error("the formatter failed for events %s", event_ids, exc_info=without_words(error))
        reason = f"the message could not be written: {type(error).__name__} in the formatter"
        self._deliveries.end(deliveries, DeliveryState.DEAD, reason, now)

    def get_zone(self, person: int) -> tzinfo | None:
        """A person's time zone; UTC for who has none, None where that cannot be known now."""
        try:
            user = self._users.get_zulip_user(person)
        except LMSBotError:
            return None
        return find_zone(user.timezone if user is not None else None)


def _say_when(content: str, delivery: Delivery, now: datetime, zone: tzinfo) -> str:
    """What did not happen today says when it did."""
    happened_at = delivery.event.timestamp
    if happened_at.astimezone(zone).date() == now.astimezone(zone).date():
        return content
    said = f"{content}\n🕒 {time_tag(happened_at)}"
    return said if len(said) <= MAX_MESSAGE_LENGTH else content


def _choose_lane(deliveries: Sequence[Delivery]) -> Lane:
    is_urgent = any(type_of(one.event) == ActivityType.EXAM_FAILED.value for one in deliveries)
    return Lane.URGENT if is_urgent else Lane.ROUTINE
