"""Stored events, one a line, for what comes after the bot: a shell, a table, an AI consumer."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import IO, Any

from peewee import Expression, fn

from lms_bot.core.clock import UTC
from lms_bot.core.markdown import one_line
from lms_bot.store.database import Store
from lms_bot.store.models import LMSActivityEvent

PAGE_EVENTS = 500

Row = dict[str, Any]
"""All columns of an event by name."""


@dataclass(frozen=True)
class Wanted:
    """Which events: those that happened at `since` or later and before `until`, of these students, of these
    types, or no AI consumer has taken yet. Everything where nothing is said, but for echoes, contents that are exams:
    the exam's event says the same."""

    since: datetime | None = None
    until: datetime | None = None
    student_ids: Collection[int] = ()
    event_types: Collection[str] = ()
    is_unprocessed: bool = False
    has_echoes: bool = False

    @property
    def conditions(self) -> list[Expression]:
        event = LMSActivityEvent
        said = [
            (self.since, event.timestamp >= self.since),
            (self.until, event.timestamp < self.until),
            (self.student_ids, event.student_id.in_(list(self.student_ids))),
            # COALESCE keeps SQLite from going by the index of types and sorting all of a type for each page.
            (self.event_types, fn.COALESCE(event.event_type, "").in_(list(self.event_types))),
            (self.is_unprocessed, ~event.processed_for_ai),
            (not self.has_echoes, ~event.is_echo),
        ]
        return [event.event_id > 0, *(condition for value, condition in said if value)]


def count_echoes(wanted: Wanted) -> int:
    """How many echoes are left out; within the caller's session."""
    conditions = replace(wanted, has_echoes=True).conditions
    return 0 if wanted.has_echoes else LMSActivityEvent.select().where(*conditions, LMSActivityEvent.is_echo).count()


def get_pages(store: Store, wanted: Wanted) -> Iterator[list[Row]]:
    """The events that are there now, by id, in pages: memory does not grow with their number."""
    event, conditions = LMSActivityEvent, wanted.conditions
    with store.session():
        ends: Any = event.select(fn.MIN(event.event_id), fn.MAX(event.event_id)).where(*conditions).tuples().get()
    first, last = ends
    after = first - 1 if first else 0
    while after < (last or 0):
        with store.session():
            query = event.select().where(event.event_id > after, event.event_id <= last, *conditions)
            page: list[Any] = list(query.order_by(event.event_id).limit(PAGE_EVENTS).dicts())
        if not page:
            return
        yield page
        after = page[-1]["event_id"]


def write_events(
    store: Store, wanted: Wanted, format_line: Callable[[Row], str], out: IO[bytes], is_marking: bool = False
) -> int:
    """Writes the events to `out` in UTF-8 and returns how many; with `is_marking` they are then taken for AI.

    A page is marked once it was written and flushed, so whatever happens no event is marked that `out` did
    not take. Raises OSError where it does not.
    """
    written = 0
    for page in get_pages(store, wanted):
        lines = "".join(f"{format_line(row)}\n" for row in page)
        # Half a surrogate pair may stand in JSON as \udXXX, and that is what backslashreplace makes of it.
        out.write(lines.encode("utf-8", "backslashreplace"))
        out.flush()
        if is_marking:
            with store.transaction():
                LMSActivityEvent.mark_processed_for_ai(row["event_id"] for row in page)
        written += len(page)
    return written


def format_json(row: Row) -> str:
    """All columns as one JSON object; times in ISO 8601 with +00:00."""
    return json.dumps(row, ensure_ascii=False, default=_iso)


def _iso(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    raise TypeError(f"an event has no {type(value).__name__}")


_CSV_COLUMNS = (
    "created_at", "student_id", "student_username", "student_display_name", "activity_id", "activity_title",
)  # fmt: skip
_CSV_METADATA = ("score", "percentage", "result", "time_taken", "course_title", "chapter_name", "content_type")
# Where the separator is a semicolon, as in much of Europe, a cell may begin in the middle of one of ours.
_FORMULA = re.compile(r"""(^|[;|])(?=[ "]*[=+\-@\uff1d\uff0b\uff0d\uff20])""")
BYTE_ORDER_MARK = "\ufeff"
"""By which Excel knows UTF-8."""


@dataclass(frozen=True)
class CsvFormat:
    """For spreadsheets, and a reader in this zone.

    Beside `event_type` is the same in plain words, and beside `timestamp`, which is ISO 8601 with +00:00, what clocks
    of the zone showed. Text is one line, and what a spreadsheet would take for a formula has an apostrophe before it;
    numbers are numbers.
    """

    zone: tzinfo

    def format_header(self) -> str:
        """With the byte order mark."""
        events = ("event_id", "event_type", "event", "timestamp", f"local_time ({self.zone})")
        return f"{BYTE_ORDER_MARK}{_csv_line((*events, *_CSV_COLUMNS, *_CSV_METADATA))}"

    def format_line(self, row: Row) -> str:
        known = row["activity_metadata"] if isinstance(row["activity_metadata"], dict) else {}
        kind, moment = row["event_type"], row["timestamp"]
        local = f"{moment.astimezone(self.zone):%Y-%m-%d %H:%M:%S}"
        events = (row["event_id"], kind, one_line(kind).replace("_", " ").capitalize(), moment, local)
        return _csv_line((*events, *map(row.get, _CSV_COLUMNS), *map(known.get, _CSV_METADATA)))


def _csv_line(cells: Iterable[object]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(map(_csv_cell, cells))
    return line.getvalue().removesuffix("\r\n")


def _csv_cell(value: object) -> object:
    if isinstance(value, datetime):
        return _iso(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return _FORMULA.sub(r"\1'", one_line(value))


TABLE_HEADER = f"{'id':>8}  {'happened at (UTC)':<19}  {'type':<17}  {'student':<20}  title"


def format_table_row(row: Row) -> str:
    """For people: the columns they ask for most."""
    student = row["student_username"] or f"#{row['student_id']}"
    line = (
        f"{row['event_id']:>8}  {row['timestamp']:%Y-%m-%d %H:%M:%S}  {row['event_type']:<17}  {student:<20}"
        f"  {row['activity_title'] or ''}"
    )
    return "".join(each if each.isprintable() else "?" for each in line).rstrip()
