"""Tables of what is owed to people, and of what is sent to them."""

from __future__ import annotations

from enum import Enum

from peewee import (
    SQL,
    BigAutoField,
    BigIntegerField,
    BooleanField,
    CharField,
    Expression,
    ForeignKeyField,
    IntegerField,
    TextField,
)

from lms_bot.core.clock import utc_now
from lms_bot.store.database import UTCDateTimeField
from lms_bot.store.models import BaseModel, LMSActivityEvent


class _State(str, Enum):
    def __str__(self) -> str:
        return str(self.value)


class DeliveryState(_State):
    PENDING = "pending"  # owed, and we know to whom
    UNMAPPED = "unmapped"  # owed, but nobody in Zulip could be found yet
    SENT = "sent"
    DEAD = "dead"  # given up; an admin may retry it
    UNWANTED = "unwanted"  # the person, or an admin, wants it not told


class MessageState(_State):
    READY = "ready"  # written down, not yet sent
    SENDING = "sending"  # claimed; after its lease ran out its fate is unknown
    UNKNOWN = "unknown"  # sent perhaps; looked up in Zulip before it is sent again
    SENT = "sent"
    DEAD = "dead"


class Message(BaseModel):
    """What is sent to one person in one request: the exact text, written down before it is sent."""

    message_id = BigAutoField()
    zulip_user_id = IntegerField()
    content = TextField()
    state = CharField(max_length=12, default=MessageState.READY.value)
    priority = IntegerField(default=1)
    """Lower goes first: 0 failed exams, 1 the rest."""
    tries = IntegerField(default=0)
    """How often an answering Zulip did not take it."""
    not_before = UTCDateTimeField(default=utc_now)
    claimed_at = UTCDateTimeField(null=True)
    lease_until = UTCDateTimeField(null=True)
    claimed_by = TextField(null=True)
    zulip_message_id = BigIntegerField(null=True)
    reason = TextField(null=True)
    created_at = UTCDateTimeField(default=utc_now)
    sent_at = UTCDateTimeField(null=True)
    is_gathered = BooleanField(default=False)
    """It carries events that were gathered for some time."""

    class Meta:
        table_name = "lms_messages"


class Delivery(BaseModel):
    """An event owed to one person. `recipient` is who: `zulip:9`, or `mentor:3` while nobody in Zulip
    is known for that mentor (mentors.id), or `nobody` for a student without mentors."""

    delivery_id = BigAutoField()
    event_id: int
    event = ForeignKeyField(LMSActivityEvent, backref="deliveries", column_name="event_id", on_delete="CASCADE")
    recipient = TextField()
    zulip_user_id = IntegerField(null=True)
    state = CharField(max_length=12, default=DeliveryState.PENDING.value)
    message = ForeignKeyField(
        Message, null=True, backref="deliveries", column_name="message_id", on_delete="SET NULL"
    )
    reason = TextField(null=True)
    created_at = UTCDateTimeField(default=utc_now)
    updated_at = UTCDateTimeField(default=utc_now)

    class Meta:
        table_name = "lms_deliveries"
        indexes = ((("event", "recipient"), True),)


def _is_one_of(state: CharField, *states: Enum) -> Expression:
    """As the condition of an index has it, word for word: only so does SQLite know that the index will do."""
    return state.in_([SQL(f"'{one.value}'") for one in states])


IS_UNSENT = _is_one_of(Message.state, MessageState.READY, MessageState.SENDING, MessageState.UNKNOWN)
HAS_FAILED = _is_one_of(Delivery.state, DeliveryState.DEAD, DeliveryState.UNMAPPED)
"""To be asked for also by who wants one of these states: there are few such rows among many that were sent."""
