"""Events -> deliveries: who is owed what, and mending what failed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from lms_bot.core.clock import utc_now
from lms_bot.core.configured import get_configured
from lms_bot.core.errors import LMSBotError, without_words
from lms_bot.notify.composer import Composer
from lms_bot.notify.notifier import Notifier
from lms_bot.notify.recipients import find_recipients
from lms_bot.people.recipients import Owed, Recipients
from lms_bot.people.users import UserMapper
from lms_bot.store.counters import Counters
from lms_bot.store.database import Store, rows
from lms_bot.store.deliveries import Deliveries
from lms_bot.store.messages import HAS_FAILED, Delivery, DeliveryState
from lms_bot.store.models import LMSActivityEvent, LMSEventLog

logger = logging.getLogger(__name__)

EVENTS_AT_ONCE = 500


@dataclass(frozen=True)
class HandlerParts:
    """What a handler works with. `notifier` is None where there is no Zulip."""

    store: Store
    users: UserMapper
    deliveries: Deliveries
    counters: Counters
    composer: Composer
    notifier: Notifier | None


@dataclass(frozen=True)
class RetryOutcome:
    """What a retry did: how many events are owed again, which ids are no events, which need nothing, and of which
    nobody to tell could be found this time either."""

    retried: int
    unknown_ids: list[int]
    nothing_to_do_ids: list[int]
    unmapped_ids: list[int]


class LMSActivityEventHandler:
    """Decides who is told of an event. Override `handle_event` to do more, or something else, with each."""

    def __init__(self, parts: HandlerParts | None = None) -> None:
        parts = parts or get_configured(HandlerParts)
        self._store = parts.store
        self._users = parts.users
        self._deliveries = parts.deliveries
        self._counters = parts.counters
        self._composer = parts.composer
        self._notifier = parts.notifier
        self._deciding = threading.Lock()
        self._knew_zulip = False

    @property
    def decides_one_by_one(self) -> bool:
        """Whether a subclass wants to see every event; ours are decided as they are recorded, many at a time."""
        return type(self).handle_event is not LMSActivityEventHandler.handle_event

    def handle_event(self, event: Mapping[str, Any]) -> None:
        """Makes the deliveries of one stored event, given as `{"event_id": …}`. May be repeated.

        Raises LMSUnavailable or LMSRefused where the LMS cannot say whose student it is.
        """
        event_id = int(event["event_id"])
        with self._store.session():
            row = LMSActivityEvent.get_or_none(LMSActivityEvent.event_id == event_id)
        if row is not None:
            self._owe([row])

    def process_pending_events(self) -> int:
        """Decides what is undecided, finds people who could not be found, and sends all that is due, ungathered.

        Returns how many events it settled, or newly decided. Raises LMSUnavailable, LMSRefused, StoreUnavailable.
        """
        before = self._count_unsettled()
        decided = self.decide_pending_events()
        found = self.deliver_unmapped()
        self._composer.hurry()
        self._send_all_due()
        return max(before - self._count_unsettled(), decided + found)

    def mend(self) -> None:
        """What is done now and then beside the polls: deciding and finding what could not be before."""
        try:
            self.decide_pending_events()
            self.deliver_unmapped()
        except LMSBotError as error:
            logger.info("not mended this time: %s", error)

    def mend_for_zulip(self) -> None:
        """Mends soon after Zulip's people could be read for the first time: until then nobody could be found."""
        knew_zulip, self._knew_zulip = self._knew_zulip, self._users.knows_zulip
        if not knew_zulip:
            self.mend()

    def decide_pending_events(self) -> int:
        """Makes the deliveries of events that have none decided yet. Returns how many events that were."""
        decided = 0
        with self._deciding:  # several threads may want to; a subclass should see each event once
            while undecided := self._get_undecided():
                if self.decides_one_by_one:
                    for row in undecided:
                        self._let_subclass_handle(row)
                else:
                    self._owe(undecided)
                decided += len(undecided)
        return decided

    def deliver_unmapped(self) -> int:
        """Looks again for the people nobody could be found for. Returns how many events got a new delivery."""
        with self._store.session():
            unmapped = list(
                LMSActivityEvent.select()
                .where(
                    LMSActivityEvent.event_id.in_(
                        Delivery.select(Delivery.event).where(HAS_FAILED, Delivery.state == DeliveryState.UNMAPPED)
                    )
                )
                .order_by(LMSActivityEvent.event_id)
            )
        if not unmapped:
            return 0
        recipients = self.get_recipients({row.student_id for row in unmapped})
        return sum(self._owe_found(row, recipients[row.student_id]) for row in unmapped)

    def process_event(self, event: LMSActivityEvent) -> bool:
        """Tries again to tell of one event, now. True if nothing is wrong with it any more."""
        self.retry([event.event_id])
        self._send_all_due()
        with self._store.session():
            log = LMSEventLog.get_or_none(LMSEventLog.event == event.event_id)
        return log is not None and log.error_message is None

    def retry(self, event_ids: Collection[int] | None = None) -> RetryOutcome:
        """Owes again what was given up, of these events or of all. Safe to repeat: what is owed or sent stays so."""
        now = utc_now()
        with self._store.session():
            found = set(event_ids or ())
            if event_ids is not None:
                query = LMSActivityEvent.select(LMSActivityEvent.event_id)
                query = query.where(LMSActivityEvent.event_id.in_(list(found)))
                found = {event_id for (event_id,) in rows(query)}
            revived = set(self._deliveries.revive(None if event_ids is None else found, now))
        tried, mapped = self._retry_unmapped(event_ids)
        revived |= mapped
        unmapped = tried - revived
        self._composer.hurry(self._get_waiting_for(revived))
        self._composer.wake()
        unknown = sorted(set(event_ids or ()) - found)
        return RetryOutcome(len(revived), unknown, sorted(found - revived - unmapped), sorted(unmapped))

    def _send_all_due(self) -> None:
        if self._notifier is not None:
            self._notifier.send_all_due()

    def _get_waiting_for(self, event_ids: Collection[int]) -> set[int]:
        with self._store.session():
            query = Delivery.select(Delivery.zulip_user_id).where(
                Delivery.state == DeliveryState.PENDING, Delivery.event.in_(list(event_ids))
            )
            return {person for (person,) in rows(query)}

    def discard(self, event_ids: Collection[int] | None, who: str) -> list[int]:
        """Gives up for good what failed, of these events or of all, on the word of `who`. Returns their ids."""
        with self._store.session():
            return self._deliveries.discard(event_ids, f"discarded by {who}", utc_now())

    def get_event_stats(self) -> dict[str, int]:
        """total_events, processed_events, pending_events, events_with_notifications, events_with_errors.

        Pending: the notification is not settled yet. Processed: the rest. Echoes are left out.
        """
        with self._store.session():
            total, told = self._counters.get_totals()
            pending = self._count_unsettled()
            failed = LMSEventLog.select().where(LMSEventLog.error_message.is_null(False)).count()
        return {
            "total_events": total,
            "processed_events": total - pending,
            "pending_events": pending,
            "events_with_notifications": told,
            "events_with_errors": failed,
        }

    def get_recipients(self, student_ids: Collection[int]) -> dict[int, Recipients]:
        """Who is to be told of each of these students. Asks the LMS and Zulip. Raises LMSUnavailable, LMSRefused."""
        return find_recipients(self._users, student_ids)

    def _count_unsettled(self) -> int:
        with self._store.session():
            return LMSActivityEvent.select().where(~LMSActivityEvent.is_settled).count()

    def _get_undecided(self) -> list[LMSActivityEvent]:
        with self._store.session():
            query = LMSActivityEvent.select().where(~LMSActivityEvent.has_deliveries)
            return list(query.order_by(LMSActivityEvent.event_id).limit(EVENTS_AT_ONCE))

    def _let_subclass_handle(self, row: LMSActivityEvent) -> None:
        """A subclass that fails must not stop the others: its failure is the event's error, to be retried."""
        try:
            self.handle_event({"event_id": row.event_id})
            reason = None
        except Exception as error:
            logger.error("handle_event failed for event %s", row.event_id, exc_info=without_words(error))
            reason = f"the event handler failed: {type(error).__name__}"
        with self._store.transaction():
            if reason is not None:
                self._owe_nothing(row, reason)
            elif not LMSActivityEvent.get_by_id(row.event_id).has_deliveries:
                self._owe_nothing(row, None)

    def _owe_nothing(self, row: LMSActivityEvent, reason: str | None) -> None:
        _mark_decided([row.event_id])
        if reason is not None:
            Delivery.insert(
                event=row, recipient="nobody", state=DeliveryState.UNMAPPED, reason=reason
            ).on_conflict_ignore().execute()
        self._deliveries.settle([row.event_id], utc_now())

    def _owe(self, undecided: list[LMSActivityEvent]) -> None:
        """Makes the deliveries of undecided events; of decided ones, those that are missing."""
        recipients = self.get_recipients({row.student_id for row in undecided})  # the network, before the transaction
        now = utc_now()
        with self._store.transaction():
            for row in undecided:
                for owed in recipients[row.student_id].owed:
                    self._insert(row, owed)
            _mark_decided([row.event_id for row in undecided])
            self._deliveries.settle([row.event_id for row in undecided], now)
        self._composer.wake()

    def _owe_found(self, row: LMSActivityEvent, recipients: Recipients) -> bool:
        """Replaces the deliveries nobody was found for by those to the people found since."""
        missing = {one.recipient: one.reason for one in recipients.owed if one.zulip_user_id is None}
        with self._store.transaction():
            unmapped = (Delivery.event == row) & (Delivery.state == DeliveryState.UNMAPPED)
            gone = Delivery.delete().where(unmapped & Delivery.recipient.not_in(list(missing))).execute()
            for recipient, reason in missing.items():
                Delivery.update(reason=reason).where(unmapped & (Delivery.recipient == recipient)).execute()
            owed = [one for one in recipients.owed if one.zulip_user_id is not None] if gone else []
            created = sum(self._insert(row, one) for one in owed)
            self._deliveries.settle([row.event_id], utc_now())
        if created:
            self._composer.wake()
        return bool(created)

    def _insert(self, row: LMSActivityEvent, owed: Owed) -> int:
        state = DeliveryState.UNMAPPED if owed.zulip_user_id is None else DeliveryState.PENDING
        query = Delivery.insert(
            event=row, recipient=owed.recipient, zulip_user_id=owed.zulip_user_id, state=state, reason=owed.reason
        )
        return int(query.on_conflict_ignore().as_rowcount().execute())

    def _retry_unmapped(self, event_ids: Collection[int] | None) -> tuple[set[int], set[int]]:
        """The events nobody could be found for, and those of them that somebody was found for now."""
        with self._store.session():
            query = Delivery.select(Delivery.event).where(HAS_FAILED, Delivery.state == DeliveryState.UNMAPPED)
            if event_ids is not None:
                query = query.where(Delivery.event.in_(list(event_ids)))
            unmapped = list(LMSActivityEvent.select().where(LMSActivityEvent.event_id.in_(query)))
        if not unmapped:
            return set(), set()
        self._users.clear_cache()
        recipients = self.get_recipients({row.student_id for row in unmapped})
        found = {row.event_id for row in unmapped if self._owe_found(row, recipients[row.student_id])}
        return {row.event_id for row in unmapped}, found


def _mark_decided(event_ids: list[int]) -> None:
    LMSActivityEvent.update(has_deliveries=True).where(LMSActivityEvent.event_id.in_(event_ids)).execute()
