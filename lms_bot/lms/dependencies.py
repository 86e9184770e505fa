"""Other tables that a stream's SELECT reads: which of their rows say something else than when looked at last."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from lms_bot.lms.connection import Snapshot
from lms_bot.lms.horizon import Moment, written_since
from lms_bot.lms.known_rows import KnownRows
from lms_bot.lms.stream import Dependency, Position, Stream

MOST_CONCERNED = 1000  # keys; where more changed, the next pass reads all rows of the stream again
EVERYTHING = "*"
"""In place of a table: all rows are concerned."""

TABLE_SQL = """
SELECT oid::text, relkind IN ('v', 'f') OR NOT has_column_privilege(oid, 'xmin', 'SELECT')
FROM pg_class WHERE oid = %s::regclass
"""

Digests = dict[str, dict[str, "str | None"]]


@dataclass(frozen=True)
class Look:
    """What a look at one table found. `digests` are of rows that say something else now, None for those that are no
    more; `position` is (the table's id, the horizon) to look from the next time."""

    digests: dict[str, str | None]
    position: tuple[str, int]


def look_at_dependencies(
    snapshot: Snapshot, stream: Stream, position: Position, moment: Moment, known: KnownRows, margin: int
) -> tuple[Position, Digests]:
    """The position from which what depends on changed rows is read again, and the digests to remember.

    `margin` is how many transactions further back than it would have to the look goes.
    """
    digests: Digests = {}
    for dependency in stream.depends_on:
        before = position.dependencies.get(dependency.table)
        if before is not None and before[1] == moment.xmax and not margin:  # nobody wrote anything
            continue
        look = _look(snapshot, dependency, before, moment, known, margin)
        position = replace(position, dependencies=position.dependencies | {dependency.table: look.position})
        if before is None:  # never looked at: what depends on it may have been read long ago
            position = start_over(position)
        elif look.digests:
            position = _add_concerned(position, dependency.table, look.digests)
        if look.digests:
            digests[dependency.table] = look.digests
    return position, digests


def start_over(position: Position) -> Position:
    """A complete look at every row, written since or not."""
    return replace(position, horizon=0, pass_horizon=None, pass_block=0, concerned={}, concerned_next={})


def fetch_digests(snapshot: Snapshot, stream: Stream, moment: Moment) -> tuple[dict[str, tuple[str, int]], Digests]:
    """What all rows of all these tables say, and the positions to look from the next time."""
    positions: dict[str, tuple[str, int]] = {}
    digests: Digests = {}
    for dependency in stream.depends_on:
        table_id, _ = snapshot.fetch_one(TABLE_SQL, (dependency.table,))
        positions[dependency.table] = (str(table_id), moment.xmin)
        _, digests[dependency.table] = _fetch(snapshot, dependency)
    return positions, digests


def concerned_sql(stream: Stream, concerned: Mapping[str, list[str]]) -> tuple[str, dict[str, list[str]]]:
    """SQL of the watched table, with its parameters: that the row depends on one of these."""
    conditions, parameters = ["FALSE"], {}
    for number, dependency in enumerate(stream.depends_on):
        if keys := concerned.get(dependency.table):
            name = f"concerned{number}"
            conditions.append(f"{dependency.concerns} = ANY(%({name})s::{dependency.key_type}[])")
            parameters[name] = keys
    return " OR ".join(conditions), parameters


def _look(
    snapshot: Snapshot,
    dependency: Dependency,
    before: tuple[str, int] | None,
    moment: Moment,
    known: KnownRows,
    margin: int,
) -> Look:
    table_id, is_blind = snapshot.fetch_one(TABLE_SQL, (dependency.table,))
    is_same = before is not None and before[0] == table_id
    horizon = max(0, before[1] - margin) if before is not None and is_same and not is_blind else 0
    count, said = _fetch(snapshot, dependency, written_since(horizon, moment) if horizon else "TRUE")
    remembered = known.get_digests(dependency.table, list(said))
    gone: set[str] = set()
    if count != known.count_digests(dependency.table) + len(said.keys() - remembered.keys()):
        # Some are no more, or came with a part that was attached, whose rows were written long ago.
        (_, said), remembered = _fetch(snapshot, dependency), known.get_digests(dependency.table, None)
        gone = remembered.keys() - said.keys()
    changed = {key: one for key, one in said.items() if remembered.get(key) != one}
    return Look(changed | dict.fromkeys(gone), (table_id, moment.xmin))


def _fetch(snapshot: Snapshot, dependency: Dependency, condition: str = "TRUE") -> tuple[int, dict[str, str | None]]:
    """How many rows there are, and what those of the condition say as digests, by key: a table may be written to
    often, in columns that are not ours."""
    said = f"{dependency.key}::text, md5(ROW({dependency.columns})::text)"
    those = f"{dependency.key} IS NOT NULL AND {condition}"
    found = f"coalesce(json_object_agg({said}) FILTER (WHERE {those}), '{{}}')::text"
    count, digests = snapshot.fetch_one(f"SELECT count(DISTINCT {dependency.key}), {found} FROM {dependency.table}")
    return count, json.loads(digests)


def _add_concerned(position: Position, table: str, digests: Mapping[str, str | None]) -> Position:
    """They are for the next pass; the one under way has passed some of the rows that depend on them."""
    waiting = position.concerned_next
    keys = sorted({*waiting.get(table, ()), *digests})
    waiting = waiting | {table: keys}
    if EVERYTHING in waiting or sum(map(len, waiting.values())) > MOST_CONCERNED:
        # The pass under way is let end all the same: begun anew again and again, none would.
        waiting = {EVERYTHING: []}
    return replace(position, concerned_next=waiting)
