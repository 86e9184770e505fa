"""Writing down what was read, many rows at a time: events, their deliveries, and how far we are."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from lms_bot.core.activities import Activity, Rejection
from lms_bot.people.recipients import Recipients
from lms_bot.store.database import EVENT_IDS, Store
from lms_bot.store.statements import COUNTED_TO, Statements, to_stored

EVENT_COLUMNS = (
    "event_id", "event_type", "student_id", "student_username", "student_display_name", "mentor_id",
    "mentor_username", "activity_id", "activity_title", "activity_metadata", "timestamp", "created_at",
    "processed_for_ai", "zulip_user_id", "source_key", "has_deliveries", "is_settled",
    "is_echo", "stream", "attempt_id", "is_old_id",
)  # fmt: skip
DELIVERY_COLUMNS = ("event_id", "recipient", "zulip_user_id", "state", "reason", "created_at", "updated_at")
REJECTED_COLUMNS = ("stream", "row_key", "problem", "reason", "rejected_at")
LOG_COLUMNS = ("event_id", "notification_sent", "error_message", "processed_at")

NOBODY = Recipients()
DIGEST_KEY = ("stream", "table_name", "row_key")
REPLACE_DIGEST = f"({', '.join(DIGEST_KEY)}) DO UPDATE SET digest = excluded.digest"

# An id that was counted is not given again where its event was deleted: it would count as counted.
LAST_ID_SQL = f"SELECT max(coalesce((SELECT max(event_id) FROM lms_activity_events), 0), coalesce({COUNTED_TO}, 0))"


class Recorder:
    """The statements, within the caller's transaction on `store`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._statements = Statements(store.database)

    def lock_stream(self, stream: str) -> None:
        """Lets one process at a time record this stream, so that what is not yet stored stays so until commit."""
        self._store.lock(stream)

    def get_stored(self, source_keys: Sequence[str]) -> set[str]:
        condition, parameters = self._statements.among("source_key", source_keys)
        sql = f"SELECT source_key FROM lms_activity_events WHERE {condition}"
        return {key for (key,) in self._statements.execute(sql, parameters)}

    def insert_events(
        self,
        activities: Sequence[Activity],
        recipients: dict[int, Recipients],
        *,
        now: datetime,
        is_told: bool,
        is_decided: bool = True,
        untold: Collection[str] = (),
    ) -> list[int]:
        """Stores activities as events, each with a delivery for everyone it is owed to. Returns the event ids.

        `is_told` False: nobody is owed anything, nor those with one of the source keys `untold`. `is_decided` False:
        who is told is decided later.
        """
        if not activities:
            return []
        self._store.lock(EVENT_IDS, is_shared=True)
        ids = self._take_event_ids(len(activities))
        moment = to_stored(now)
        events, deliveries, logs = [], [], []
        for event_id, activity in zip(ids, activities, strict=True):
            people = recipients.get(activity.student_id, NOBODY)
            is_owed = is_told and not activity.is_echo and activity.source_key not in untold
            owed = people.owed if is_owed and is_decided else ()
            unmapped = [one.reason or "" for one in owed if one.zulip_user_id is None]
            is_settled = not is_owed or (is_decided and len(unmapped) == len(owed))
            events.append(_event_row(event_id, activity, people, moment, is_decided or not is_owed, is_settled))
            for one in owed:
                state = "unmapped" if one.zulip_user_id is None else "pending"
                deliveries.append((event_id, one.recipient, one.zulip_user_id, state, one.reason, moment, moment))
            if unmapped:
                logs.append((event_id, False, "; ".join(unmapped), moment))
        self._statements.insert("lms_activity_events", EVENT_COLUMNS, events)
        self._statements.insert("lms_deliveries", DELIVERY_COLUMNS, deliveries)
        self._statements.insert("lms_event_logs", LOG_COLUMNS, logs)
        return ids

    def get_open(self, stream: str, limit: int) -> list[str]:
        """Keys of the open rows, the latest opened first."""
        sql = f"SELECT row_key FROM lms_open_rows WHERE stream = ? ORDER BY opened_at DESC LIMIT {limit}"
        return [key for (key,) in self._statements.execute(sql, (stream,))]

    def update_open(self, stream: str, opened: Iterable[str], closed: Iterable[str], now: datetime) -> None:
        rows = [(stream, key, to_stored(now)) for key in opened]
        self._statements.merge("lms_open_rows", ("stream", "row_key", "opened_at"), rows)
        self._delete("lms_open_rows", stream, list(closed))

    def close_older(self, stream: str, opened_before: datetime) -> None:
        """Stops following rows that stayed open for long; the sweep still sees them change."""
        sql = "DELETE FROM lms_open_rows WHERE stream = ? AND opened_at < ?"
        self._statements.execute(sql, (stream, to_stored(opened_before)))

    def replace_rejected(
        self, stream: str, looked_at: Sequence[str], rejections: Sequence[Rejection], now: datetime
    ) -> None:
        """Of the rows looked at, exactly these are rejected now."""
        self._delete("lms_rejected_rows", stream, looked_at)
        rows = [(stream, one.row_key, one.problem, one.reason, to_stored(now)) for one in rejections]
        self._statements.insert("lms_rejected_rows", REJECTED_COLUMNS, rows)

    def get_digests(self, stream: str, table: str, row_keys: Sequence[str] | None) -> dict[str, str]:
        """What rows of another table said when they were looked at last, by key; of all rows for None."""
        condition, parameters = ("1 = 1", ()) if row_keys is None else self._statements.among("row_key", row_keys)
        sql = f"SELECT row_key, digest FROM lms_row_digests WHERE stream = ? AND table_name = ? AND {condition}"
        return dict(self._statements.execute(sql, (stream, table, *parameters)))

    def count_digests(self, stream: str, table: str) -> int:
        sql = "SELECT count(*) FROM lms_row_digests WHERE stream = ? AND table_name = ?"
        return int(self._statements.execute(sql, (stream, table))[0][0])

    def update_digests(self, stream: str, table: str, digests: Mapping[str, str | None]) -> None:
        """What these rows say now; None for those that are no more."""
        there = [(stream, table, key, digest) for key, digest in digests.items() if digest is not None]
        self._statements.merge("lms_row_digests", (*DIGEST_KEY, "digest"), there, REPLACE_DIGEST)
        gone = [key for key, digest in digests.items() if digest is None]
        condition, parameters = self._statements.among("row_key", gone)
        if gone:
            sql = f"DELETE FROM lms_row_digests WHERE stream = ? AND table_name = ? AND {condition}"
            self._statements.execute(sql, (stream, table, *parameters))

    def _take_event_ids(self, count: int) -> list[int]:
        if self._store.is_postgresql:
            sequence = "pg_get_serial_sequence('lms_activity_events', 'event_id')::regclass"
            named_once = f"(SELECT {sequence} AS name OFFSET 0) AS sequence"  # not looked up for each row
            sql = f"SELECT nextval(name) FROM {named_once}, generate_series(1, ?)"
            return sorted(event_id for (event_id,) in self._statements.execute(sql, (count,)))
        ((last,),) = self._statements.execute(LAST_ID_SQL)
        return list(range(last + 1, last + count + 1))

    def _delete(self, table: str, stream: str, row_keys: Sequence[str]) -> None:
        if row_keys:
            condition, parameters = self._statements.among("row_key", row_keys)
            sql = f"DELETE FROM {table} WHERE stream = ? AND {condition}"
            self._statements.execute(sql, (stream, *parameters))


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
        moment if activity.happened_at is None else to_stored(activity.happened_at),
        moment,
        False,
        people.student_zulip_user_id,
        activity.source_key,
        has_deliveries,
        is_settled,
        activity.is_echo,
        activity.stream,
        activity.attempt_id,
        False,
    )
