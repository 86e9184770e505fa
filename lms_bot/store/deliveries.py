"""What is owed to people, and what became of it: deliveries, and the log of each event."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from peewee import fn

from lms_bot.core.activities import JUDGED
from lms_bot.store.counter_changes import ALL_TIME
from lms_bot.store.database import Store, rows
from lms_bot.store.messages import HAS_FAILED, IS_UNWRITTEN, Correction, Delivery, DeliveryState, Message
from lms_bot.store.models import LMSActivityEvent, LMSEventLog
from lms_bot.store.totals import StudentCount

EVENTS_AT_ONCE = 500


class Deliveries:
    """Each method is one transaction on `store`, or part of the caller's."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get_waiting_people(self) -> dict[int, tuple[int, int]]:
        """Who is owed something that is in no message yet: (how many, the latest delivery's id) by Zulip user id."""
        query = Delivery.select(
            Delivery.zulip_user_id, fn.COUNT(Delivery.delivery_id), fn.MAX(Delivery.delivery_id)
        ).where(IS_UNWRITTEN)
        return {person: (count, last) for person, count, last in rows(query.group_by(Delivery.zulip_user_id))}

    def get_unwritten(self, zulip_user_id: int, limit: int, now: datetime) -> list[Delivery]:
        """One person's deliveries in no message yet, with their events, oldest first; locked for the transaction.

        An event has its latest `correction`, or None. Of a result that was corrected only the last is told, once.
        """
        query = (
            Delivery.select(Delivery, LMSActivityEvent)
            .join(LMSActivityEvent)
            .where(IS_UNWRITTEN, Delivery.zulip_user_id == zulip_user_id)
            .order_by(Delivery.delivery_id)
            .limit(limit)
        )
        found = list(query.for_update(of=Delivery, skip_locked=True) if self._store.is_postgresql else query)
        corrected = Correction.select().where(Correction.event.in_([one.event_id for one in found]))
        corrections = {one.event_id: one for one in corrected} if found else {}
        for one in found:
            one.event.correction = corrections.get(one.event_id)
        told = _choose_last(found, self._get_told_corrections(zulip_user_id, corrections))
        if len(told) < len(found):
            kept = {one.delivery_id for one in told}
            earlier = [one for one in found if one.delivery_id not in kept]
            self.end(earlier, DeliveryState.UNWANTED, "corrected before it was told", now)
        return told

    def _get_told_corrections(self, zulip_user_id: int, event_ids: Collection[int]) -> dict[int, int]:
        """The number of the last correction that is in a message to this person already, by event."""
        if not event_ids:
            return {}
        query = Delivery.select(Delivery.event, fn.MAX(Delivery.correction)).where(
            Delivery.zulip_user_id == zulip_user_id,
            Delivery.event.in_(list(event_ids)),
            (Delivery.state == DeliveryState.SENT) | Delivery.message.is_null(False),
        )
        return dict(rows(query.group_by(Delivery.event)))

    def get_overtaken(self, zulip_user_id: int, deliveries: Sequence[Delivery]) -> set[int]:
        """Of these, the ids of starts of attempts whose end this person was told of, or is about to be, already."""
        starts = [one for one in deliveries if one.event.event_type.endswith("_started") and one.event.attempt_id]
        if not starts:
            return set()
        event, told = LMSActivityEvent, Delivery
        query = (
            event.select(event.stream, event.attempt_id)
            .join(told)
            .where(
                told.zulip_user_id == zulip_user_id,
                told.message.is_null(False),
                event.student_id.in_(sorted({one.event.student_id for one in starts})),
                event.attempt_id.in_(sorted({one.event.attempt_id for one in starts})),
                ~event.event_type.endswith("_started"),
            )
        )
        ended = set(rows(query))
        return {one.delivery_id for one in starts if (one.event.stream, one.event.attempt_id) in ended}

    def put_into(self, message: Message, deliveries: Sequence[Delivery], now: datetime) -> None:
        """The message carries these deliveries, all to one person."""
        ids = [one.delivery_id for one in deliveries]
        Delivery.update(message=message, updated_at=now).where(Delivery.delivery_id.in_(ids)).execute()

    def end(self, deliveries: Sequence[Delivery], state: DeliveryState, reason: str, now: datetime) -> None:
        """Ends deliveries that were not even written down: given up, or unwanted."""
        with self._store.transaction():
            ids = [one.delivery_id for one in deliveries]
            Delivery.update(state=state, reason=reason, updated_at=now).where(Delivery.delivery_id.in_(ids)).execute()
            self.settle({one.event_id for one in deliveries}, now)

    def end_message(self, message: Message, state: DeliveryState, reason: str | None, now: datetime) -> None:
        """What a message carried ends as the message did."""
        carried = Delivery.message == message.message_id
        Delivery.update(state=state, reason=reason, updated_at=now).where(carried).execute()
        events = rows(Delivery.select(Delivery.event).where(carried))
        self.settle([event_id for (event_id,) in events], now)

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
        if not event_ids:
            return
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
                _write_log(event_id, deliveries, now, was_told=event_id in told_before)
            _count_told(_get_told(event_ids) - told_before)

    def _lock_events(self, event_ids: Collection[int]) -> None:
        """Lets one process at a time settle an event, lest each of two sees the other's delivery still open."""
        if self._store.is_postgresql:
            events = LMSActivityEvent.select(LMSActivityEvent.event_id)
            events = events.where(LMSActivityEvent.event_id.in_(list(event_ids))).order_by(LMSActivityEvent.event_id)
            rows(events.for_update("FOR NO KEY UPDATE"))  # type: ignore[arg-type]


def _choose_last(deliveries: list[Delivery], told: dict[int, int]) -> list[Delivery]:
    """Of the results of one row of the LMS, where one has a correction, the one corrected last; all others.

    Left out is what was given up and is owed anew, when a later correction was `told`, by event.
    """
    deliveries = [one for one in deliveries if one.correction >= told.get(one.event_id, 0)]
    turned = {_get_row(one) for one in deliveries if one.event.correction is not None}
    last: dict[object, Delivery] = {}
    for one in sorted(deliveries, key=_get_place):
        is_result = one.event.event_type in JUDGED
        last[_get_row(one) if is_result and _get_row(one) in turned else one.delivery_id] = one
    return sorted(last.values(), key=lambda one: one.delivery_id)


def _get_row(delivery: Delivery) -> str:
    """What the source key says of the row."""
    return str(delivery.event.source_key.rpartition(":")[0])


def _get_place(delivery: Delivery) -> tuple[bool, Any, int]:
    """What was corrected comes after what was not."""
    correction = delivery.event.correction
    return correction is not None, correction and correction.corrected_at, delivery.correction


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


def _write_log(event_id: int, deliveries: list[tuple[Any, ...]], now: datetime, *, was_told: bool) -> None:
    is_open = any(state == DeliveryState.PENDING for state, _, _ in deliveries)
    sent_ids = [sent_id for state, _, sent_id in deliveries if state == DeliveryState.SENT]
    failed = (DeliveryState.DEAD, DeliveryState.UNMAPPED)
    reasons = dict.fromkeys(reason or "unknown" for state, reason, _ in deliveries if state in failed)
    values = {
        "notification_sent": was_told or bool(sent_ids),
        "notification_message_id": sent_ids[0] if sent_ids else None,
        "error_message": "; ".join(reasons) or None,
        "processed_at": now,
    }
    LMSActivityEvent.update(is_settled=not is_open).where(LMSActivityEvent.event_id == event_id).execute()
    LMSEventLog.insert(event=event_id, **values).on_conflict(
        conflict_target=[LMSEventLog.event],
        update={getattr(LMSEventLog, name): value for name, value in values.items()},
    ).execute()
