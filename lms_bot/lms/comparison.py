"""Rows that are no more: what nobody writes cannot be found by who wrote it.

PostgreSQL counts how many rows were ever deleted from a table. Where that number changed, or the table's files did
(TRUNCATE), the keys we know are looked for, some at a time within the polls' budget; and once a day, for a replica
does not count. A small table is compared whenever anybody wrote anything.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from lms_bot.lms.connection import Snapshot
from lms_bot.lms.horizon import Moment, Table
from lms_bot.lms.known_rows import NO_ROW, KnownRows
from lms_bot.lms.stream import Position, Stream

KEYS_AT_ONCE = 5000
SMALL_BLOCKS = 64
INTEGERS = {"smallint": 2**15, "integer": 2**31, "int": 2**31, "bigint": 2**63}
UUID_FORM = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
EVERY = timedelta(days=1)


def describe(table: Table) -> str:
    """What changes when rows are deleted."""
    return f"{table.deleted}/{table.files}"


def is_due(position: Position, table: Table, moment: Moment, *, is_quiet: bool) -> bool:
    """Whether known keys are to be looked for; `is_quiet` says that nobody wrote anything since the last time."""
    if position.comparing is not None or position.compared is None or position.compared_at is None:
        return True
    if position.compared != describe(table) or (table.blocks <= SMALL_BLOCKS and not is_quiet):
        return True
    return moment.lms_now - datetime.fromisoformat(position.compared_at) >= EVERY


def compare_some(
    snapshot: Snapshot, stream: Stream, position: Position, table: Table, moment: Moment, known: KnownRows
) -> tuple[Position, list[str]]:
    """The known keys that are no more, of the next some; the comparison is complete when `comparing` is None then."""
    comparing = position.comparing or describe(table)
    keys = known.get_keys(position.compare_from, KEYS_AT_ONCE)
    gone = _find_gone(snapshot, stream, keys)
    if len(keys) == KEYS_AT_ONCE:
        return replace(position, comparing=comparing, compare_from=keys[-1]), gone
    compared_at = moment.lms_now.isoformat()
    done = replace(position, compared=comparing, compared_at=compared_at, comparing=None, compare_from=None)
    return done, gone


def _find_gone(snapshot: Snapshot, stream: Stream, keys: Sequence[str]) -> list[str]:
    keys = [key for key in keys if _can_be_key(key, stream.key_type)]
    if not keys:
        return []
    rows = snapshot.fetch_all(
        f"SELECT place FROM unnest(%(keys)s::{stream.key_type}[]) WITH ORDINALITY AS wanted (key, place)"
        f" WHERE NOT EXISTS (SELECT 1 FROM {stream.table} AS {stream.alias}"
        f" WHERE {stream.alias}.{stream.key} = wanted.key AND ({stream.condition}))",
        {"keys": list(keys)},
    )
    return [keys[place - 1] for (place,) in rows]


def _can_be_key(key: str, key_type: str) -> bool:
    """What was stored by hand is no row, and may be no key at all; one such must not stop the others."""
    if key.startswith(NO_ROW):
        return False
    if key_type in INTEGERS:
        return key.lstrip("-").isdecimal() and key.isascii() and abs(int(key)) < INTEGERS[key_type]
    return key_type != "uuid" or UUID_FORM.fullmatch(key) is not None
