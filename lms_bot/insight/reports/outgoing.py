"""What is on its way to people, what could not be told or read, and single key-values."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from peewee import SQL, Expression, fn

from lms_bot.core.clock import to_utc
from lms_bot.insight.reports.students import in_chunks
from lms_bot.store.concerns import ConcernTelling
from lms_bot.store.database import rows
from lms_bot.store.messages import (
    HAS_FAILED,
    IS_DEAD,
    IS_UNSENT,
    IS_UNWRITTEN,
    Delivery,
    DeliveryState,
    Message,
)
from lms_bot.store.models import KeyValue, LMSActivityEvent, LMSEventLog, RejectedRow

GROUPS_SHOWN = 50
IDS_SHOWN = 10

UNMAPPED = DeliveryState.UNMAPPED.value


@dataclass(frozen=True)
class ErrorGroup:
    """Events that failed for one reason: how many, and the newest ids."""

    reason: str
    count: int
    event_ids: list[int]
    last_at: datetime


@dataclass(frozen=True)
class RejectedGroup:
    """LMS rows that could not become activities for one problem; `row_keys` and `reason` are examples."""

    stream: str
    problem: str
    count: int
    row_keys: list[str]
    reason: str
    last_at: datetime


@dataclass(frozen=True)
class DeadNotice:
    """Messages that told of concerns alone, as digests do, and were given up for one reason: they are told again."""

    reason: str
    count: int
    last_at: datetime


@dataclass(frozen=True)
class Waiting:
    """Deliveries that wait for one reason; `recipient` as in Delivery, `state` its or its message's."""

    recipient: str
    state: str
    reason: str | None
    count: int
    since: datetime


@dataclass(frozen=True)
class Unwritten:
    """A delivery that is in no message yet, owed since `created_at`."""

    recipient: str
    zulip_user_id: int
    event_type: str
    student_id: int
    created_at: datetime


def get_error_groups() -> list[ErrorGroup]:
    """Why events could not be told to everybody they are owed to, most frequent reason first."""
    log = LMSEventLog
    failed = log.error_message.is_null(False)
    counts = log.select(log.error_message, fn.COUNT(log.event), fn.MAX(log.processed_at)).where(failed)
    counts = counts.group_by(log.error_message).order_by(fn.COUNT(log.event).desc()).limit(GROUPS_SHOWN)
    groups = []
    for reason, count, last_at in rows(counts):
        newest = log.select(log.event).where(failed, log.error_message == reason)
        ids = rows(newest.order_by(log.event.desc()).limit(IDS_SHOWN))
        groups.append(ErrorGroup(reason, count, [event_id for (event_id,) in ids], last_at))
    return groups


def get_dead_notices(since: datetime) -> list[DeadNotice]:
    """Why messages of concerns, without events, that were written since then were given up."""
    message = Message
    carries = Delivery.select(SQL("1")).where(Delivery.message == message.message_id)
    tells = ConcernTelling.select(SQL("1")).where(ConcernTelling.message == message.message_id)
    query = message.select(message.reason, fn.COUNT(message.message_id), fn.MAX(message.created_at))
    query = query.where(IS_DEAD, message.created_at >= since, fn.EXISTS(tells), ~fn.EXISTS(carries))
    found = [DeadNotice(reason or "unknown", *numbers) for reason, *numbers in rows(query.group_by(message.reason))]
    return sorted(found, key=lambda one: -one.count)


def get_rejected_groups() -> list[RejectedGroup]:
    """LMS rows that could not become activities, by stream and problem, most frequent first."""
    row = RejectedRow
    totals = (fn.COUNT(row.row_key), fn.MAX(row.reason), fn.MAX(row.rejected_at))
    counts = row.select(row.stream, row.problem, *totals).group_by(row.stream, row.problem)
    groups = []
    counts = counts.order_by(totals[0].desc()).limit(GROUPS_SHOWN)
    for stream, problem, count, reason, last_at in rows(counts):
        newest = row.select(row.row_key).where(row.stream == stream, row.problem == problem)
        keys = rows(newest.order_by(row.rejected_at.desc()).limit(IDS_SHOWN))
        groups.append(RejectedGroup(stream, problem, count, [key for (key,) in keys], reason, last_at))
    return groups


def get_waiting() -> list[Waiting]:
    """Deliveries in messages not yet sent, and to people not found yet, by recipient and reason.

    Longest wait first. Those in no message yet are `get_unwritten`.
    """
    delivery, message = Delivery, Message
    of_delivery, of_message = (delivery.state, delivery.reason), (message.state, message.reason)
    waiting = [
        *_count_deliveries(delivery.select(), of_delivery, HAS_FAILED & (delivery.state == UNMAPPED)),
        *_count_deliveries(delivery.select().join(message), of_message, _is_on_its_way()),
    ]
    return sorted(waiting, key=lambda group: group.since)


def get_unwritten(zulip_user_id: int | None = None) -> list[Unwritten]:
    """Deliveries in no message yet, of each person, or of one, oldest first: held back, or to be written next."""
    event = LMSActivityEvent
    columns = (Delivery.recipient, Delivery.zulip_user_id, event.event_type, event.student_id, Delivery.created_at)
    query = (
        Delivery.select(*columns)
        .join(event)
        .where(IS_UNWRITTEN)
        .order_by(Delivery.zulip_user_id, Delivery.delivery_id)
    )
    if zulip_user_id is not None:
        query = query.where(Delivery.zulip_user_id == zulip_user_id)
    return [Unwritten(*row) for row in rows(query)]


def _count_deliveries(query: Any, state_and_reason: tuple[Any, Any], condition: Any) -> list[Waiting]:
    groups = (Delivery.recipient, *state_and_reason)
    columns = (*groups, fn.COUNT(Delivery.delivery_id), fn.MIN(Delivery.created_at))
    return [Waiting(*row) for row in rows(query.select(*columns).where(condition).group_by(*groups))]


def get_undecided() -> tuple[int, datetime | None]:
    """How many events nobody has looked at yet to see who is to be told, and since when."""
    event = LMSActivityEvent
    query = event.select(fn.COUNT(event.event_id), fn.MIN(event.created_at)).where(~event.has_deliveries)
    ((count, since),) = rows(query)
    return count, since


def count_unsent(zulip_user_id: int) -> int:
    """How many deliveries to one person are in messages not yet sent."""
    mine = Delivery.zulip_user_id == zulip_user_id
    return Delivery.select().where(mine, _is_on_its_way()).count()


def _is_on_its_way() -> Expression:
    """That a delivery is in a message not yet sent; so that the few such messages are looked at first."""
    return Delivery.message.in_(Message.select(Message.message_id).where(IS_UNSENT))


def count_dead(zulip_user_id: int) -> int:
    """How many deliveries to one person were given up and may be tried again."""
    mine = Delivery.zulip_user_id == zulip_user_id
    return Delivery.select().where(mine, HAS_FAILED, Delivery.state == DeliveryState.DEAD.value).count()


def get_stored_ids(event_ids: Collection[int]) -> set[int]:
    """Those of the ids that are events."""
    event = LMSActivityEvent
    found: set[int] = set()
    for chosen in in_chunks(event_ids):
        query = event.select(event.event_id).where(event.event_id.in_(chosen))
        found.update(event_id for (event_id,) in rows(query))
    return found


def get_moment(name: str) -> datetime | None:
    """The moment that is the KeyValue of this name, where it is one."""
    value = KeyValue.find(name)
    try:
        return to_utc(datetime.fromisoformat(value))
    except (TypeError, ValueError):
        return None
