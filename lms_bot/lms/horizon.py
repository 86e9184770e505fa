"""What was written since, in SQL: PostgreSQL's horizon of settled transactions and the `xmin` of row versions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lms_bot.core.errors import LMSRefused
from lms_bot.lms.connection import Snapshot
from lms_bot.lms.stream import Position, Stream

SLICE_BLOCKS = 65_536  # of a table looked at in one statement

# age() compares 32-bit transaction ids and is right within 2**31; beyond, the horizon tells nothing.
HORIZON_REACH = 2**31 - 10_000_000

MOMENT_SQL = """
SELECT pg_snapshot_xmin(s)::text::bigint, pg_snapshot_xmax(s)::text::bigint, now() FROM pg_current_snapshot() AS s
"""

# pg_relation_filenode is asked after a slice was read: the read holds a lock that keeps VACUUM FULL out until then.
# A table's parts are its partitions, or the tables that inherit from it, and itself where it holds rows.
TABLE_SQL = """
WITH RECURSIVE part AS (
  SELECT %s::regclass::oid AS oid UNION SELECT inhrelid FROM pg_inherits JOIN part ON inhparent = part.oid
)
SELECT (SELECT oid FROM pg_database WHERE datname = current_database())::text || '/' || %s::regclass::oid::text,
       coalesce(array_agg(c.oid::bigint ORDER BY c.oid) FILTER (WHERE c.relkind IN ('r', 'm')), '{}'),
       coalesce(string_agg(pg_relation_filenode(c.oid)::text, ',' ORDER BY c.oid), ''),
       coalesce(max(pg_relation_size(c.oid)), 0) / current_setting('block_size')::int,
       coalesce(sum(pg_stat_get_tuples_deleted(c.oid)), 0)::bigint,
       array_agg(DISTINCT c.relkind::text)
FROM part JOIN pg_class AS c ON c.oid = part.oid
"""

UNWATCHABLE = {"f": "a foreign table", "v": "a view"}
"""Where a complete look at the blocks of the table would find nothing, and say nothing of it."""


@dataclass(frozen=True)
class Table:
    """A table as it is now.

    `table_id` tells it from another one of its name. `parts` are the tables that hold its rows, itself for most;
    `files` change when one is rewritten. `blocks` is the length of the longest part, so that a range of blocks is
    looked at in all parts at once. `deleted` is how many rows were ever deleted, as PostgreSQL counts them: some
    seconds late, and from 0 after a crash.
    """

    table_id: str
    parts: list[int]
    files: str
    blocks: int
    deleted: int


def fetch_table(snapshot: Snapshot, stream: Stream) -> Table:
    """Raises LMSRefused for what cannot be watched, rather than miss rows in silence."""
    *table, kinds = snapshot.fetch_one(TABLE_SQL, (stream.table, stream.table))
    unwatchable = [words for kind, words in UNWATCHABLE.items() if kind in kinds]
    if unwatchable:
        is_or_has = "is" if len(kinds) == 1 else "has a part that is"
        raise LMSRefused(f"“{stream.table}” {is_or_has} {unwatchable[0]}, in which changes cannot be found")
    return Table(*table)


@dataclass(frozen=True)
class Moment:
    """A snapshot's horizon (`xmin`), the first transaction id not yet given out (`xmax`), the LMS's clock."""

    xmin: int
    xmax: int
    lms_now: datetime


def fetch_moment(snapshot: Snapshot) -> Moment:
    return Moment(*snapshot.fetch_one(MOMENT_SQL))


def fetch_writers(snapshot: Snapshot, stream: Stream, moment: Moment, blocks: int) -> list[int]:
    """The transactions (32 bits) at or past the horizon that wrote rows which can be seen.

    PostgreSQL's own pg_snapshot would not do: it does not name the open parts of transactions (savepoints).
    """
    if moment.xmin == moment.xmax:
        return []
    writers: set[int] = set()
    for first in range(0, blocks, SLICE_BLOCKS):  # in slices, each with a statement timeout of its own
        rows = snapshot.fetch_all(
            f"SELECT DISTINCT xmin::text::bigint FROM {stream.table} WHERE ctid >= '({first},0)'::tid"
            f" AND ctid < '({first + SLICE_BLOCKS},0)'::tid AND {written_since(moment.xmin, moment)}"
        )
        writers.update(xid for (xid,) in rows)
    return sorted(writers)


def written_since(horizon: int, moment: Moment, alias: str | None = None) -> str:
    """SQL: the row version was written by a transaction not below the horizon.

    xmin has 32 bits and wraps around; age() counts back from the present. A horizon out of its reach means: all.
    """
    if moment.xmax - horizon >= HORIZON_REACH:
        return "TRUE"
    xmin = "xmin" if alias is None else f"{alias}.xmin"
    return f"age({xmin}) BETWEEN 0 AND age('{horizon % 2**32}'::xid)"


def was_there(first: Position, moment: Moment, alias: str) -> str:
    """SQL: the row version could be seen when `first` was fetched."""
    writers = ",".join(map(str, first.baseline_writers or ()))
    return f"(NOT ({written_since(first.horizon, moment, alias)}) OR {alias}.xmin = ANY('{{{writers}}}'::xid[]))"
