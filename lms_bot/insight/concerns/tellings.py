"""Whom concerns are told, and whom they are owed. Call it inside `Store.session()`; changes within a transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from peewee import JOIN

from lms_bot.store.concerns import Concern, ConcernTelling, Snooze
from lms_bot.store.database import rows
from lms_bot.store.messages import Delivery, Message, MessageState
from lms_bot.store.models import LMSActivityEvent


def get_undecided() -> list[Concern]:
    """Urgent concerns that opened or worsened, and of which it is not found out who is to be told at once."""
    return list(Concern.select().where(Concern.is_owed).order_by(Concern.concern_id))


def owe(concern: Concern, zulip_user_ids: Collection[int], now: datetime) -> int:
    """Owes the concern, as it is now, to these people; returns to how many more. It is decided with that."""
    same = (Concern.concern_id == concern.concern_id) & (Concern.number == concern.number)
    if not Concern.update(is_owed=False).where(same, Concern.is_owed).execute():
        return 0  # it has worsened meanwhile, or another process decided it
    lines = [
        {"concern": concern.concern_id, "number": concern.number, "zulip_user_id": one, "created_at": now}
        for one in sorted(zulip_user_ids)
    ]
    query = ConcernTelling.insert_many(lines).on_conflict_ignore() if lines else None
    return 0 if query is None else int(query.as_rowcount().execute())


def get_owed_people() -> dict[int, int]:
    """How many concerns are owed to each person, by Zulip user id."""
    query = ConcernTelling.select(ConcernTelling.zulip_user_id).where(ConcernTelling.message.is_null())
    found: dict[int, int] = {}
    for (person,) in rows(query):
        found[person] = found.get(person, 0) + 1
    return found


def get_owed(zulip_user_id: int, now: datetime) -> list[Concern]:
    """What is owed to one person and holds still, oldest first; what does not is owed no longer.

    While somebody put a student off, theirs are left out.
    """
    mine = (ConcernTelling.zulip_user_id == zulip_user_id) & ConcernTelling.message.is_null()
    query = ConcernTelling.select(ConcernTelling, Concern).join(Concern).where(mine)
    owed = list(query.order_by(ConcernTelling.concern))
    holds: list[Concern] = []
    for one in owed:
        concern = one.concern
        if concern.cleared_at is None and concern.seen_at is None and one.number == concern.number:
            holds.append(concern)
        else:
            same = (ConcernTelling.concern == concern.concern_id) & (ConcernTelling.number == one.number)
            ConcernTelling.delete().where(mine, same).execute()
    snoozed = get_snoozes({one.student_id for one in holds}, now)
    return [one for one in holds if one.student_id not in snoozed]


def forget_owed(zulip_user_id: int, concerns: Iterable[Concern]) -> None:
    """These are owed to that person no longer: they may not see the student, say."""
    for one in concerns:
        mine = (ConcernTelling.zulip_user_id == zulip_user_id) & (ConcernTelling.concern == one.concern_id)
        ConcernTelling.delete().where(mine, ConcernTelling.message.is_null()).execute()


def mark_told(
    zulip_user_id: int, concerns: Iterable[Concern], message: Message, now: datetime, *, to_supervisor: bool = False
) -> None:
    """The message tells this person of the concerns as they are now."""
    for one in concerns:
        ConcernTelling.insert(
            concern=one.concern_id,
            number=one.number,
            zulip_user_id=zulip_user_id,
            to_supervisor=to_supervisor,
            message=message,
            created_at=now,
        ).on_conflict(
            conflict_target=[
                ConcernTelling.concern,
                ConcernTelling.number,
                ConcernTelling.zulip_user_id,
                ConcernTelling.to_supervisor,
            ],
            preserve=[ConcernTelling.message, ConcernTelling.created_at],
        ).execute()


def get_told_numbers(
    zulip_user_id: int, concerns: Sequence[Concern], *, to_supervisor: bool = False
) -> Mapping[int, int]:
    """The last number of each of these concerns that this person was told of, or is about to be, by concern id."""
    telling = ConcernTelling
    query = telling.select(telling.concern, telling.number).join(Message, JOIN.LEFT_OUTER)
    query = query.where(telling.zulip_user_id == zulip_user_id, telling.to_supervisor == to_supervisor)
    query = query.where(Message.message_id.is_null() | (Message.state != MessageState.DEAD))
    query = query.where(telling.concern.in_([one.concern_id for one in concerns])).order_by(telling.number)
    return dict(rows(query)) if concerns else {}


def get_first_told(concern_ids: Collection[int]) -> dict[int, datetime]:
    """When the concerns, as they are now, were first told to a mentor; those that were not are left out."""
    telling = ConcernTelling
    query = telling.select(telling.concern, telling.created_at).join(Concern)
    query = query.where(telling.concern.in_(list(concern_ids)), telling.number == Concern.number)
    query = query.where(telling.message.is_null(False), ~telling.to_supervisor).order_by(telling.created_at.desc())
    return dict(rows(query)) if concern_ids else {}


def get_snoozes(student_ids: Collection[int] | None, now: datetime) -> dict[int, Snooze]:
    """Who of these students (None: of all) is put off now, by id."""
    query = Snooze.select().where(Snooze.until > now)
    if student_ids is not None:
        query = query.where(Snooze.student_id.in_(list(student_ids)))
    return {one.student_id: one for one in query}


def get_concerns_in(zulip_message_id: int, zulip_user_id: int) -> list[Concern]:
    """What a message to this person told of."""
    query = Concern.select().join(ConcernTelling).join(Message)
    return list(query.where(Message.zulip_message_id == zulip_message_id, Message.zulip_user_id == zulip_user_id))


def get_concerns_told_with(event_ids: Collection[int], zulip_user_id: int) -> list[Concern]:
    """What the messages that told this person of these events told of the same students."""
    if not event_ids:
        return []
    telling, event = ConcernTelling, LMSActivityEvent
    told = telling.select(telling.concern).join(Concern).switch(telling)
    told = told.join(Delivery, on=(Delivery.message == telling.message)).join(event)
    told = told.where(event.event_id.in_(list(event_ids)), event.student_id == Concern.student_id)
    told = told.where(telling.zulip_user_id == zulip_user_id, Delivery.zulip_user_id == zulip_user_id)
    return list(Concern.select().where(Concern.concern_id.in_(told)))


def mark_concerns_seen(concern_ids: Collection[int], zulip_user_id: int, now: datetime) -> int:
    """Writes down who has seen to these open concerns; returns how many nobody had seen to before."""
    those = Concern.concern_id.in_(list(concern_ids)) & Concern.cleared_at.is_null() & Concern.seen_at.is_null()
    return int(Concern.update(seen_at=now, seen_by=zulip_user_id).where(those).execute()) if concern_ids else 0


def mark_concerns_reopened(concern_ids: Collection[int]) -> int:
    """Takes back whatever was said of these concerns that are open, by whomever; returns of how many."""
    those = Concern.concern_id.in_(list(concern_ids)) & Concern.cleared_at.is_null() & Concern.seen_at.is_null(False)
    return int(Concern.update(seen_at=None, seen_by=None).where(those).execute()) if concern_ids else 0


def mark_concerns_unseen(concern_ids: Collection[int], zulip_user_id: int) -> int:
    """Takes back what that person said of them."""
    those = Concern.concern_id.in_(list(concern_ids)) & (Concern.seen_by == zulip_user_id)
    return int(Concern.update(seen_at=None, seen_by=None).where(those).execute()) if concern_ids else 0
