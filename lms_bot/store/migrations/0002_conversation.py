"""What is known of each student, kept beside the events; and what people say to the bot. Frozen."""

from typing import Any

from peewee import (
    AutoField,
    BigIntegerField,
    BooleanField,
    CharField,
    CompositeKey,
    DateTimeField,
    FloatField,
    ForeignKeyField,
    IntegerField,
    JSONField,
    Model,
    SqliteDatabase,
    TextField,
)


class MomentField(DateTimeField):
    field_type = "TIMESTAMPTZ"


COUNTS = (
    "exam_started", "exam_completed", "exam_passed", "exam_failed", "content_started", "content_completed",
    "content_watched", "other",
)  # fmt: skip
STATEMENTS = (
    "ALTER TABLE lms_activity_events ADD COLUMN is_echo BOOLEAN NOT NULL DEFAULT FALSE",
    "CREATE INDEX lms_attempts_title ON lms_attempts (title_key, is_exam, student_id)",
    "CREATE INDEX lms_attempts_student ON lms_attempts (student_id, last_at)",
    "CREATE INDEX lms_attempts_open ON lms_attempts (student_id, started_at, outcome) WHERE outcome = 'started'",
    # With the outcome in it SQLite need not look into the table.
    "CREATE INDEX lms_attempts_open_since ON lms_attempts (started_at, student_id, outcome)"
    " WHERE outcome = 'started'",
    "CREATE INDEX lms_answers_unanswered ON lms_answers (taken_at) WHERE answered_at IS NULL",
    "CREATE INDEX lms_notes_student ON lms_notes (student_id, note_id)",
    "CREATE INDEX lms_looks_moment ON lms_looks (looked_at)",
    "CREATE INDEX lms_messages_zulip ON lms_messages (zulip_message_id) WHERE zulip_message_id IS NOT NULL",
    "CREATE INDEX lms_deliveries_sent ON lms_deliveries (zulip_user_id, event_id) WHERE state = 'sent'",
    f"INSERT INTO lms_student_counts (span, day, student_id, {', '.join(COUNTS)}, told)"
    f" SELECT 0, 0, student_id{', 0' * len(COUNTS)}, count(*) FROM lms_event_logs JOIN lms_activity_events"
    " ON lms_activity_events.event_id = lms_event_logs.event_id WHERE notification_sent GROUP BY student_id",
    "INSERT INTO lms_answers (key, zulip_message_id, zulip_user_id, taken_at, taken_by, answered_at)"
    " SELECT CAST(zulip_message_id AS TEXT), zulip_message_id, 0, taken_at, '', taken_at FROM lms_answered_messages",
    "DROP TABLE lms_answered_messages",
)


def up(migrator: object, db: Any) -> None:
    class Base(Model):
        class Meta:
            database = db

    class Event(Base):
        event_id = AutoField()

        class Meta:
            table_name = "lms_activity_events"

    class Standing(Base):
        student_id = IntegerField(primary_key=True)
        username = TextField(null=True)
        display_name = TextField(null=True)
        last_at = MomentField()
        last_event_id = IntegerField()
        scored = IntegerField()
        percentage_total = FloatField()

        class Meta:
            table_name = "lms_standings"

    class Attempt(Base):
        student_id = IntegerField()
        is_exam = BooleanField()
        activity_id = IntegerField()
        title = TextField(null=True)
        title_key = TextField()
        outcome = CharField(max_length=12)
        started_at = MomentField(null=True)
        last_at = MomentField()
        percentage = FloatField(null=True)
        score = FloatField(null=True)

        class Meta:
            table_name = "lms_attempts"
            primary_key = CompositeKey("student_id", "is_exam", "activity_id")
            without_rowid = isinstance(db, SqliteDatabase)

    class StudentCount(Base):
        span = IntegerField()
        day = IntegerField()
        student_id = IntegerField()
        exam_started = IntegerField()
        exam_completed = IntegerField()
        exam_passed = IntegerField()
        exam_failed = IntegerField()
        content_started = IntegerField()
        content_completed = IntegerField()
        content_watched = IntegerField()
        other = IntegerField()
        told = IntegerField()

        class Meta:
            table_name = "lms_student_counts"
            primary_key = CompositeKey("span", "day", "student_id")
            without_rowid = isinstance(db, SqliteDatabase)

    class Title(Base):
        is_exam = BooleanField()
        title_key = TextField()
        title = TextField()

        class Meta:
            table_name = "lms_titles"
            primary_key = CompositeKey("is_exam", "title_key")

    class Answer(Base):
        key = TextField(primary_key=True)
        zulip_message_id = BigIntegerField()
        zulip_user_id = IntegerField()
        taken_at = MomentField()
        taken_by = TextField()
        content = TextField(null=True)
        answered_at = MomentField(null=True)
        answer_id = BigIntegerField(null=True)

        class Meta:
            table_name = "lms_answers"

    class Choice(Base):
        zulip_user_id = IntegerField(primary_key=True)
        asked_at = MomentField()
        questions = JSONField()

        class Meta:
            table_name = "lms_choices"

    class Note(Base):
        note_id = AutoField()
        student_id = IntegerField()
        zulip_user_id = IntegerField()
        author_name = TextField()
        text = TextField()
        created_at = MomentField()
        zulip_message_id = BigIntegerField(null=True, unique=True)

        class Meta:
            table_name = "lms_notes"

    class SeenEvent(Base):
        event = ForeignKeyField(Event, column_name="event_id", on_delete="CASCADE", index=False)
        zulip_user_id = IntegerField()
        seen_at = MomentField()
        zulip_message_id = BigIntegerField(null=True)
        by_reaction = BooleanField()

        class Meta:
            table_name = "lms_seen_events"
            primary_key = CompositeKey("event", "zulip_user_id")

    class Look(Base):
        look_id = AutoField()
        looked_at = MomentField()
        zulip_user_id = IntegerField()
        student_id = IntegerField(null=True)
        command = TextField()

        class Meta:
            table_name = "lms_looks"

    db.create_tables([Standing, Attempt, StudentCount, Title, Answer, Choice, Note, SeenEvent, Look])
    for statement in STATEMENTS:
        db.execute_sql(statement)
