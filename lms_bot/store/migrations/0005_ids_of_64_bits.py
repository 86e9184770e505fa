"""Ids of others, the LMS's and Zulip's, may be of 64 bits. SQLite's are anyway. Frozen."""

from typing import Any

from peewee import PostgresqlDatabase

IDS = {
    "lms_activity_events": ("student_id", "mentor_id", "activity_id", "zulip_user_id"),
    "lms_deliveries": ("zulip_user_id",),
    "lms_messages": ("zulip_user_id",),
    "lms_answers": ("zulip_user_id",),
    "lms_choices": ("zulip_user_id",),
    "lms_notes": ("student_id", "zulip_user_id"),
    "lms_seen_events": ("zulip_user_id",),
    "lms_looks": ("zulip_user_id", "student_id"),
    "lms_known_students": ("mentor_key",),
    "lms_preferences": ("zulip_user_id",),
    "lms_standings": ("student_id",),
    "lms_attempts": ("student_id", "activity_id"),
    "lms_student_counts": ("student_id",),
}


def up(migrator: object, db: Any) -> None:
    for table, columns in IDS.items() if isinstance(db, PostgresqlDatabase) else ():
        changes = ", ".join(f"ALTER COLUMN {column} TYPE bigint" for column in columns)
        db.execute_sql(f"ALTER TABLE {table} {changes}")
