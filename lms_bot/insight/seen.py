"""Who has seen to which events. Call it inside `Store.session()`, but for `note_reaction`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from peewee import JOIN, Case, fn

from lms_bot.core.activities import ActivityType
from lms_bot.core.clock import utc_now
from lms_bot.insight.concerns.tellings import get_concerns_in, mark_concerns_seen, mark_concerns_unseen
from lms_bot.insight.reports.students import EventPage, in_chunks
from lms_bot.people.access import Access, Asker
from lms_bot.store.conversation import SeenEvent
from lms_bot.store.database import Store, rows
from lms_bot.store.messages import Delivery, DeliveryState, Message
from lms_bot.store.models import LMSActivityEvent
from lms_bot.store.totals import Attempt


def mark_seen(
    event_ids: Collection[int],
    zulip_user_id: int,
    *,
    zulip_message_id: int | None = None,
    by_reaction: bool = False,
    now: datetime | None = None,
) -> int:
    """Writes down that somebody has seen to these events; returns how many of them they had not before."""
    said: dict[str, Any] = {
        "zulip_user_id": zulip_user_id,
        "zulip_message_id": zulip_message_id,
        "by_reaction": by_reaction,
    }
    said["seen_at"] = now or utc_now()
    marked = 0
    for chosen in in_chunks(event_ids):
        lines = [{"event": event_id, **said} for event_id in chosen]
        marked += SeenEvent.insert_many(lines).on_conflict_ignore().as_rowcount().execute()
    return marked


def mark_unseen(event_ids: Collection[int]) -> int:
    """Takes back whatever was said of these events, by whomever."""
    return sum(SeenEvent.delete().where(SeenEvent.event.in_(chosen)).execute() for chosen in in_chunks(event_ids))


def note_reaction(
    store: Store,
    access: Access,
    zulip_user_id: int,
    zulip_message_id: int,
    is_added: bool,
    now: datetime | None = None,
) -> int:
    """Somebody put ✅ to a message, or took it away: marks, or unmarks, the events and concerns in it.

    Returns how many events that were.

    It means nothing on a message that we did not send to this person, nor for students they may not see.
    Raises LMSBotError where it cannot be found out now.
    """
    with store.session():
        event_ids = _get_events_in(zulip_message_id, zulip_user_id)
        concerns = get_concerns_in(zulip_message_id, zulip_user_id)
    if not event_ids and not concerns:
        return 0
    asker = access.identify(zulip_user_id)
    with store.transaction():
        if not is_added:
            mark_concerns_unseen([one.concern_id for one in concerns], zulip_user_id)
            return _take_back_reaction(zulip_user_id, zulip_message_id)
        in_sight = [one.concern_id for one in concerns if asker.may_see(one.student_id)]
        mark_concerns_seen(in_sight, zulip_user_id, now or utc_now())
        theirs = get_ids_in_sight(asker, event_ids)
        return mark_seen(theirs, zulip_user_id, zulip_message_id=zulip_message_id, by_reaction=True, now=now)


def _get_events_in(zulip_message_id: int, zulip_user_id: int) -> list[int]:
    query = Delivery.select(Delivery.event).join(Message)
    query = query.where(Message.zulip_message_id == zulip_message_id, Message.zulip_user_id == zulip_user_id)
    return [event_id for (event_id,) in rows(query)]


def _take_back_reaction(zulip_user_id: int, zulip_message_id: int) -> int:
    """What they said otherwise stays."""
    mark = SeenEvent
    query = mark.delete().where(mark.zulip_message_id == zulip_message_id, mark.zulip_user_id == zulip_user_id)
    taken_back: int = query.where(mark.by_reaction).execute()
    return taken_back


def get_ids_in_sight(asker: Asker, event_ids: Iterable[int]) -> list[int]:
    """Those of the ids that are events of students the asker may see."""
    event = LMSActivityEvent
    found: list[int] = []
    for chosen in in_chunks(event_ids):
        query = event.select(event.event_id, event.student_id).where(event.event_id.in_(chosen))
        found += [event_id for event_id, student_id in rows(query) if asker.may_see(student_id)]
    return sorted(found)


def get_seen_by(event_ids: Iterable[int]) -> dict[int, list[int]]:
    """Who has seen to these events, as Zulip user ids, who was first before who was next; others are left out."""
    found: dict[int, list[int]] = defaultdict(list)
    for chosen in in_chunks(event_ids):
        query = SeenEvent.select(SeenEvent.event, SeenEvent.zulip_user_id).where(SeenEvent.event.in_(chosen))
        for event_id, zulip_user_id in rows(query.order_by(SeenEvent.seen_at, SeenEvent.zulip_user_id)):
            found[event_id].append(zulip_user_id)
    return dict(found)


def get_open_events(
    zulip_user_id: int,
    student_ids: Collection[int] | None,
    start: datetime,
    end: datetime,
    *,
    limit: int,
    offset: int = 0,
) -> EventPage:
    """What this person was told, of these students (None: of anybody) in that time, and nobody has seen to.

    Worst first: failed exams, then what was started and is left so, then the rest; the newest of each first.
    """
    event = LMSActivityEvent
    query = _open_events(zulip_user_id, student_ids)
    query = query.where(event.timestamp >= start, event.timestamp < end)
    order = (_severity(), event.timestamp.desc(), event.event_id.desc())
    page = query.select(event.event_id, fn.COUNT(event.event_id).over()).order_by(*order)
    found = rows(page.limit(limit).offset(offset))
    events = {one.event_id: one for one in event.select().where(event.event_id.in_([row[0] for row in found]))}
    total = found[0][1] if found else query.count()
    return EventPage(total, [events[event_id] for event_id, _ in found])


def get_open_ids(zulip_user_id: int, student_ids: Collection[int] | None) -> list[int]:
    """As `get_open_events`, of all times."""
    query = _open_events(zulip_user_id, student_ids).select(LMSActivityEvent.event_id)
    return [event_id for (event_id,) in rows(query)]


def _open_events(zulip_user_id: int, student_ids: Collection[int] | None) -> Any:
    event = LMSActivityEvent
    is_seen = SeenEvent.select(1).where(SeenEvent.event == event.event_id)
    # From the students' events to who was told, not the other way: SQLite takes a CROSS JOIN in the order given.
    query = event.select().join(Delivery, JOIN.INNER if student_ids is None else JOIN.CROSS)
    query = query.where(Delivery.event == event.event_id, Delivery.zulip_user_id == zulip_user_id)
    query = query.where(Delivery.correction == 0, Delivery.state == DeliveryState.SENT.value, ~fn.EXISTS(is_seen))
    return query if student_ids is None else query.where(event.student_id.in_(list(student_ids)))


def _severity() -> Any:
    event = LMSActivityEvent
    kinds = [kind for kind in ActivityType if kind.is_start]
    # Of the event's source key, what is between the stream and the type.
    around = fn.LENGTH(event.stream) + fn.LENGTH(event.event_type) + 2
    row_key = fn.SUBSTR(event.source_key, fn.LENGTH(event.stream) + 2, fn.LENGTH(event.source_key) - around)
    same = (Attempt.stream == event.stream) & (Attempt.row_key == row_key)
    is_left = fn.EXISTS(Attempt.select(1).where(same, Attempt.is_shown, Attempt.outcome == "started"))
    is_start = event.event_type.in_([kind.value for kind in kinds])
    return Case(None, [(event.event_type == ActivityType.EXAM_FAILED.value, 0), (is_start & is_left, 1)], 2)
