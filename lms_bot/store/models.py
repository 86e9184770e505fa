"""Tables of events, of how far the LMS is read, and of what the bot's processes tell each other.

A row's life: an `LMSActivityEvent` is created with one `Delivery` for each person it is owed to; the composer puts
deliveries into `Message`s (see `messages`); `LMSEventLog` says what became of the event.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from peewee import (
    AutoField,
    BigIntegerField,
    BooleanField,
    CharField,
    CompositeKey,
    ForeignKeyField,
    JSONField,
    Model,
    TextField,
    fn,
)

from lms_bot.core.clock import to_utc, utc_now
from lms_bot.store.database import UTCDateTimeField, database, rows


class BaseModel(Model):
    class Meta:
        database = database
        legacy_table_names = False

    @classmethod
    def ask(cls, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """The rows of a plain statement with `?` marks: for what is asked so often that to have peewee write the
        SQL would take longer than the answer."""
        return rows(cls.raw(sql.replace("?", cls._meta.database.param), *parameters))


class LMSActivityEvent(BaseModel):
    """An activity that was recorded. Immutable but for its flags.

    `timestamp` is when it happened in the LMS, `created_at` when it was recorded; both aware UTC.
    `activity_id` is the exam's or content's id in the LMS, 0 where it was gone. `stream` and `attempt_id` name the
    row of the LMS: the student's attempt at it; what that says now is kept as an `Attempt`. `processed_for_ai` is set
    by AI consumers only.
    """

    event_id = AutoField()
    event_type = CharField(max_length=32)
    student_id = BigIntegerField()
    student_username = TextField(null=True)
    student_display_name = TextField(null=True)
    mentor_id = BigIntegerField(null=True)
    mentor_username = TextField(null=True)
    activity_id = BigIntegerField()
    activity_title = CharField(max_length=500, null=True)
    activity_metadata = JSONField(null=True)
    timestamp = UTCDateTimeField()
    created_at = UTCDateTimeField(default=utc_now)
    processed_for_ai = BooleanField(default=False)
    zulip_user_id = BigIntegerField(null=True)
    source_key = TextField(unique=True)
    has_deliveries = BooleanField(default=False)
    """False until it is decided who is to be told (also when that is nobody)."""
    is_settled = BooleanField(default=False)
    """True once nothing more is to be sent for it, be it told, refused or never owed."""
    is_echo = BooleanField(default=False)
    """True for a content that is an exam: the exam's event says the same. Told and counted nowhere."""
    stream = TextField(null=True)
    attempt_id = BigIntegerField(null=True)
    correction: Any = None  # the `Correction` to tell of with it, where one was read; no column
    is_old_id = BooleanField(default=False)
    """True where `activity_id` is the attempt's, as earlier versions stored it, and the LMS has not said which exam
    or content that was of: its row is gone, or was not looked at yet."""

    so_far: Any = None  # the `SoFar` of a result that is about to be told; no column

    class Meta:
        table_name = "lms_activity_events"

    @property
    def row_key(self) -> str:
        """The key of the LMS's row within its stream: what is between these in the source key; "" where it is not."""
        before, after = f"{self.stream}:", f":{self.event_type}"
        key = str(self.source_key)
        return key[len(before) : -len(after)] if key.startswith(before) and key.endswith(after) else ""

    @classmethod
    def get_unprocessed_for_ai(
        cls, event_type: str | None = None, limit: int | None = None
    ) -> list[LMSActivityEvent]:
        """Events no AI consumer has taken yet, oldest first; of one type if given."""
        query = cls.select().where(~cls.processed_for_ai).order_by(cls.event_id)
        if event_type is not None:
            query = query.where(cls.event_type == event_type)
        return list(query.limit(limit))

    @classmethod
    def mark_processed_for_ai(cls, event_ids: Iterable[int], batch_size: int = 500) -> int:
        """Marks events as taken by an AI consumer. Returns how many were not marked before."""
        ids = list(event_ids)
        marked = 0
        with cls._meta.database.atomic():
            for start in range(0, len(ids), batch_size):
                batch = ids[start : start + batch_size]
                query = cls.update(processed_for_ai=True).where(cls.event_id.in_(batch), ~cls.processed_for_ai)
                marked += query.execute()
        return marked

    @classmethod
    def get_student_history(
        cls, student_id: int, since: datetime | None = None, limit: int | None = None
    ) -> list[LMSActivityEvent]:
        """What one student did, newest first; from `since` on if given."""
        query = cls.select().where(cls.student_id == student_id)
        if since is not None:
            query = query.where(cls.timestamp >= to_utc(since))
        return list(query.order_by(cls.timestamp.desc(), cls.event_id.desc()).limit(limit))

    @classmethod
    def get_in_range(
        cls, start: datetime, end: datetime, student_ids: Sequence[int] | None = None
    ) -> list[LMSActivityEvent]:
        """Events that happened at or after `start` and before `end`, oldest first; of some students if given."""
        query = cls.select().where(cls.timestamp >= to_utc(start), cls.timestamp < to_utc(end))
        if student_ids is not None:
            query = query.where(cls.student_id.in_(list(student_ids)))
        return list(query.order_by(cls.timestamp, cls.event_id))

    @classmethod
    def get_with_errors(cls, limit: int | None = None) -> list[LMSActivityEvent]:
        """Events that could not be told to everybody they are owed to, newest first."""
        query = cls.select().join(LMSEventLog).where(LMSEventLog.error_message.is_null(False))
        return list(query.order_by(cls.event_id.desc()).limit(limit))

    @classmethod
    def get_counts_by_type(cls, since: datetime | None = None) -> dict[str, int]:
        """How many events there are of each type; of those since a moment if given."""
        query = cls.select(cls.event_type, fn.COUNT(cls.event_id)).group_by(cls.event_type)
        if since is not None:
            query = query.where(cls.timestamp >= to_utc(since))
        return dict(rows(query))

    @classmethod
    def get_student_totals(cls, student_id: int) -> dict[str, int]:
        """How many events one student has: `{"total": …, "exam": …, "content": …}`."""
        query = cls.select(cls.event_type, fn.COUNT(cls.event_id)).where(cls.student_id == student_id)
        counts = dict(rows(query.group_by(cls.event_type)))
        exam = sum(count for event_type, count in counts.items() if event_type.startswith("exam_"))
        return {"total": sum(counts.values()), "exam": exam, "content": sum(counts.values()) - exam}


class LMSEventLog(BaseModel):
    """What became of an event: told, under which Zulip message id, or why not."""

    event = ForeignKeyField(
        LMSActivityEvent, primary_key=True, backref="log", column_name="event_id", on_delete="CASCADE"
    )
    notification_sent = BooleanField(default=False)
    notification_message_id = BigIntegerField(null=True)
    error_message = TextField(null=True)
    processed_at = UTCDateTimeField(default=utc_now)

    class Meta:
        table_name = "lms_event_logs"


class Cursor(BaseModel):
    """How far a stream of the LMS has been read; moved in the transaction that records what was read."""

    stream = TextField(primary_key=True)
    position = JSONField()
    updated_at = UTCDateTimeField(default=utc_now)

    class Meta:
        table_name = "lms_cursors"


class OpenRow(BaseModel):
    """An LMS row known to be started and not yet final; looked at on every poll."""

    stream = TextField()
    row_key = TextField()
    opened_at = UTCDateTimeField(default=utc_now)

    class Meta:
        table_name = "lms_open_rows"
        primary_key = CompositeKey("stream", "row_key")


class RowDigest(BaseModel):
    """What a row of another table said that a stream's rows depend on; see `Stream.depends_on`."""

    stream = TextField()
    table = TextField(column_name="table_name")
    row_key = TextField()
    digest = TextField()

    class Meta:
        table_name = "lms_row_digests"
        primary_key = CompositeKey("stream", "table", "row_key")


class RejectedRow(BaseModel):
    """An LMS row that could not become an activity, and why; looked at again when it changes."""

    stream = TextField()
    row_key = TextField()
    problem = TextField()
    reason = TextField()
    rejected_at = UTCDateTimeField(default=utc_now)

    class Meta:
        table_name = "lms_rejected_rows"
        primary_key = CompositeKey("stream", "row_key")


class KnownStudents(BaseModel):
    """The students of one mentor as the LMS last told them, for the time when the LMS is away."""

    mentor_key = BigIntegerField(primary_key=True)
    students = JSONField()
    fetched_at = UTCDateTimeField()

    class Meta:
        table_name = "lms_known_students"


class Lease(BaseModel):
    """A duty only one process does at a time, and until when it holds it."""

    duty = TextField(primary_key=True)
    holder = TextField()
    expires_at = UTCDateTimeField()

    class Meta:
        table_name = "lms_leases"


class Preference(BaseModel):
    """What one person chose: see `Preferences`."""

    zulip_user_id = BigIntegerField(primary_key=True)
    choices = JSONField()
    updated_at = UTCDateTimeField(default=utc_now)

    class Meta:
        table_name = "lms_preferences"


class KeyValue(BaseModel):
    """Something the bot's processes tell each other, e.g. when the last good poll was."""

    name = TextField(primary_key=True)
    value = JSONField(null=True)
    updated_at = UTCDateTimeField(default=utc_now)

    class Meta:
        table_name = "lms_facts"

    @classmethod
    def put(cls, name: str, value: Any) -> None:
        now = utc_now()
        query = cls.insert(name=name, value=value, updated_at=now)
        query.on_conflict(conflict_target=[cls.name], update={cls.value: value, cls.updated_at: now}).execute()

    @classmethod
    def find(cls, name: str) -> Any:
        """The value of that name, or None."""
        found = cls.ask("SELECT value FROM lms_facts WHERE name = ?", name)
        return found[0][0] if found else None
