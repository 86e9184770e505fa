"""Tables of what is owed to people, and of what is sent to them."""

from __future__ import annotations

from enum import Enum, IntEnum

from peewee import (
    SQL,
    BigAutoField,
    BigIntegerField,
    BlobField,
    BooleanField,
    CharField,
    CompositeKey,
    DoubleField,
    Expression,
    ForeignKeyField,
    IntegerField,
    JSONField,
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
    SUMMED = "summed"  # told in the sums of the digest alone


class MessageState(_State):
    READY = "ready"  # written down, not yet sent
    SENDING = "sending"  # claimed; after its lease ran out its fate is unknown
    UNKNOWN = "unknown"  # sent perhaps; looked up in Zulip before it is sent again
    SENT = "sent"
    DEAD = "dead"


class Lane(IntEnum):
    """What goes first. In one conversation, the messages of one lane are sent in the order they were written in."""

    ANSWERS = 0  # to what people ask, and all else that they wait for
    URGENT = 1  # news of failed exams, and what admins must know
    ROUTINE = 2  # all other news


ALL_LANES = tuple(Lane)
NEWS = (Lane.URGENT, Lane.ROUTINE)


class Message(BaseModel):
    """What is sent to one person or place in one request: the exact text, written down before it is sent.

    `place` is where it goes: null is directly to `zulip_user_id`, a list of user ids is a group, an object with
    `channel` and `topic` a channel; `conversation` is the same as one text. `after_id` is the message it answers,
    whose Zulip id is smaller than its own will be. After `expires_at`, `instead` is sent in its place. `buttons` are
    null, or an object with the `heading` over them and the `choices`: of each the `label`, what it `says` and its
    `meaning`. Of an answer the text and the buttons are kept only until it is sent.
    """

    message_id = BigAutoField()
    zulip_user_id = BigIntegerField()
    place = JSONField(null=True)
    conversation = TextField()
    content = TextField()
    state = CharField(max_length=12, default=MessageState.READY.value)
    lane = IntegerField(default=Lane.ROUTINE.value)
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
    after_id = BigIntegerField(null=True)
    expires_at = UTCDateTimeField(null=True)
    instead = TextField(null=True)
    buttons = JSONField(null=True)

    class Meta:
        table_name = "lms_messages"


class MessageFile(BaseModel):
    """A file that comes with a message, until it is uploaded: `](attachment:N)` in the text is for its address."""

    message = ForeignKeyField(Message, backref="files", column_name="message_id", on_delete="CASCADE")
    number = IntegerField()
    name = TextField()
    content = BlobField()

    class Meta:
        table_name = "lms_message_files"
        primary_key = CompositeKey("message", "number")


class Delivery(BaseModel):
    """An event owed to one person. `recipient` is who: `zulip:9`, or `mentor:3` while nobody in Zulip
    is known for that mentor (mentors.id), or `nobody` for a student without mentors.

    `correction` is 0 for the event itself, or the number of a `Correction` of what was told."""

    delivery_id = BigAutoField()
    event_id: int
    event = ForeignKeyField(LMSActivityEvent, backref="deliveries", column_name="event_id", on_delete="CASCADE")
    recipient = TextField()
    zulip_user_id = BigIntegerField(null=True)
    state = CharField(max_length=12, default=DeliveryState.PENDING.value)
    message = ForeignKeyField(
        Message, null=True, backref="deliveries", column_name="message_id", on_delete="SET NULL"
    )
    reason = TextField(null=True)
    created_at = UTCDateTimeField(default=utc_now)
    updated_at = UTCDateTimeField(default=utc_now)
    correction = IntegerField(default=0)

    class Meta:
        table_name = "lms_deliveries"
        indexes = ((("event", "recipient", "correction"), True),)


class Correction(BaseModel):
    """That the LMS turned the result of an exam, passed to failed or back: what it was, and what it is now.

    It belongs to the event that tells of it: the one that the present result made, or, where there was one before,
    the one that told of the former result. `number` counts the corrections of that event.
    """

    event_id: int
    event = ForeignKeyField(
        LMSActivityEvent, primary_key=True, backref="corrections", column_name="event_id", on_delete="CASCADE"
    )
    number = IntegerField(default=0)
    was_type = CharField(max_length=32)
    was_percentage = DoubleField(null=True)
    event_type = CharField(max_length=32)
    percentage = DoubleField(null=True)
    corrected_at = UTCDateTimeField(default=utc_now)

    class Meta:
        table_name = "lms_corrections"


def _is_one_of(state: CharField, *states: Enum) -> Expression:
    """As the condition of an index has it, word for word: only so does SQLite know that the index will do."""
    return state.in_([SQL(f"'{one.value}'") for one in states])


_UNSENT_STATES = (MessageState.READY, MessageState.SENDING, MessageState.UNKNOWN)
IS_UNSENT = _is_one_of(Message.state, *_UNSENT_STATES)
UNSENT_SQL = "state IN ('" + "', '".join(one.value for one in _UNSENT_STATES) + "')"
"""The same for plain statements."""
IS_DEAD = Message.state == SQL(f"'{MessageState.DEAD.value}'")
"""Given up; word for word, too."""
IS_UNWRITTEN = (Delivery.state == SQL(f"'{DeliveryState.PENDING.value}'")) & Delivery.message.is_null()
"""Owed, and in no message yet; likewise word for word."""
HAS_FAILED = _is_one_of(Delivery.state, DeliveryState.DEAD, DeliveryState.UNMAPPED)
"""To be asked for also by who wants one of these states: there are few such rows among many that were sent."""
