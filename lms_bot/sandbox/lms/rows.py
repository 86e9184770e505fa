"""Rows of the LMS's tables, found, written and changed with the cursor of an open transaction."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from psycopg2.sql import SQL, Composable, Identifier, Placeholder

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

Key = int | str  # an id, or the name people use: username, slug or title


def find_id(sql: cursor, table: str, name_column: str, key: Key) -> int:
    column = "id" if isinstance(key, int) else name_column
    query = SQL("SELECT id FROM {} WHERE {} = %s ORDER BY id LIMIT 1")
    sql.execute(query.format(Identifier(table), Identifier(column)), (key,))
    found = get_value(sql)
    if found is None:
        raise LookupError(f"nothing in {table} with {column} {key!r}")
    return int(found)


def insert(sql: cursor, table: str, columns: dict[str, Any], own_id: bool = False) -> int:
    """Insert and return the id. `own_id`: the table has no sequence, so take the next one."""
    values: dict[str, Composable] = {name: Placeholder(name) for name in columns}
    if own_id and "id" not in columns:
        values["id"] = SQL("(SELECT coalesce(max(id), 0) + 1 FROM {})").format(Identifier(table))
    names = SQL(", ").join(map(Identifier, values))
    statement = SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING id")
    sql.execute(statement.format(Identifier(table), names, SQL(", ").join(values.values())), columns)
    return int(get_value(sql))


def update(sql: cursor, table: str, row_id: int, columns: dict[str, Any]) -> None:
    changes = SQL(", ").join(SQL("{} = {}").format(Identifier(name), Placeholder(name)) for name in columns)
    statement = SQL("UPDATE {} SET {} WHERE id = {}")
    sql.execute(statement.format(Identifier(table), changes, Placeholder("row id")), {**columns, "row id": row_id})
    if not sql.rowcount:
        raise LookupError(f"nothing in {table} with id {row_id}")


def pair(sql: cursor, mentor_id: int, student_id: int) -> None:
    statement = 'INSERT INTO "_MentorToStudent" VALUES (%s, %s) ON CONFLICT DO NOTHING'
    sql.execute(statement, (mentor_id, student_id))
    count_students(sql, mentor_id)


def count_students(sql: cursor, mentor_id: int) -> None:
    sql.execute(
        'UPDATE mentors SET students_count = (SELECT count(*) FROM "_MentorToStudent" WHERE "A" = mentors.id)'
        " WHERE id = %s",
        (mentor_id,),
    )


def get_value(sql: cursor) -> Any:
    row = sql.fetchone()
    return row[0] if row else None


def make_scores(percentage: int, questions: int, marks: Any) -> dict[str, Any]:
    correct = round(questions * percentage / 100)
    wrong = round((questions - correct) * 0.75)
    return {
        "percentage": percentage,
        "score": round(float(marks or 100) * percentage / 100),
        "correct_answers_count": correct,
        "incorrect_answers_count": wrong,
        "unanswered_count": questions - correct - wrong,
    }


def format_clock(duration: timedelta) -> str:
    return str(timedelta(seconds=int(duration.total_seconds())))


def make_slug(title: str) -> str:
    return re.sub(r"\W+", "-", title.lower()).strip("-")
