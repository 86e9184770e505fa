"""SQL that both kinds of store understand, and many rows at a time.

peewee's row-by-row inserts cost more than the database does; these are the few statements where that counts.
"""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, TypeVar

import peewee
from peewee import __exception_wrapper__ as in_peewee_terms  # type: ignore[attr-defined]

from lms_bot.core.clock import to_utc

COUNTED_TO = "CAST((SELECT CAST(value AS TEXT) FROM lms_facts WHERE name = 'counted_to') AS INTEGER)"
"""The id up to which `Counters` has counted the events, null at first; SQL for either kind of store."""

Model = TypeVar("Model", bound=peewee.Model)
Row = tuple[Any, ...]
Condition = tuple[str, tuple[Any, ...]]
"""SQL that may follow WHERE, and its parameters."""


class Statements:
    """Statements on one database, within the caller's session or transaction. SQL is written with `?` marks."""

    def __init__(self, database: peewee.Database) -> None:
        self._database = database
        self.is_postgresql = isinstance(database, peewee.PostgresqlDatabase)
        self.wanted = f"{'json_array_elements' if self.is_postgresql else 'json_each'}(?) AS wanted"
        """SQL for the rows of a parameter, a JSON list of lists: `wanted.value ->> 0` is the first of each."""

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """The rows it gives, if any."""
        found = self._database.execute_sql(self._mark(sql), parameters)
        return found.fetchall() if found.description else []

    def read(self, model: type[Model], sql: str, parameters: Sequence[Any] = ()) -> list[Model]:
        """The rows it gives, as the model reads them."""
        return list(model.raw(self._mark(sql), *parameters).execute(self._database))

    def create(self, model: type[Model], values: dict[str, Any]) -> Model:
        """Inserts a row, as it is then read."""
        fields, marks = model._meta.fields, ", ".join("?" * len(values))
        sql = f"INSERT INTO {model._meta.table_name} ({', '.join(values)}) VALUES ({marks}) RETURNING *"
        return self.read(model, sql, [_as_parameter(fields[name], value) for name, value in values.items()])[0]

    def update(self, model: type[Model], changes: dict[str, Any], seen: dict[str, Any]) -> bool:
        """Makes the changes to the row that still is as it was `seen`; whether there was one."""
        fields = model._meta.fields
        conditions = [f"{name} IS NULL" if value is None else f"{name} = ?" for name, value in seen.items()]
        sql = (
            f"UPDATE {model._meta.table_name} SET {', '.join(f'{name} = ?' for name in changes)} "
            f"WHERE {' AND '.join(conditions)} RETURNING 1"
        )
        given = [*changes.items(), *((name, value) for name, value in seen.items() if value is not None)]
        return bool(self.execute(sql, [_as_parameter(fields[name], value) for name, value in given]))

    def _mark(self, sql: str) -> str:
        return sql.replace("?", "%s") if self.is_postgresql else sql

    def among(self, column: str, values: Collection[str] | Collection[int]) -> Condition:
        """That the column is one of the values, all texts or all whole numbers."""
        if not values:
            return "1 = 0", ()
        listed = json.dumps(list(values))  # one parameter: thousands cost more to parse than to look up
        if not self.is_postgresql:
            return f"{column} IN (SELECT value FROM json_each(?))", (listed,)
        cast = "::bigint" if all(isinstance(value, int) for value in values) else ""
        return f"{column} = ANY(ARRAY(SELECT json_array_elements_text(?){cast}))", (listed,)

    def find(self, table: str, columns: Sequence[str], key: dict[str, str], keys: Sequence[Row]) -> list[Row]:
        """These columns of the rows that have one of the keys; `key` is its columns with their types."""
        each = "(wanted.value ->> {})::{}" if self.is_postgresql else "wanted.value ->> {}"
        matches = [f"found.{name} = {each.format(i, kind)}" for i, (name, kind) in enumerate(key.items())]
        names = ", ".join(f"found.{name}" for name in columns)
        sql = f"SELECT {names} FROM {self.wanted} CROSS JOIN {table} AS found WHERE {' AND '.join(matches)}"
        return self.execute(sql, (json.dumps(keys),))

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        if not rows:
            return
        if self.is_postgresql:
            self._copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN", rows)
        else:
            self.execute_many(_insert_values(table, columns), rows)

    def merge(self, table: str, columns: Sequence[str], rows: Sequence[Row], on_conflict: str = "DO NOTHING") -> None:
        """Inserts the rows; what is done with those that are there already follows ON CONFLICT.

        There the stored row is `kept` and the given one `excluded`. To update them, no two may have one key.
        """
        if not rows:
            return
        if not self.is_postgresql:
            self.execute_many(f"{_insert_values(table, columns)} ON CONFLICT {on_conflict}", rows)
            return
        names = ", ".join(columns)
        self.execute(f"CREATE TEMPORARY TABLE fresh ON COMMIT DROP AS SELECT {names} FROM {table} LIMIT 0")
        self._copy(f"COPY fresh ({names}) FROM STDIN", rows)
        self.execute(f"INSERT INTO {table} AS kept ({names}) SELECT {names} FROM fresh ON CONFLICT {on_conflict}")
        self.execute("DROP TABLE fresh")

    def execute_many(self, sql: str, rows: Sequence[Row]) -> None:
        """The statement once for each row of parameters."""
        if rows:
            with in_peewee_terms:
                self._cursor().executemany(self._mark(sql), rows)

    def _cursor(self) -> Any:
        return self._database.connection().cursor()

    def _copy(self, sql: str, rows: Sequence[Row]) -> None:
        text = "".join("\t".join(map(_copy_text, row)) + "\n" for row in rows)
        with in_peewee_terms, self._cursor() as copying:
            copying.copy_expert(sql, io.StringIO(text))


def to_stored(moment: datetime) -> str:
    """A moment as `UTCDateTimeField` writes it."""
    return to_utc(moment).isoformat(sep=" ", timespec="microseconds")


def from_stored(value: Any) -> datetime:
    """A moment as either kind of store gives it to a plain statement."""
    return to_utc(value if isinstance(value, datetime) else datetime.fromisoformat(value))


def _as_parameter(field: peewee.Field, value: Any) -> Any:
    if isinstance(field, peewee.JSONField):
        return None if value is None else json.dumps(value)  # its own form for SQLite is a call, no value
    return field.db_value(value)


def _insert_values(table: str, columns: Sequence[str]) -> str:
    return f"INSERT INTO {table} AS kept ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


def _copy_text(value: Any) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, str):
        return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    return str(value)
