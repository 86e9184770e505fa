"""Read-only questions to the store that the commands ask. Numbers and rows out, no text.

Call them inside `Store.session()`. Every question goes by an index: what an answer costs follows the students
and the time it is about, not how much is stored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from peewee import Case, Select, fn

from lms_bot.activities import ActivityType
from lms_bot.clock import UTC, to_utc
from lms_bot.store.models import (
    Delivery,
    DeliveryState,
    Fact,
    LMSActivityEvent,
    LMSEventLog,
    Message,
    MessageState,
    RejectedRow,
)

IDS_PER_QUERY = 500
GROUPS_SHOWN = 50
IDS_SHOWN = 10

_EXAM_TYPES = [kind.value for kind in ActivityType if kind.is_exam]
_START_TYPES = [kind.value for kind in ActivityType if kind.is_start]
_END_OF_TIME = datetime.max.replace(tzinfo=UTC)
_UNSENT = [MessageState.READY.value, MessageState.SENDING.value, MessageState.UNKNOWN.value]
_IS_UNWRITTEN = (Delivery.state == DeliveryState.PENDING.value) & Delivery.message.is_null()


@dataclass(frozen=True)
class History:
    """`total` events there are, and the newest of them, newest first."""

    total: int
    events: Sequence[LMSActivityEvent]


@dataclass
class StudentSummary:
    """What one student did in a period: events by type, how many things were started and left, the latest."""

    student_id: int
    last_at: datetime
    username: str | None
    display_name: str | None
    counts: Counter[str] = field(default_factory=Counter)
    left_open: int = 0


@dataclass(frozen=True)
class StoredStudent:
    """A student as the latest event tells of them."""

    student_id: int
    username: str | None
    display_name: str | None


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


def get_history(
    student_id: int, start: datetime | None = None, end: datetime | None = None, limit: int = 250
) -> History:
    """What one student did, from `start` on and before `end` where given; at most `limit` events."""
    event = LMSActivityEvent
    query = event.select().where(event.student_id == student_id)
    if start is not None:
        query = query.where(event.timestamp >= to_utc(start))
    if end is not None:
        query = query.where(event.timestamp < to_utc(end))
    newest = query.order_by(event.timestamp.desc(), event.event_id.desc()).limit(limit)
    return History(query.count(), list(newest))


def get_summary(
    start: datetime, end: datetime, student_ids: Collection[int] | None = None
) -> list[StudentSummary]:
    """Who did what at or after `start` and before `end`, of some students if given; those who did nothing are
    left out. Worst first: failed exams, then what was started and left, then passed exams."""
    found: dict[int, StudentSummary] = {}
    left_open: dict[int, int] = {}
    for chosen in _chunks(student_ids):
        for student_id, event_type, count, last_at, *names in _rows(_counts_of_each(start, end, chosen)):
            one = found.setdefault(student_id, StudentSummary(student_id, last_at, *names))
            one.counts[event_type] = count
            one.last_at = max(one.last_at, last_at)
        left_open.update(_left_open(start, end, chosen))
    for one in found.values():
        one.left_open = left_open.get(one.student_id, 0)
    return sorted(found.values(), key=_worst_first)


def _worst_first(summary: StudentSummary) -> tuple[int, int, int, int, str]:
    counts = summary.counts
    failed, passed = counts[ActivityType.EXAM_FAILED.value], counts[ActivityType.EXAM_PASSED.value]
    return -failed, -summary.left_open, -passed, -sum(counts.values()), summary.username or ""


def _counts_of_each(start: datetime, end: datetime, student_ids: Sequence[int] | None) -> Any:
    event = LMSActivityEvent
    columns = (
        event.student_id,
        event.event_type,
        fn.COUNT(event.event_id),
        fn.MAX(event.timestamp),
        fn.MAX(event.student_username),
        fn.MAX(event.student_display_name),
    )
    query = event.select(*columns).where(event.timestamp >= to_utc(start), event.timestamp < to_utc(end))
    return _of_students(query, student_ids).group_by(event.student_id, event.event_type)


def _left_open(start: datetime, end: datetime, student_ids: Sequence[int] | None) -> dict[int, int]:
    """How many exams and contents each student started in the period without anything after it, up to now."""
    event = LMSActivityEvent
    is_start = event.event_type.in_(_START_TYPES)
    started = fn.SUM(Case(None, [(is_start & (event.timestamp < to_utc(end)), 1)], 0))
    followed = fn.SUM(Case(None, [(~is_start, 1)], 0))
    one_of_each = (
        _of_students(event.select(event.student_id), student_ids)
        .where(
            event.timestamp >= to_utc(start), event.timestamp < _END_OF_TIME
        )  # SQLite wants both for its index
        .group_by(event.student_id, event.activity_id, event.event_type.in_(_EXAM_TYPES))
        .having(started > 0, followed == 0)
    )
    student_id = one_of_each.c.student_id
    return dict(_rows(event.select(student_id, fn.COUNT(1)).from_(one_of_each).group_by(student_id)))


def get_counts_by_type(student_ids: Collection[int] | None, since: datetime | None = None) -> dict[str, int]:
    """How many events there are of each type; of some students, and since a moment, if given."""
    if student_ids is None:
        return LMSActivityEvent.get_counts_by_type(since)
    event = LMSActivityEvent
    counts: Counter[str] = Counter()
    for chosen in _chunks(student_ids):
        query = _of_students(event.select(event.event_type, fn.COUNT(event.event_id)), chosen)
        if since is not None:
            query = query.where(event.timestamp >= to_utc(since))
        counts.update(dict(_rows(query.group_by(event.event_type))))
    return dict(counts)


def get_last_events(student_ids: Collection[int]) -> dict[int, LMSActivityEvent]:
    """The latest event of each of these students who has one."""
    event = LMSActivityEvent
    found: dict[int, LMSActivityEvent] = {}
    for chosen in _chunks(student_ids):
        newest = _of_students(event.select(event.student_id, fn.MAX(event.timestamp).alias("at")), chosen)
        newest = newest.group_by(event.student_id).alias("newest")
        is_newest = (event.student_id == newest.c.student_id) & (event.timestamp == newest.c.at)
        query = event.select().join(newest, on=is_newest).order_by(event.event_id)
        found.update({row.student_id: row for row in query})
    return found


def get_stored_students() -> list[StoredStudent]:
    """Everybody of whom an event is stored, by id.

    It walks the index from one student to the next, which takes as long as there are students; DISTINCT would
    read every event.
    """
    event = LMSActivityEvent
    ids = event.select(fn.MIN(event.student_id)).cte("ids", recursive=True, columns=("student_id",))
    later, latest = event.alias("later"), event.alias("latest")
    next_id = later.select(fn.MIN(later.student_id)).where(later.student_id > ids.c.student_id)
    ids = ids.union_all(Select([ids], [next_id]).where(ids.c.student_id.is_null(False)))
    last_event = latest.select(latest.event_id).where(latest.student_id == ids.c.student_id)
    last_event = last_event.order_by(latest.timestamp.desc(), latest.event_id.desc()).limit(1)
    last_ids = Select([ids], [last_event]).where(ids.c.student_id.is_null(False))
    columns = (event.student_id, event.student_username, event.student_display_name)
    query = event.select(*columns).where(event.event_id.in_(last_ids)).order_by(event.student_id)
    return [StoredStudent(*row) for row in _rows(query.with_cte(ids))]


def get_error_groups() -> list[ErrorGroup]:
    """Why events could not be told to everybody they are owed to, most frequent reason first."""
    log = LMSEventLog
    failed = log.error_message.is_null(False)
    counts = log.select(log.error_message, fn.COUNT(log.event), fn.MAX(log.processed_at)).where(failed)
    counts = counts.group_by(log.error_message).order_by(fn.COUNT(log.event).desc()).limit(GROUPS_SHOWN)
    groups = []
    for reason, count, last_at in _rows(counts):
        newest = log.select(log.event).where(failed, log.error_message == reason)
        ids = _rows(newest.order_by(log.event.desc()).limit(IDS_SHOWN))
        groups.append(ErrorGroup(reason, count, [event_id for (event_id,) in ids], last_at))
    return groups


def get_rejected_groups() -> list[RejectedGroup]:
    """LMS rows that could not become activities, by stream and problem, most frequent first."""
    row = RejectedRow
    totals = (fn.COUNT(row.row_key), fn.MAX(row.reason), fn.MAX(row.rejected_at))
    counts = row.select(row.stream, row.problem, *totals).group_by(row.stream, row.problem)
    groups = []
    counts = counts.order_by(totals[0].desc()).limit(GROUPS_SHOWN)
    for stream, problem, count, reason, last_at in _rows(counts):
        newest = row.select(row.row_key).where(row.stream == stream, row.problem == problem)
        keys = _rows(newest.order_by(row.rejected_at.desc()).limit(IDS_SHOWN))
        groups.append(RejectedGroup(stream, problem, count, [key for (key,) in keys], reason, last_at))
    return groups


def get_waiting() -> list[Waiting]:
    """Deliveries in messages not yet sent, and to people not found yet, by recipient and reason.

    Longest wait first. Those in no message yet are `get_unwritten`.
    """
    delivery, message = Delivery, Message
    of_delivery, of_message = (delivery.state, delivery.reason), (message.state, message.reason)
    waiting = [
        *_count_deliveries(delivery.select(), of_delivery, delivery.state == DeliveryState.UNMAPPED.value),
        *_count_deliveries(delivery.select().join(message), of_message, message.state.in_(_UNSENT)),
    ]
    return sorted(waiting, key=lambda group: group.since)


def get_unwritten(zulip_user_id: int | None = None) -> list[Unwritten]:
    """Deliveries in no message yet, to one person if given, oldest first: held back, or to be written next."""
    event = LMSActivityEvent
    columns = (
        Delivery.recipient,
        Delivery.zulip_user_id,
        event.event_type,
        event.student_id,
        Delivery.created_at,
    )
    query = Delivery.select(*columns).join(event).where(_IS_UNWRITTEN).order_by(Delivery.delivery_id)
    if zulip_user_id is not None:
        query = query.where(Delivery.zulip_user_id == zulip_user_id)
    return [Unwritten(*row) for row in _rows(query)]


def _count_deliveries(query: Any, state_and_reason: tuple[Any, Any], condition: Any) -> list[Waiting]:
    groups = (Delivery.recipient, *state_and_reason)
    columns = (*groups, fn.COUNT(Delivery.delivery_id), fn.MIN(Delivery.created_at))
    return [Waiting(*row) for row in _rows(query.select(*columns).where(condition).group_by(*groups))]


def get_undecided() -> tuple[int, datetime | None]:
    """How many events nobody has looked at yet to see who is to be told, and since when."""
    event = LMSActivityEvent
    query = event.select(fn.COUNT(event.event_id), fn.MIN(event.created_at)).where(~event.has_deliveries)
    ((count, since),) = _rows(query)
    return count, since


def count_unsent(zulip_user_id: int) -> int:
    """How many deliveries to one person are in messages not yet sent."""
    mine = Delivery.zulip_user_id == zulip_user_id
    return Delivery.select().join(Message).where(mine, Message.state.in_(_UNSENT)).count()


def get_stored_ids(event_ids: Collection[int]) -> set[int]:
    """Those of the ids that are events."""
    event = LMSActivityEvent
    found: set[int] = set()
    for chosen in _chunks(event_ids):
        query = event.select(event.event_id).where(event.event_id.in_(chosen))
        found.update(event_id for (event_id,) in _rows(query))
    return found


def get_moment(name: str) -> datetime | None:
    """The moment that is the Fact of this name, where it is one."""
    value = Fact.find(name)
    try:
        return to_utc(datetime.fromisoformat(value))
    except (TypeError, ValueError):
        return None


def _rows(query: Any) -> list[tuple[Any, ...]]:
    return list(query.tuples())


def _of_students(query: Any, student_ids: Sequence[int] | None) -> Any:
    return query if student_ids is None else query.where(LMSActivityEvent.student_id.in_(student_ids))


def _chunks(student_ids: Collection[int] | None) -> Iterator[Sequence[int] | None]:
    """The ids in pieces that fit a query; None, meaning everybody, as the one piece it is."""
    if student_ids is None:
        yield None
        return
    ids = sorted(student_ids)
    for first in range(0, len(ids), IDS_PER_QUERY):
        yield ids[first : first + IDS_PER_QUERY]
