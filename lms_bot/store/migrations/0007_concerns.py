"""Concerns, and when each person was told what; students whose attempts changed are marked. Frozen."""

import json
from typing import Any

from peewee import (
    AutoField,
    BigIntegerField,
    BooleanField,
    CharField,
    CompositeKey,
    ForeignKeyField,
    IntegerField,
    JSONField,
    Model,
    SqliteDatabase,
    TextField,
)

from lms_bot.store.database import UTCDateTimeField

STATEMENTS = (
    "ALTER TABLE lms_standings ADD COLUMN is_changed BOOLEAN NOT NULL DEFAULT FALSE",
    "CREATE INDEX lms_standings_changed ON lms_standings (student_id) WHERE is_changed",
    "CREATE INDEX lms_messages_dead ON lms_messages (created_at) WHERE state = 'dead'",
    "CREATE INDEX lms_attempts_exams ON lms_attempts (student_id, last_at) WHERE is_shown AND is_exam",
    "CREATE UNIQUE INDEX lms_concerns_open ON lms_concerns (student_id, kind) WHERE cleared_at IS NULL",
    "CREATE INDEX lms_concerns_student ON lms_concerns (student_id, concern_id)",
    "CREATE INDEX lms_concerns_owed ON lms_concerns (concern_id) WHERE is_owed",
    "CREATE INDEX lms_concerns_cleared ON lms_concerns (cleared_at) WHERE cleared_at IS NOT NULL",
    "CREATE INDEX lms_concern_tellings_owed ON lms_concern_tellings (zulip_user_id) WHERE message_id IS NULL",
    "CREATE INDEX lms_concern_tellings_message ON lms_concern_tellings (message_id) WHERE message_id IS NOT NULL",
    # What is in no message is many rows now, and SQLite would walk them all for the few that are pending.
    "DROP INDEX lms_deliveries_message",
    "CREATE INDEX lms_deliveries_message ON lms_deliveries (message_id) WHERE message_id IS NOT NULL",
    # Lanes above the answers' are news.
    "INSERT INTO lms_person_news (zulip_user_id, last_at, urgent_at, results_at)"
    " SELECT zulip_user_id, max(created_at), max(CASE WHEN lane = 1 THEN created_at END), max(created_at)"
    " FROM lms_messages WHERE lane > 0 AND state <> 'dead' GROUP BY zulip_user_id",
)


def up(migrator: object, db: Any) -> None:
    class Base(Model):
        class Meta:
            database = db

    class Message(Base):
        message_id = IntegerField(primary_key=True)

        class Meta:
            table_name = "lms_messages"

    class Concern(Base):
        concern_id = AutoField()
        student_id = BigIntegerField()
        kind = CharField(max_length=16)
        opened_at = UTCDateTimeField()
        since_at = UTCDateTimeField()
        facts = JSONField()
        number = IntegerField()
        is_old = BooleanField()
        changed_at = UTCDateTimeField()
        cleared_at = UTCDateTimeField(null=True)
        cleared_facts = JSONField(null=True)
        is_owed = BooleanField()
        seen_at = UTCDateTimeField(null=True)
        seen_by = BigIntegerField(null=True)

        class Meta:
            table_name = "lms_concerns"

    class ConcernTelling(Base):
        concern = ForeignKeyField(Concern, column_name="concern_id", on_delete="CASCADE", index=False)
        number = IntegerField()
        zulip_user_id = BigIntegerField()
        to_supervisor = BooleanField()
        message = ForeignKeyField(Message, null=True, column_name="message_id", on_delete="SET NULL", index=False)
        created_at = UTCDateTimeField()

        class Meta:
            table_name = "lms_concern_tellings"
            primary_key = CompositeKey("concern", "number", "zulip_user_id", "to_supervisor")

    class Snooze(Base):
        student_id = BigIntegerField(primary_key=True)
        until = UTCDateTimeField()
        reason = TextField(null=True)
        zulip_user_id = BigIntegerField()
        created_at = UTCDateTimeField()

        class Meta:
            table_name = "lms_snoozes"

    class Newcomer(Base):
        student_id = BigIntegerField(primary_key=True)
        since_at = UTCDateTimeField()

        class Meta:
            table_name = "lms_newcomers"

    class PersonNews(Base):
        zulip_user_id = BigIntegerField(primary_key=True)
        last_at = UTCDateTimeField(null=True)
        urgent_at = UTCDateTimeField(null=True)
        results_at = UTCDateTimeField(null=True)
        digest_at = UTCDateTimeField(null=True)
        quiet_told_at = UTCDateTimeField(null=True)
        welcomed_at = UTCDateTimeField(null=True)

        class Meta:
            table_name = "lms_person_news"

    db.create_tables([Concern, ConcernTelling, Snooze, Newcomer, PersonNews])
    for statement in STATEMENTS:
        db.execute_sql(statement)
    _forget_what_was_not_chosen(db)


def _forget_what_was_not_chosen(db: Any) -> None:
    """Whether failed exams are told in quiet times was kept for everybody, also for who has no such times."""
    mark = "?" if isinstance(db, SqliteDatabase) else "%s"
    for person, choices in db.execute_sql("SELECT zulip_user_id, choices FROM lms_preferences").fetchall():
        known = json.loads(choices) if isinstance(choices, str) else choices
        if isinstance(known, dict) and not (known.get("quiet") or known.get("workdays") or known.get("failed_pass")):
            known.pop("failed_pass", None)
            sql = f"UPDATE lms_preferences SET choices = {mark} WHERE zulip_user_id = {mark}"
            db.execute_sql(sql, (json.dumps(known), person))
