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
    IntegerField,
    JSONField,
    TextField,
)

from lms_bot.core.clock import utc_now
from lms_bot.store.database import UTCDateTimeField, rows
from lms_bot.store.models import BaseModel, LMSActivityEvent


class Answer(BaseModel):
    """A chat message some process of the bot has taken to answer; nobody else answers it.

    `key` is the message's id, and for an edit of it that is answered anew `ID:TIME OF THE EDIT`. `content` is the
    answer from when it is made until it is sent: who finds it unsent after a crash looks it up in Zulip first.
    `answer_id` is Zulip's id of that answer, if it was sent: another answer of the same words is not this one.
    """

    key = TextField(primary_key=True)
    zulip_message_id = BigIntegerField()
    zulip_user_id = IntegerField()
    taken_at = UTCDateTimeField(default=utc_now)
    taken_by = TextField()
    content = TextField(null=True)
    answered_at = UTCDateTimeField(null=True)
    answer_id = BigIntegerField(null=True)

    class Meta:
        table_name = "lms_answers"

    @classmethod
    def make_key(cls, zulip_message_id: int, edited_at: int | None = None) -> str:
        return str(zulip_message_id) if edited_at is None else f"{zulip_message_id}:{edited_at}"

    @classmethod
    def take(
        cls, zulip_message_id: int, zulip_user_id: int, holder: str, now: datetime, *, edited_at: int | None = None
    ) -> bool:
        """True for the one process that is to answer this message, or this edit of it."""
        query = cls.insert(
            key=cls.make_key(zulip_message_id, edited_at),
            zulip_message_id=zulip_message_id,
            zulip_user_id=zulip_user_id,
            taken_at=now,
            taken_by=holder,
        )
        return bool(query.on_conflict_ignore().as_rowcount().execute())

    @classmethod
    def take_over(cls, seen: Answer, holder: str) -> bool:
        """Another is to answer it now, since who took it is gone or late. False where it has changed since `seen`."""
        is_same = (cls.taken_by == seen.taken_by) & cls.content.is_null(seen.content is None)
        query = cls.update(taken_by=holder).where(cls.key == seen.key, cls.answered_at.is_null(), is_same)
        return bool(query.execute())

    @classmethod
    def is_held_by(cls, key: str, holder: str) -> bool:
        """Whether this process is still the one to answer it; so too where it was never written down who is."""
        return not cls.select().where(cls.key == key, cls.taken_by != holder).exists()

    @classmethod
    def keep(cls, key: str, content: str, holder: str) -> None:
        """The answer is made, and about to be sent."""
        cls.update(content=content).where(cls.key == key, cls.taken_by == holder).execute()

    @classmethod
    def settle(cls, key: str, now: datetime, answer_id: int | None = None) -> None:
        """It is answered, or need not be; what it said is kept no longer."""
        cls.update(content=None, answered_at=now, answer_id=answer_id).where(cls.key == key).execute()

    @classmethod
    def get_unanswered(cls) -> list[Answer]:
        """What was taken and is not answered yet, oldest first."""
        return list(cls.select().where(cls.answered_at.is_null()).order_by(cls.taken_at))

    @classmethod
    def get_answer_ids(cls, zulip_user_id: int) -> set[int]:
        """Zulip's ids of the answers this person got."""
        sent = (cls.zulip_user_id == zulip_user_id) & cls.answer_id.is_null(False)
        return {answer_id for (answer_id,) in rows(cls.select(cls.answer_id).where(sent))}

    @classmethod
    def get_taken(cls, keys: Collection[str]) -> dict[str, datetime]:
        """Which of these some process has taken to answer, and when."""
        return dict(rows(cls.select(cls.key, cls.taken_at).where(cls.key.in_(list(keys)))))

    @classmethod
    def forget_before(cls, moment: datetime) -> None:
        cls.delete().where(cls.taken_at < moment).execute()


class Choice(BaseModel):
    """What somebody who asked unclearly may have meant: `questions`, each as its words."""

    zulip_user_id = IntegerField(primary_key=True)
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

    event = ForeignKeyField(LMSActivityEvent, column_name="event_id", on_delete="CASCADE")
    zulip_user_id = IntegerField()
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
    zulip_user_id = IntegerField()
    student_id = IntegerField(null=True)
    command = TextField()

    class Meta:
        table_name = "lms_looks"

    @classmethod
    def get_newest(cls, limit: int, *, offset: int = 0) -> list[AuditEntry]:
        """The newest first."""
        query = cls.select().order_by(cls.looked_at.desc(), cls.look_id.desc())
        return list(query.limit(limit).offset(offset))
