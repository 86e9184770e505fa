"""Tables of what people say to the bot: what it has answered, and what they had it write down."""

from __future__ import annotations

from datetime import datetime

from peewee import (
    AutoField,
    BigIntegerField,
    BooleanField,
    ForeignKeyField,
    IntegerField,
    JSONField,
    TextField,
)

from lms_bot.clock import utc_now
from lms_bot.store.database import UTCDateTimeField
from lms_bot.store.models import BaseModel, LMSActivityEvent


class Answer(BaseModel):
    """A chat message some process of the bot has taken to answer; nobody else answers it.

    `key` is the message's id, and for an edit of it that is answered anew `ID:TIME OF THE EDIT`. `content` is the
    answer from when it is made until it is sent: who finds it unsent after a crash looks it up in Zulip first.
    """

    key = TextField(primary_key=True)
    zulip_message_id = BigIntegerField()
    zulip_user_id = IntegerField()
    taken_at = UTCDateTimeField(default=utc_now)
    taken_by = TextField()
    content = TextField(null=True)
    answered_at = UTCDateTimeField(null=True)

    class Meta:
        table_name = "lms_answers"

    @classmethod
    def take(
        cls, zulip_message_id: int, zulip_user_id: int, holder: str, now: datetime, *, edited_at: int | None = None
    ) -> bool:
        """True for the one process that is to answer this message, or this edit of it."""
        query = cls.insert(
            key=str(zulip_message_id) if edited_at is None else f"{zulip_message_id}:{edited_at}",
            zulip_message_id=zulip_message_id,
            zulip_user_id=zulip_user_id,
            taken_at=now,
            taken_by=holder,
        )
        return bool(query.on_conflict_ignore().as_rowcount().execute())

    @classmethod
    def forget_before(cls, moment: datetime) -> None:
        cls.delete().where(cls.taken_at < moment).execute()


class Choice(BaseModel):
    """Students offered to somebody who named one unclearly, until they say a number: what was asked around the name."""

    zulip_user_id = IntegerField(primary_key=True)
    asked_at = UTCDateTimeField()
    words_before = JSONField()
    words_after = JSONField()
    student_ids = JSONField()

    class Meta:
        table_name = "lms_choices"


class Note(BaseModel):
    """What somebody wrote down about a student; every mentor the student has can read it.

    `zulip_message_id` is the message that said so: it makes one note, however often it is read.
    """

    note_id = AutoField()
    student_id = IntegerField()
    zulip_user_id = IntegerField()
    author_name = TextField()
    text = TextField()
    created_at = UTCDateTimeField(default=utc_now)
    zulip_message_id = BigIntegerField(null=True, unique=True)

    class Meta:
        table_name = "lms_notes"


class SeenEvent(BaseModel):
    """An event somebody has seen to. `zulip_message_id` is the message whose reaction said so, if one did."""

    event = ForeignKeyField(LMSActivityEvent, primary_key=True, column_name="event_id", on_delete="CASCADE")
    zulip_user_id = IntegerField()
    seen_at = UTCDateTimeField(default=utc_now)
    zulip_message_id = BigIntegerField(null=True)
    by_reaction = BooleanField(default=False)

    class Meta:
        table_name = "lms_seen_events"


class Look(BaseModel):
    """An admin looked at a student who is not theirs; `student_id` is null for all students at once."""

    look_id = AutoField()
    looked_at = UTCDateTimeField(default=utc_now)
    zulip_user_id = IntegerField()
    student_id = IntegerField(null=True)
    command = TextField()

    class Meta:
        table_name = "lms_looks"
