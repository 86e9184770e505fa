"""Titles are looked for without punctuation: what is kept of them is brought to that form. Frozen."""

from typing import Any

from peewee import SqliteDatabase

from lms_bot.store.coursework import to_title_key

FIND = "SELECT is_exam, title_key, title FROM lms_titles"
MOVE = "UPDATE lms_attempts SET title_key = ? WHERE title_key = ? AND is_exam = ?"
DROP = "DELETE FROM lms_titles WHERE title_key = ? AND is_exam = ?"
KEEP = "INSERT INTO lms_titles (is_exam, title_key, title) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"


def up(migrator: object, db: Any) -> None:
    def execute(sql: str, *parameters: object) -> Any:
        return db.execute_sql(sql if isinstance(db, SqliteDatabase) else sql.replace("?", "%s"), parameters)

    for is_exam, before, title in execute(FIND).fetchall():
        after = to_title_key(title)
        if after != before:
            execute(MOVE, after, before, is_exam)
            execute(DROP, before, is_exam)
            execute(KEEP, is_exam, after, title)
