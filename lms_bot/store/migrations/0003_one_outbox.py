"""One outbox for all messages: answers go through it as well, and wait there until they are sent. Frozen."""

from typing import Any

from peewee import BlobField, CompositeKey, ForeignKeyField, IntegerField, Model, SqliteDatabase, TextField

NEW_COLUMNS = (
    "place JSON",
    "conversation TEXT NOT NULL DEFAULT ''",
    "after_id BIGINT",
    "expires_at TIMESTAMPTZ",
    "instead TEXT",
)
STATEMENTS = (
    "ALTER TABLE lms_messages RENAME COLUMN priority TO lane",
    "UPDATE lms_messages SET lane = lane + 1, conversation = CAST(zulip_user_id AS TEXT)",
    # What was made and not known to be sent is looked for in Zulip first.
    "INSERT INTO lms_messages (zulip_user_id, conversation, content, state, lane, tries, not_before, claimed_at,"
    " lease_until, claimed_by, reason, created_at, is_gathered, after_id)"
    " SELECT zulip_user_id, CAST(zulip_user_id AS TEXT), content, 'unknown', 0, 0, taken_at, taken_at, {soon},"
    " taken_by, 'the bot stopped while sending it', taken_at, FALSE, zulip_message_id"
    " FROM lms_answers WHERE answered_at IS NULL AND content IS NOT NULL",
    "UPDATE lms_answers SET answered_at = taken_at WHERE answered_at IS NULL AND content IS NOT NULL",
    "DELETE FROM lms_answers WHERE answered_at IS NULL",  # is unread in Zulip
    "DROP INDEX lms_answers_unanswered",
    "ALTER TABLE lms_answers DROP COLUMN taken_at",
    "ALTER TABLE lms_answers DROP COLUMN taken_by",
    "ALTER TABLE lms_answers DROP COLUMN content",
    "ALTER TABLE lms_answers DROP COLUMN answer_id",
    "DROP INDEX lms_messages_due",
    "CREATE INDEX lms_messages_unsent ON lms_messages (lane, message_id)"
    " WHERE state IN ('ready', 'sending', 'unknown')",
    "CREATE INDEX lms_messages_conversation ON lms_messages (conversation, lane, message_id)"
    " WHERE state IN ('ready', 'sending', 'unknown')",
    "CREATE INDEX lms_messages_sent_to ON lms_messages (conversation, zulip_message_id)"
    " WHERE zulip_message_id IS NOT NULL",
)


def up(migrator: object, db: Any) -> None:
    is_sqlite = isinstance(db, SqliteDatabase)

    class Base(Model):
        class Meta:
            database = db

    class Message(Base):
        message_id = IntegerField(primary_key=True)

        class Meta:
            table_name = "lms_messages"

    class MessageFile(Base):
        message = ForeignKeyField(Message, column_name="message_id", on_delete="CASCADE", index=False)
        number = IntegerField()
        name = TextField()
        content = BlobField()

        class Meta:
            table_name = "lms_message_files"
            primary_key = CompositeKey("message", "number")

    soon = "strftime('%Y-%m-%d %H:%M:%f000+00:00', 'now', '+30 seconds')" if is_sqlite else "now() + interval '30 s'"
    for column in NEW_COLUMNS:
        db.execute_sql(f"ALTER TABLE lms_messages ADD COLUMN {column}")
    for statement in STATEMENTS:
        db.execute_sql(statement.replace("{soon}", soon))
    db.create_tables([MessageFile])
