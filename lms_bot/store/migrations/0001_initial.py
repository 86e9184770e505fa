"""The first tables. Frozen: later changes are later migrations."""

from typing import Any

from peewee import (
    AutoField,
    BigAutoField,
    BigIntegerField,
    BooleanField,
    CharField,
    CompositeKey,
    DateTimeField,
    ForeignKeyField,
    IntegerField,
    JSONField,
    Model,
    SqliteDatabase,
    TextField,
)


class MomentField(DateTimeField):
    field_type = "TIMESTAMPTZ"


INDEXES = (
    "CREATE INDEX lms_activity_events_student ON lms_activity_events (student_id, timestamp)",
    "CREATE INDEX lms_activity_events_type ON lms_activity_events (event_type, timestamp)",
    "CREATE INDEX lms_activity_events_timestamp ON lms_activity_events (timestamp)",
    "CREATE INDEX lms_activity_events_ai ON lms_activity_events (processed_for_ai, event_id)"
    " WHERE NOT processed_for_ai",
    "CREATE INDEX lms_activity_events_undecided ON lms_activity_events (event_id) WHERE NOT has_deliveries",
    "CREATE INDEX lms_activity_events_unsettled ON lms_activity_events (event_id) WHERE NOT is_settled",
    "CREATE INDEX lms_event_logs_errors ON lms_event_logs (event_id) WHERE error_message IS NOT NULL",
    "CREATE INDEX lms_deliveries_pending ON lms_deliveries (zulip_user_id, delivery_id)"
    " WHERE state = 'pending' AND message_id IS NULL",
    "CREATE INDEX lms_deliveries_failed ON lms_deliveries (state, delivery_id) WHERE state IN ('dead', 'unmapped')",
    "CREATE INDEX lms_deliveries_message ON lms_deliveries (message_id)",
    "CREATE INDEX lms_messages_person ON lms_messages (zulip_user_id, created_at)",
    "CREATE INDEX lms_messages_due ON lms_messages (priority, not_before, message_id)"
    " WHERE state IN ('ready', 'sending', 'unknown')",
)


def up(migrator: object, db: Any) -> None:
    class Base(Model):
        class Meta:
            database = db

    class Event(Base):
        event_id = AutoField()
        event_type = CharField(max_length=32)
        student_id = IntegerField()
        student_username = TextField(null=True)
        student_display_name = TextField(null=True)
        mentor_id = IntegerField(null=True)
        mentor_username = TextField(null=True)
        activity_id = IntegerField()
        activity_title = CharField(max_length=500, null=True)
        activity_metadata = JSONField(null=True)
        timestamp = MomentField()
        created_at = MomentField()
        processed_for_ai = BooleanField()
        zulip_user_id = IntegerField(null=True)
        source_key = TextField(unique=True)
        has_deliveries = BooleanField()
        is_settled = BooleanField()

        class Meta:
            table_name = "lms_activity_events"

    class EventLog(Base):
        event = ForeignKeyField(Event, primary_key=True, column_name="event_id", on_delete="CASCADE")
        notification_sent = BooleanField()
        notification_message_id = BigIntegerField(null=True)
        error_message = TextField(null=True)
        processed_at = MomentField()

        class Meta:
            table_name = "lms_event_logs"

    class Message(Base):
        message_id = BigAutoField()
        zulip_user_id = IntegerField()
        content = TextField()
        state = CharField(max_length=12)
        priority = IntegerField()
        tries = IntegerField()
        not_before = MomentField()
        claimed_at = MomentField(null=True)
        lease_until = MomentField(null=True)
        claimed_by = TextField(null=True)
        zulip_message_id = BigIntegerField(null=True)
        reason = TextField(null=True)
        created_at = MomentField()
        sent_at = MomentField(null=True)
        is_gathered = BooleanField()

        class Meta:
            table_name = "lms_messages"

    class Delivery(Base):
        delivery_id = BigAutoField()
        event = ForeignKeyField(Event, column_name="event_id", on_delete="CASCADE", index=False)
        recipient = TextField()
        zulip_user_id = IntegerField(null=True)
        state = CharField(max_length=12)
        message = ForeignKeyField(Message, null=True, column_name="message_id", on_delete="SET NULL", index=False)
        reason = TextField(null=True)
        created_at = MomentField()
        updated_at = MomentField()

        class Meta:
            table_name = "lms_deliveries"
            indexes = ((("event", "recipient"), True),)

    class Cursor(Base):
        stream = TextField(primary_key=True)
        position = JSONField()
        updated_at = MomentField()

        class Meta:
            table_name = "lms_cursors"

    class OpenRow(Base):
        stream = TextField()
        row_key = TextField()
        opened_at = MomentField()

        class Meta:
            table_name = "lms_open_rows"
            primary_key = CompositeKey("stream", "row_key")

    class KnownRow(Base):
        stream = TextField()
        row_key = TextField()
        event_type = TextField()

        class Meta:
            table_name = "lms_known_rows"
            primary_key = CompositeKey("stream", "row_key", "event_type")
            without_rowid = isinstance(db, SqliteDatabase)  # PostgreSQL has no such tables

    class RejectedRow(Base):
        stream = TextField()
        row_key = TextField()
        problem = TextField()
        reason = TextField()
        rejected_at = MomentField()

        class Meta:
            table_name = "lms_rejected_rows"
            primary_key = CompositeKey("stream", "row_key")

    class KnownStudents(Base):
        mentor_key = IntegerField(primary_key=True)
        students = JSONField()
        fetched_at = MomentField()

        class Meta:
            table_name = "lms_known_students"

    class Lease(Base):
        duty = TextField(primary_key=True)
        holder = TextField()
        expires_at = MomentField()

        class Meta:
            table_name = "lms_leases"

    class AnsweredMessage(Base):
        zulip_message_id = BigIntegerField(primary_key=True)
        taken_at = MomentField()

        class Meta:
            table_name = "lms_answered_messages"

    class Preference(Base):
        zulip_user_id = IntegerField(primary_key=True)
        choices = JSONField()
        updated_at = MomentField()

        class Meta:
            table_name = "lms_preferences"

    class Fact(Base):
        name = TextField(primary_key=True)
        value = JSONField(null=True)
        updated_at = MomentField()

        class Meta:
            table_name = "lms_facts"

    db.create_tables(
        [
            Event,
            EventLog,
            Message,
            Delivery,
            Cursor,
            OpenRow,
            KnownRow,
            RejectedRow,
            KnownStudents,
            Lease,
            AnsweredMessage,
            Preference,
            Fact,
        ]
    )
    for statement in INDEXES:
        db.execute_sql(statement)
