"""Tables of what people say to the bot: what it has answered, and what they had it write down."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from peewee import (
    AutoField,
    BigIntegerField,
    BooleanField,
    CompositeKey,
    ForeignKeyField,
    JSONField,
    TextField,
)

from lms_bot.core.clock import utc_now
from lms_bot.store.database import UTCDateTimeField, rows
from lms_bot.store.models import BaseModel, LMSActivityEvent
from lms_bot.store.statements import to_stored

NOTE_SQL = """
INSERT INTO lms_answers (key, zulip_message_id, zulip_user_id, answered_at) VALUES (?, ?, ?, ?)
ON CONFLICT DO NOTHING RETURNING key
"""


class AnsweredQuestion(BaseModel):
    """A chat message that was answered, or need not be; noted in the transaction that writes the answer down.

    `key` is the message's id, and for an edit of it that is answered anew `ID:TIME OF THE EDIT`.
    """

    key = TextField(primary_key=True)
    zulip_message_id = BigIntegerField()
    zulip_user_id = BigIntegerField()
    answered_at = UTCDateTimeField(default=utc_now)

    class Meta:
        table_name = "lms_answers"

    @classmethod
    def make_key(cls, zulip_message_id: int, edited_at: int | None = None) -> str:
        return str(zulip_message_id) if edited_at is None else f"{zulip_message_id}:{edited_at}"

    @classmethod
    def note(cls, zulip_message_id: int, zulip_user_id: int, now: datetime, *, edited_at: int | None = None) -> bool:
        """True for the one who answers this message, or this edit of it; False where it is answered already."""
        key = cls.make_key(zulip_message_id, edited_at)
        return bool(cls.ask(NOTE_SQL, key, zulip_message_id, zulip_user_id, to_stored(now)))

    @classmethod
    def is_answered(cls, key: str) -> bool:
        return bool(cls.ask("SELECT 1 FROM lms_answers WHERE key = ?", key))

    @classmethod
    def get_answered(cls, keys: Collection[str]) -> dict[str, datetime]:
        """Which of these are answered, and since when."""
        return dict(rows(cls.select(cls.key, cls.answered_at).where(cls.key.in_(list(keys)))))

    @classmethod
    def forget_before(cls, moment: datetime) -> None:
        cls.delete().where(cls.answered_at < moment).execute()


class Choice(BaseModel):
    """What somebody who asked unclearly may have meant: `questions`, each as its words."""

    zulip_user_id = BigIntegerField(primary_key=True)
    asked_at = UTCDateTimeField()
    questions = JSONField()

    class Meta:
        table_name = "lms_choices"

    @classmethod
    def forget_before(cls, moment: datetime) -> None:
        cls.delete().where(cls.asked_at < moment).execute()


class Note(BaseModel):
    """What somebody wrote down about a student; every mentor the student has can read it.

    `zulip_message_id` is the message that said so: it makes one note, however often it is read.
    """

    note_id = AutoField()
    student_id = BigIntegerField()
    zulip_user_id = BigIntegerField()
    author_name = TextField()
    text = TextField()
    created_at = UTCDateTimeField(default=utc_now)
    zulip_message_id = BigIntegerField(null=True, unique=True)

    class Meta:
        table_name = "lms_notes"


class SeenEvent(BaseModel):
    """An event somebody has seen to. `zulip_message_id` is the message whose reaction said so, if one did."""

    event = ForeignKeyField(LMSActivityEvent, column_name="event_id", on_delete="CASCADE")
    zulip_user_id = BigIntegerField()
    seen_at = UTCDateTimeField(default=utc_now)
    zulip_message_id = BigIntegerField(null=True)
    by_reaction = BooleanField(default=False)

    class Meta:
        table_name = "lms_seen_events"
        primary_key = CompositeKey("event", "zulip_user_id")


class AuditEntry(BaseModel):
    """An admin looked at a student who is not theirs; `student_id` is null for all students at once."""

    look_id = AutoField()
    looked_at = UTCDateTimeField(default=utc_now)
    zulip_user_id = BigIntegerField()
    student_id = BigIntegerField(null=True)
    command = TextField()

    class Meta:
        table_name = "lms_looks"

    @classmethod
    def get_newest(
        cls, limit: int, *, offset: int = 0, student_id: int | None = None
    ) -> tuple[int, list[AuditEntry]]:
        """How many there are, and some of them, the newest first; of one student where said, with all at once."""
        query = cls.select().order_by(cls.looked_at.desc(), cls.look_id.desc())
        if student_id is not None:
            query = query.where((cls.student_id == student_id) | cls.student_id.is_null())
        return query.count(), list(query.limit(limit).offset(offset))
