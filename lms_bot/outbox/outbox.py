"""The outbox: messages written down before they are sent, claimed by one sender at a time, and what became of them.

Every change of state is a conditional update whose row count decides, so that any number of processes may try.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from peewee import fn

from lms_bot.store.counter_changes import ALL_TIME
from lms_bot.store.database import Store, rows
from lms_bot.store.leases import is_dead
from lms_bot.store.messages import HAS_FAILED, IS_UNSENT, Delivery, DeliveryState, Message, MessageState
from lms_bot.store.models import LMSActivityEvent, LMSEventLog
from lms_bot.store.totals import StudentCount

_UNWRITTEN = (Delivery.state == DeliveryState.PENDING) & Delivery.message.is_null()

LEASE = timedelta(seconds=60)  # longer than a send may take; after it the sender counts as dead
URGENT, ROUTINE = 0, 1
EVENTS_AT_ONCE = 500


@dataclass(frozen=True)
class Recent:
    """A person's latest message, the latest that carried gathered events, and whether one is on its way."""

    last_at: datetime | None = None
    last_gathered_at: datetime | None = None
    is_one_on_its_way: bool = False


class Outbox:
    """Each method is one transaction on `store`, or part of the caller's."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get_waiting_people(self) -> dict[int, tuple[int, int]]:
        """Who is owed something that is in no message yet: (how many, the latest delivery's id) by Zulip user id."""
        query = Delivery.select(
            Delivery.zulip_user_id, fn.COUNT(Delivery.delivery_id), fn.MAX(Delivery.delivery_id)
        ).where(_UNWRITTEN)
        return {person: (count, last) for person, count, last in rows(query.group_by(Delivery.zulip_user_id))}

    def get_unwritten(self, zulip_user_id: int, limit: int) -> list[Delivery]:
        """One person's deliveries in no message yet, with their events, oldest first; locked for the transaction."""
        query = (
            Delivery.select(Delivery, LMSActivityEvent)
            .join(LMSActivityEvent)
            .where(_UNWRITTEN, Delivery.zulip_user_id == zulip_user_id)
            .order_by(Delivery.delivery_id)
            .limit(limit)
        )
        return list(query.for_update(of=Delivery, skip_locked=True) if self._store.is_postgresql else query)

    def get_recent(self, zulip_user_id: int) -> Recent:
        """What a person was written last; what was given up does not count."""
        to_them = (Message.zulip_user_id == zulip_user_id) & (Message.state != MessageState.DEAD)
        ((last_at,),) = rows(Message.select(fn.MAX(Message.created_at)).where(to_them))
        ((gathered_at,),) = rows(Message.select(fn.MAX(Message.created_at)).where(to_them, Message.is_gathered))
        return Recent(last_at, gathered_at, Message.select().where(to_them, IS_UNSENT).exists())

    def write(
        self,
        deliveries: Sequence[Delivery],
        content: str,
        priority: int,
        now: datetime,
        is_gathered: bool = False,
    ) -> Message:
        """Writes down the message that carries these deliveries, all to one person."""
        message = Message.create(
            zulip_user_id=deliveries[0].zulip_user_id,
            content=content.replace("\0", "\N{REPLACEMENT CHARACTER}"),  # neither Zulip nor PostgreSQL takes NUL
            priority=priority,
            is_gathered=is_gathered,
            not_before=now,
            created_at=now,
        )
        ids = [one.delivery_id for one in deliveries]
        Delivery.update(message=message, updated_at=now).where(Delivery.delivery_id.in_(ids)).execute()
        return message

    def claim(self, sender: str, now: datetime) -> Message | None:
        """Takes the most pressing message that is due, for this sender alone; None where there is none."""
        with self._store.transaction():
            due = (
                Message.select()
                .where(IS_UNSENT, Message.state == MessageState.READY, Message.not_before <= now)
                .order_by(Message.priority, Message.message_id)
                .limit(1)
            )
            if self._store.is_postgresql:
                due = due.for_update(skip_locked=True)
            message = due.first()
            if message is None:
                return None
            changes = {"state": MessageState.SENDING, "claimed_by": sender, "claimed_at": now}
            return message if self._change(message, MessageState.READY, lease_until=now + LEASE, **changes) else None

    def get_unknown(self, now: datetime, grace: timedelta) -> Message | None:
        """A message that may or may not have been sent and is due to be looked up, if any.

        `grace` is how long a request may still be carried out after the process that made it died.
        """
        with self._store.transaction():
            self._doubt_abandoned(now, grace)
            return (
                Message.select()
                .where(IS_UNSENT, Message.state == MessageState.UNKNOWN, Message.not_before <= now)
                .order_by(Message.not_before)
                .first()
            )

    def get_zulip_ids(self, zulip_user_id: int, content: str) -> set[int]:
        """Zulip's ids of the messages with this text this person is known to have got."""
        query = Message.select(Message.zulip_message_id).where(
            Message.zulip_user_id == zulip_user_id,
            Message.content == content,
            Message.state == MessageState.SENT,
        )
        return {sent_id for (sent_id,) in rows(query)}

    def get_last_zulip_id(self, zulip_user_id: int, before: datetime) -> int:
        """Zulip's highest id of a message this person is known to have got before that moment; 0 where none is."""
        query = Message.select(fn.MAX(Message.zulip_message_id)).where(
            Message.zulip_user_id == zulip_user_id, Message.state == MessageState.SENT, Message.sent_at < before
        )
        ((last_id,),) = rows(query)
        return last_id or 0

    def mark_sent(self, message: Message, zulip_message_id: int, now: datetime) -> bool:
        """Settles the message and its deliveries. False where another process did."""
        with self._store.transaction():
            changed = self._change(
                message,
                MessageState(message.state),
                state=MessageState.SENT,
                zulip_message_id=zulip_message_id,
                sent_at=now,
                reason=None,
            )
            if changed:
                self._settle_deliveries(message, DeliveryState.SENT, None, now)
            return changed

    def mark_dead(self, message: Message, reason: str, now: datetime) -> bool:
        """Gives the message up, with the reason in plain words, until an admin retries it."""
        with self._store.transaction():
            changed = self._change(message, MessageState(message.state), state=MessageState.DEAD, reason=reason)
            if changed:
                self._settle_deliveries(message, DeliveryState.DEAD, reason, now)
            return changed

    def mark_ready(self, message: Message, not_before: datetime, reason: str | None, tries: int) -> bool:
        """Certainly not sent: to be tried again."""
        return self._change(
            message,
            MessageState(message.state),
            state=MessageState.READY,
            not_before=not_before,
            reason=reason,
            tries=tries,
        )

    def mark_unknown(
        self, message: Message, not_before: datetime, reason: str | None, lease_until: datetime | None = None
    ) -> bool:
        """Perhaps sent: to be looked up in Zulip before anything else, and not sent again before `lease_until`."""
        return self._change(
            message,
            MessageState(message.state),
            state=MessageState.UNKNOWN,
            not_before=not_before,
            reason=reason,
            lease_until=lease_until or message.lease_until,
        )

    def end_deliveries(
        self, deliveries: Sequence[Delivery], state: DeliveryState, reason: str, now: datetime
    ) -> None:
        """Ends deliveries that were not even written down: given up, or unwanted."""
        with self._store.transaction():
            ids = [one.delivery_id for one in deliveries]
            Delivery.update(state=state, reason=reason, updated_at=now).where(Delivery.delivery_id.in_(ids)).execute()
            self.settle({one.event_id for one in deliveries}, now)

    def revive(self, event_ids: Collection[int] | None, now: datetime) -> list[int]:
        """Owes again what was given up; of these events, or of all. Returns the events it was done for.

        A dead message is never sent again itself: its deliveries are written down anew, as they are now.
        """
        owed = {"state": DeliveryState.PENDING, "message": None, "reason": None, "updated_at": now}
        return self._change_failed([DeliveryState.DEAD], event_ids, owed, now)

    def discard(self, event_ids: Collection[int] | None, reason: str, now: datetime) -> list[int]:
        """Gives up for good what failed, of these events or of all. Returns the events it was done for."""
        unwanted = {"state": DeliveryState.UNWANTED, "reason": reason, "updated_at": now}
        return self._change_failed([DeliveryState.DEAD, DeliveryState.UNMAPPED], event_ids, unwanted, now)

    def _change_failed(
        self,
        states: list[DeliveryState],
        event_ids: Collection[int] | None,
        changes: dict[str, Any],
        now: datetime,
    ) -> list[int]:
        with self._store.session():
            failed = Delivery.select(Delivery.event).where(HAS_FAILED, Delivery.state.in_(states)).distinct()
            found = sorted(event_id for (event_id,) in rows(failed))
        if event_ids is not None:
            found = sorted(set(found) & set(event_ids))
        for start in range(0, len(found), EVENTS_AT_ONCE):
            chunk = found[start : start + EVENTS_AT_ONCE]
            with self._store.transaction():
                self._lock_events(chunk)
                Delivery.update(changes).where(Delivery.state.in_(states), Delivery.event.in_(chunk)).execute()
                self.settle(chunk, now)
        return found

    def settle(self, event_ids: Collection[int], now: datetime) -> None:
        """Writes into the log what has become of these events so far."""
        with self._store.transaction():
            self._lock_events(event_ids)
            query = (
                Delivery.select(Delivery.event, Delivery.state, Delivery.reason, Message.zulip_message_id)
                .left_outer_join(Message)
                .where(Delivery.event.in_(list(event_ids)))
                .order_by(Delivery.delivery_id)
            )
            of_event: dict[int, list[tuple[Any, ...]]] = {event_id: [] for event_id in event_ids}
            for event_id, *rest in rows(query):
                of_event[event_id].append(tuple(rest))
            told_before = _get_told(event_ids)
            for event_id, deliveries in of_event.items():
                _write_log(event_id, deliveries, now)
            _count_told(_get_told(event_ids) - told_before)

    def _lock_events(self, event_ids: Collection[int]) -> None:
        """Lets one process at a time settle an event, lest each of two sees the other's delivery still open."""
        if self._store.is_postgresql:
            events = LMSActivityEvent.select(LMSActivityEvent.event_id)
            events = events.where(LMSActivityEvent.event_id.in_(list(event_ids))).order_by(LMSActivityEvent.event_id)
            rows(events.for_update("FOR NO KEY UPDATE"))  # type: ignore[arg-type]

    def _settle_deliveries(self, message: Message, state: DeliveryState, reason: str | None, now: datetime) -> None:
        carried = Delivery.message == message.message_id
        Delivery.update(state=state, reason=reason, updated_at=now).where(carried).execute()
        events = rows(Delivery.select(Delivery.event).where(carried))
        self.settle([event_id for (event_id,) in events], now)

    def _doubt_abandoned(self, now: datetime, grace: timedelta) -> None:
        """A sender that let its lease run out, or is a dead process of this machine, may or may not have sent."""
        is_claimed = IS_UNSENT & (Message.state == MessageState.SENDING)
        in_doubt = {"state": MessageState.UNKNOWN, "not_before": now, "reason": "the bot stopped while sending it"}
        Message.update(in_doubt).where(is_claimed, Message.lease_until < now).execute()
        senders = [sender for (sender,) in rows(Message.select(Message.claimed_by).where(is_claimed).distinct())]
        if dead := [sender for sender in senders if is_dead(sender.rpartition(":")[0])]:
            is_abandoned = is_claimed & Message.claimed_by.in_(dead)
            Message.update({**in_doubt, "lease_until": now + grace}).where(is_abandoned).execute()

    def _change(self, message: Message, present: MessageState, **changes: Any) -> bool:
        """Updates the message if it still is as we saw it, state and claim; the row count decides."""
        changed = (
            Message.update(**changes)
            .where(
                Message.message_id == message.message_id,
                Message.state == present,
                Message.claimed_at.is_null()
                if message.claimed_at is None
                else Message.claimed_at == message.claimed_at,
            )
            .execute()
        )
        if changed:
            for name, value in changes.items():
                setattr(message, name, value)
        return bool(changed)


def _get_told(event_ids: Collection[int]) -> set[int]:
    """Those of the events that somebody was told of."""
    log = LMSEventLog
    query = log.select(log.event).where(log.notification_sent, log.event.in_(list(event_ids)))
    return {event_id for (event_id,) in rows(query)}


def _count_told(event_ids: Collection[int]) -> None:
    """Adds these events to those somebody was told of."""
    event = LMSActivityEvent
    query = event.select(event.student_id, fn.COUNT(event.event_id)).where(event.event_id.in_(list(event_ids)))
    query = query.where(~event.is_echo).group_by(event.student_id).order_by(event.student_id)
    for student_id, count in rows(query) if event_ids else ():
        StudentCount.insert(span=ALL_TIME, day=0, student_id=student_id, told=count).on_conflict(
            conflict_target=[StudentCount.span, StudentCount.day, StudentCount.student_id],
            update={StudentCount.told: StudentCount.told + count},
        ).execute()


def _write_log(event_id: int, deliveries: list[tuple[Any, ...]], now: datetime) -> None:
    is_open = any(state == DeliveryState.PENDING for state, _, _ in deliveries)
    sent_ids = [sent_id for state, _, sent_id in deliveries if state == DeliveryState.SENT]
    failed = (DeliveryState.DEAD, DeliveryState.UNMAPPED)
    reasons = dict.fromkeys(reason or "unknown" for state, reason, _ in deliveries if state in failed)
    values = {
        "notification_sent": bool(sent_ids),
        "notification_message_id": sent_ids[0] if sent_ids else None,
        "error_message": "; ".join(reasons) or None,
        "processed_at": now,
    }
    LMSActivityEvent.update(is_settled=not is_open).where(LMSActivityEvent.event_id == event_id).execute()
    LMSEventLog.insert(event=event_id, **values).on_conflict(
        conflict_target=[LMSEventLog.event],
        update={getattr(LMSEventLog, name): value for name, value in values.items()},
    ).execute()
