"""Messages written down before they are sent, claimed by one sender at a time, and what became of them.

Every change of state is a conditional update whose row count decides, so that any number of processes may try.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from peewee import fn

from lms_bot.core.bell import Bell
from lms_bot.outbox.draft import Draft, name_conversation, to_stored_buttons, to_stored_place
from lms_bot.store.database import Store, rows
from lms_bot.store.deliveries import Deliveries
from lms_bot.store.leases import is_dead
from lms_bot.store.messages import (
    ALL_LANES,
    IS_UNSENT,
    NEWS,
    UNSENT_SQL,
    DeliveryState,
    Lane,
    Message,
    MessageFile,
    MessageState,
)
from lms_bot.store.statements import Statements, to_stored

HAS_WORK_SQL = f"""
SELECT 1 FROM lms_messages WHERE {UNSENT_SQL} AND lane BETWEEN ? AND ?
AND NOT (state = 'sending' AND claimed_by = ? AND lease_until >= ?) LIMIT 1
"""
HAS_NEWS_SQL = f"""
SELECT 1 FROM lms_messages
WHERE {UNSENT_SQL} AND conversation = ? AND lane BETWEEN ? AND ? AND zulip_user_id = ? LIMIT 1
"""
CLAIM_SQL = f"""
UPDATE lms_messages SET state = 'sending', claimed_by = ?, claimed_at = ?, lease_until = ? WHERE message_id = (
    SELECT message_id FROM lms_messages AS message
    WHERE {UNSENT_SQL} AND state = 'ready' AND not_before <= ? AND lane BETWEEN ? AND ? AND NOT EXISTS (
        SELECT 1 FROM lms_messages AS earlier WHERE earlier.{UNSENT_SQL} AND earlier.lane = message.lane
        AND earlier.conversation = message.conversation AND earlier.message_id < message.message_id
    )
    ORDER BY lane, message_id LIMIT 1 {{skipping}}
) RETURNING *
"""
"""Asked for each message, and each second: peewee takes many times as long to make such SQL as it takes to run."""

LEASE = timedelta(seconds=60)  # longer than a send may take; after it the sender counts as dead
LOOKING_UP = timedelta(seconds=20)  # longer than a look-up may take


class Outbox:
    """Each method is one transaction on `store`, or part of the caller's. Threads share it.

    Its bells ring when there may be something to send: one for answers, one for news.
    """

    def __init__(self, store: Store, deliveries: Deliveries) -> None:
        self._store = store
        self._deliveries = deliveries
        self._statements = Statements(store.database)
        skipping = "FOR UPDATE SKIP LOCKED" if store.is_postgresql else ""  # what another process is just claiming
        self._claim_sql = CLAIM_SQL.format(skipping=skipping)
        self._claiming = threading.Lock()  # threads of one process need not meet in the store
        self.answers_bell, self.news_bell = Bell(), Bell()

    def write(self, draft: Draft, now: datetime) -> Message:
        """Writes a message down, in the caller's transaction. After that, `wake` has it sent soon."""
        values = {
            "zulip_user_id": draft.zulip_user_id,
            "place": to_stored_place(draft),
            "conversation": name_conversation(draft.destination),
            "content": draft.content.replace("\0", "\N{REPLACEMENT CHARACTER}"),  # PostgreSQL takes no NUL
            "state": MessageState.READY,
            "lane": draft.lane,
            "tries": 0,
            "not_before": now,
            "created_at": now,
            "is_gathered": draft.is_gathered,
            "after_id": draft.after_id or None,
            "expires_at": draft.expires_at,
            "instead": draft.instead,
            "buttons": to_stored_buttons(draft),
        }
        message = self._statements.create(Message, values)
        for number, file in enumerate(draft.files):
            MessageFile.create(message=message, number=number, name=file.name, content=file.content)
        return message

    def wake(self, lanes: Collection[Lane] = ALL_LANES) -> None:
        """There may be something to send: whoever waits for one of these lanes need not wait longer."""
        if Lane.ANSWERS in lanes:
            self.answers_bell.ring()
        if any(lane in NEWS for lane in lanes):
            self.news_bell.ring()

    # ---- taking what is to be done ----

    def has_work(self, lanes: Collection[Lane], sender: str, now: datetime) -> bool:
        """Whether anything is unsent that this sender does not have in hand already; the lanes follow each other."""
        return bool(self._statements.execute(HAS_WORK_SQL, (min(lanes), max(lanes), sender, to_stored(now))))

    def claim(self, sender: str, now: datetime, lanes: Sequence[Lane] = ALL_LANES) -> Message | None:
        """Takes the most pressing message that is due, for this sender alone; None where there is none."""
        parameters = (sender, to_stored(now), to_stored(now + LEASE), to_stored(now), min(lanes), max(lanes))
        with self._claiming, self._store.session():
            claimed = self._statements.read(Message, self._claim_sql, parameters)
            if claimed and self.has_work(lanes, sender, now):
                self.wake(lanes)  # the next need not wait until this one is sent
        return claimed[0] if claimed else None

    def claim_unknown(self, now: datetime, grace: timedelta, lanes: Sequence[Lane] = ALL_LANES) -> Message | None:
        """A message that may or may not have been sent and is to be looked up; for a while it is nobody else's.

        `grace` is how long a request may still be carried out after the process that made it died.
        """
        with self._claiming:
            self._doubt_abandoned(now, grace)
            is_due = (IS_UNSENT, Message.state == MessageState.UNKNOWN, Message.not_before <= now)
            query = Message.select().where(*is_due, Message.lane.in_(list(lanes))).order_by(Message.not_before)
            with self._store.session():
                message: Message | None = query.first()
            if message is None or not self._change(message, not_before=now + LOOKING_UP):
                return None
            return message

    def _doubt_abandoned(self, now: datetime, grace: timedelta) -> None:
        """A sender that let its lease run out, or is a dead process of this machine, may or may not have sent."""
        in_doubt = {"state": MessageState.UNKNOWN, "not_before": now, "reason": "the bot stopped while sending it"}
        is_claimed = IS_UNSENT & (Message.state == MessageState.SENDING)
        with self._store.session():
            claimed = list(Message.select().where(is_claimed))
        for message in claimed:
            if message.lease_until < now:
                self._change(message, **in_doubt)
            elif is_dead((message.claimed_by or "").rpartition(":")[0]):
                self._change(message, **in_doubt, lease_until=now + grace)

    # ---- what is known of what was sent ----

    def has_unsent_news(self, zulip_user_id: int) -> bool:
        """Whether a message of news to this person is on its way."""
        parameters = (str(zulip_user_id), min(NEWS), max(NEWS), zulip_user_id)
        return bool(self._statements.execute(HAS_NEWS_SQL, parameters))

    def get_known_ids(self, message: Message, after_id: int) -> set[int]:
        """Zulip's ids above `after_id` of other messages known to be in the same conversation."""
        query = Message.select(Message.zulip_message_id).where(
            Message.conversation == message.conversation, Message.zulip_message_id > after_id
        )
        return {sent_id for (sent_id,) in rows(query)}

    def get_last_zulip_id(self, message: Message, before: datetime) -> int:
        """Zulip's highest id of a message known to be in the same conversation before that moment; 0 for none."""
        query = Message.select(fn.MAX(Message.zulip_message_id)).where(
            Message.conversation == message.conversation,
            Message.zulip_message_id.is_null(False),
            Message.sent_at < before,
        )
        ((last_id,),) = rows(query)
        return last_id or 0

    def are_all_news(self, zulip_message_ids: Collection[int]) -> bool:
        """Whether each of these messages of ours told news, and none answered anybody."""
        is_news = Message.lane.in_(list(NEWS)) & Message.zulip_message_id.in_(list(zulip_message_ids))
        return bool(Message.select().where(is_news).count() == len(zulip_message_ids))

    def get_files(self, message: Message) -> list[MessageFile]:
        query = MessageFile.select().where(MessageFile.message == message.message_id)
        return list(query.order_by(MessageFile.number))

    # ---- what becomes of a message ----

    def mark_uploaded(self, message: Message, file: MessageFile, content: str) -> bool:
        """The text names the file's address now, or what there is to say in its place."""
        with self._store.transaction():
            is_done = self._change(message, content=content)
            if is_done:
                file.delete_instance()
            return is_done

    def mark_sent(self, message: Message, zulip_message_id: int, now: datetime) -> bool:
        """Settles the message and what it carried. False where another process did."""
        with self._store.transaction():
            changes = {"zulip_message_id": zulip_message_id, "sent_at": now, "reason": None}
            is_changed = self._change(message, state=MessageState.SENT, **changes, **_get_forgotten(message))
            if is_changed:
                self._end(message, DeliveryState.SENT, None, now)
            return is_changed

    def mark_dead(self, message: Message, reason: str, now: datetime) -> bool:
        """Gives the message up, with the reason in plain words; what it carried may be retried by an admin."""
        with self._store.transaction():
            is_changed = self._change(message, state=MessageState.DEAD, reason=reason, **_get_forgotten(message))
            if is_changed:
                self._end(message, DeliveryState.DEAD, reason, now)
            return is_changed

    def _end(self, message: Message, state: DeliveryState, reason: str | None, now: datetime) -> None:
        if message.lane in NEWS:
            self._deliveries.end_message(message, state, reason, now)
        else:
            MessageFile.delete().where(MessageFile.message == message.message_id).execute()

    def mark_ready(
        self, message: Message, not_before: datetime, reason: str | None, tries: int, *, has_buttons: bool = True
    ) -> bool:
        """Certainly not sent: to be tried again, with the buttons it has or without."""
        changes = {"not_before": not_before, "reason": reason, "tries": tries}
        if not has_buttons:
            changes["buttons"] = None
        return self._change(message, state=MessageState.READY, **changes)

    def mark_unknown(
        self, message: Message, not_before: datetime, reason: str | None, lease_until: datetime | None = None
    ) -> bool:
        """Perhaps sent: to be looked up in Zulip before anything else, and not sent again before `lease_until`."""
        changes = {"not_before": not_before, "reason": reason, "lease_until": lease_until or message.lease_until}
        return self._change(message, state=MessageState.UNKNOWN, **changes)

    def replace_expired(self, message: Message) -> bool:
        """What waited too long is not sent any more, but what was to be said instead."""
        MessageFile.delete().where(MessageFile.message == message.message_id).execute()
        return self._change(message, content=message.instead, buttons=None, expires_at=None)

    def forget_answers_before(self, moment: datetime) -> None:
        """Answers that were settled by then: nobody needs them any more."""
        is_answer = (Message.lane == Lane.ANSWERS) & (Message.created_at < moment)
        Message.delete().where(is_answer, ~IS_UNSENT).execute()

    def _change(self, message: Message, **changes: Any) -> bool:
        """Updates the message if it still is as we saw it, state and claim; whether a row was changed decides."""
        seen = {name: getattr(message, name) for name in ("message_id", "state", "not_before", "claimed_at")}
        is_changed = self._statements.update(Message, changes, seen)
        if is_changed:
            for name, value in changes.items():
                setattr(message, name, value)
        return is_changed


def _get_forgotten(message: Message) -> dict[str, str | None]:
    """What an answer said is kept no longer than it is needed."""
    return {"content": "", "instead": None, "buttons": None} if message.lane == Lane.ANSWERS else {}
