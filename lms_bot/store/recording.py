"""Writing down what was read, many rows at a time: events, their deliveries, and how far we are.

peewee's row-by-row inserts cost more than the database does; these are the few statements where that counts.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from peewee import __exception_wrapper__ as in_peewee_terms  # type: ignore[attr-defined]

from lms_bot.activities import Activity, Rejection
from lms_bot.clock import to_utc
from lms_bot.store.database import Store


@dataclass(frozen=True)
class Owed:
    """A delivery to be made: to whom (see `Delivery.recipient`), or why nobody is known."""

    recipient: str
    zulip_user_id: int | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Recipients:
    """Who is to be told of one student, and whose student it is."""

    owed: tuple[Owed, ...] = ()
    mentor_id: int | None = None
    mentor_username: str | None = None
    student_zulip_user_id: int | None = None


EVENT_COLUMNS = (
    "event_id", "event_type", "student_id", "student_username", "student_display_name", "mentor_id",
    "mentor_username", "activity_id", "activity_title", "activity_metadata", "timestamp", "created_at",
    "processed_for_ai", "zulip_user_id", "source_key", "has_deliveries", "is_settled",
    "is_echo",
)  # fmt: skip
DELIVERY_COLUMNS = ("event_id", "recipient", "zulip_user_id", "state", "reason", "created_at", "updated_at")
LOG_COLUMNS = ("event_id", "notification_sent", "error_message", "processed_at")


class Recorder:
    """The statements, within the caller's transaction on `store`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def lock_stream(self, stream: str) -> None:
        """Lets one process at a time record this stream, so that what is not yet stored stays so until commit."""
        self._store.lock(stream)

    def get_stored(self, source_keys: Sequence[str]) -> set[str]:
        return self._find("lms_activity_events", "source_key", source_keys)

    def get_known(self, stream: str, row_keys: Sequence[str]) -> set[tuple[str, str]]:
        """(row key, event type) of the rows among these that were there before the bot."""
        condition, parameters = self._in_list("row_key", row_keys)
        return set(
            self._execute(
                f"SELECT row_key, event_type FROM lms_known_rows WHERE stream = {self._mark} AND {condition}",
                (stream, *parameters),
            )
        )

    def insert_known(self, stream: str, rows: Iterable[tuple[str, str]]) -> None:
        self._insert_ignoring(
            "lms_known_rows", ("stream", "row_key", "event_type"), [(stream, *row) for row in rows]
        )

    def insert_events(
        self,
        activities: Sequence[Activity],
        recipients: dict[int, Recipients],
        *,
        now: datetime,
        is_told: bool,
        is_decided: bool = True,
    ) -> list[int]:
        """Stores activities as events, each with a delivery for everyone it is owed to. Returns the event ids.

        `is_told` False: nobody is owed anything. `is_decided` False: who is told is decided later.
        """
        if not activities:
            return []
        ids = self._take_event_ids(len(activities))
        moment = _moment(now)
        events, deliveries, logs = [], [], []
        for event_id, activity in zip(ids, activities, strict=True):
            people = recipients.get(activity.student_id, _NOBODY)
            is_owed = is_told and not activity.is_echo
            owed = people.owed if is_owed and is_decided else ()
            unmapped = [one.reason or "" for one in owed if one.zulip_user_id is None]
            is_settled = not is_owed or (is_decided and len(unmapped) == len(owed))
            events.append(_event_row(event_id, activity, people, moment, is_decided or not is_owed, is_settled))
            deliveries += [
                (event_id, one.recipient, one.zulip_user_id, _state(one), one.reason, moment, moment)
                for one in owed
            ]
            if unmapped:
                logs.append((event_id, False, "; ".join(unmapped), moment))
        self._insert("lms_activity_events", EVENT_COLUMNS, events)
        self._insert("lms_deliveries", DELIVERY_COLUMNS, deliveries)
        self._insert("lms_event_logs", LOG_COLUMNS, logs)
        return ids

    def get_open(self, stream: str, limit: int) -> list[str]:
        """Keys of the open rows, the latest opened first."""
        sql = f"SELECT row_key FROM lms_open_rows WHERE stream = {self._mark} ORDER BY opened_at DESC LIMIT {limit}"
        return [key for (key,) in self._execute(sql, (stream,))]

    def update_open(self, stream: str, opened: Iterable[str], closed: Iterable[str], now: datetime) -> None:
        rows = [(stream, key, _moment(now)) for key in opened]
        self._insert_ignoring("lms_open_rows", ("stream", "row_key", "opened_at"), rows)
        self._delete("lms_open_rows", stream, list(closed))

    def close_older(self, stream: str, opened_before: datetime) -> None:
        """Stops following rows that stayed open for long; the sweep still sees them change."""
        self._execute(
            f"DELETE FROM lms_open_rows WHERE stream = {self._mark} AND opened_at < {self._mark}",
            (stream, _moment(opened_before)),
        )

    def replace_rejected(
        self, stream: str, looked_at: Sequence[str], rejections: Sequence[Rejection], now: datetime
    ) -> None:
        """Of the rows looked at, exactly these are rejected now."""
        self._delete("lms_rejected_rows", stream, looked_at)
        self._insert(
            "lms_rejected_rows",
            ("stream", "row_key", "problem", "reason", "rejected_at"),
            [(stream, one.row_key, one.problem, one.reason, _moment(now)) for one in rejections],
        )

    def _take_event_ids(self, count: int) -> list[int]:
        if self._store.is_postgresql:
            sequence = "pg_get_serial_sequence('lms_activity_events', 'event_id')::regclass"
            named_once = f"(SELECT {sequence} AS name OFFSET 0) AS sequence"  # not looked up for each row
            rows = self._execute(f"SELECT nextval(name) FROM {named_once}, generate_series(1, %s)", (count,))
            return sorted(event_id for (event_id,) in rows)
        ((last,),) = self._execute("SELECT coalesce(max(event_id), 0) FROM lms_activity_events", ())
        return list(range(last + 1, last + count + 1))

    @property
    def _mark(self) -> str:
        return "%s" if self._store.is_postgresql else "?"

    def _execute(self, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        found = self._store.database.execute_sql(sql, parameters)
        return found.fetchall() if found.description else []

    def _in_list(self, column: str, values: Sequence[str]) -> tuple[str, tuple[Any, ...]]:
        listed = json.dumps(list(values))  # one parameter: thousands cost more to parse than to look up
        if self._store.is_postgresql:
            return f"{column} = ANY(ARRAY(SELECT json_array_elements_text(%s)))", (listed,)
        return f"{column} IN (SELECT value FROM json_each(?))", (listed,)

    def _find(self, table: str, column: str, values: Sequence[str]) -> set[str]:
        condition, parameters = self._in_list(column, values)
        return {value for (value,) in self._execute(f"SELECT {column} FROM {table} WHERE {condition}", parameters)}

    def _delete(self, table: str, stream: str, row_keys: Sequence[str]) -> None:
        if row_keys:
            condition, parameters = self._in_list("row_key", row_keys)
            self._execute(
                f"DELETE FROM {table} WHERE stream = {self._mark} AND {condition}", (stream, *parameters)
            )

    def _insert(self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        if not rows:
            return
        names = ", ".join(columns)
        if self._store.is_postgresql:
            self._copy(f"COPY {table} ({names}) FROM STDIN", rows)
        else:
            marks = ", ".join("?" * len(columns))
            self._execute_many(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)

    def _insert_ignoring(self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """Inserts the rows that are not there yet."""
        if not rows:
            return
        names = ", ".join(columns)
        if self._store.is_postgresql:
            self._execute(f"CREATE TEMPORARY TABLE fresh ON COMMIT DROP AS SELECT {names} FROM {table} LIMIT 0", ())
            self._copy(f"COPY fresh ({names}) FROM STDIN", rows)
            self._execute(
                f"INSERT INTO {table} ({names}) SELECT {names} FROM fresh ON CONFLICT DO NOTHING", ()
            )
            self._execute("DROP TABLE fresh", ())
        else:
            marks = ", ".join("?" * len(columns))
            self._execute_many(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})", rows)

    def _execute_many(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
        with in_peewee_terms:
            self._cursor().executemany(sql, rows)

    def _cursor(self) -> Any:
        return self._store.database.connection().cursor()

    def _copy(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
        text = "".join("\t".join(map(_copy_text, row)) + "\n" for row in rows)
        with in_peewee_terms, self._cursor() as copying:
            copying.copy_expert(sql, io.StringIO(text))


_NOBODY = Recipients()


def _event_row(
    event_id: int, activity: Activity, people: Recipients, moment: str, has_deliveries: bool, is_settled: bool
) -> tuple[Any, ...]:
    return (
        event_id,
        activity.event_type.value,
        activity.student_id,
        activity.student_username,
        activity.student_display_name,
        people.mentor_id,
        people.mentor_username,
        activity.activity_id,
        activity.activity_title,
        json.dumps(dict(activity.activity_metadata)),
        moment if activity.happened_at is None else _moment(activity.happened_at),
        moment,
        False,
        people.student_zulip_user_id,
        activity.source_key,
        has_deliveries,
        is_settled,
        activity.is_echo,
    )


def _state(owed: Owed) -> str:
    return "unmapped" if owed.zulip_user_id is None else "pending"


def _moment(moment: datetime) -> str:
    """As `UTCDateTimeField` writes it."""
    return to_utc(moment).isoformat(sep=" ", timespec="microseconds")


def _copy_text(value: Any) -> str:
    """A value in COPY's text format."""
    if value is None:
        return "\\N"
    if isinstance(value, str):
        return (
            value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
        )
    return str(value)
