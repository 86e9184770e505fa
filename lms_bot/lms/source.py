"""Finding what changed in a database that does not say so.

PostgreSQL knows what changed: every row version carries the transaction that wrote it (`xmin`), and a snapshot
knows the horizon below which all transactions are settled. Rows whose `xmin` is not below the horizon noted
before the last complete look are those written since, however late they were committed. Three looks use that:

* the end: keys past the highest one read;
* the open rows: known to be started and not yet final, by key;
* the sweep: a complete look in slices of the table's blocks, for all the rest, within a time budget. Its horizon
  moves only when a pass over the whole table is complete.

Looks overlap and repeat; what was recorded before is told apart by the store.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from time import monotonic
from typing import Any

from lms_bot.lms.connection import LMSConnection, Snapshot
from lms_bot.lms.stream import Changes, History, Position, Reading, Stream

PagesOfChanges = Generator[Changes, None, None]

PAGE_ROWS = 2000  # more than any block can hold
HISTORY_SLICE_BLOCKS = 32  # about three thousand rows
FIRST_SLICE_BLOCKS = 256
SMALLEST_SLICE_BLOCKS, LARGEST_SLICE_BLOCKS = 8, 65_536
SLICES_PER_BUDGET = 4  # a slice aims at this part of the budget, so that one slow slice cannot overrun it by much

# age() compares 32-bit transaction ids and is right within 2**31; beyond, the horizon tells nothing.
HORIZON_REACH = 2**31 - 10_000_000

# A server that crashed may hand out again the ids of transactions whose log it lost. After each new connection
# we therefore look this many transactions further back than we would have to.
CRASH_MARGIN = 100_000

MOMENT_SQL = """
SELECT pg_snapshot_xmin(s)::text::bigint, pg_snapshot_xmax(s)::text::bigint, now() FROM pg_current_snapshot() AS s
"""

# pg_relation_filenode is asked after a slice was read: the read holds a lock that keeps VACUUM FULL out until then.
TABLE_SQL = """
SELECT d.oid::text || '/' || c.oid::text, pg_relation_filenode(c.oid)::bigint,
       pg_relation_size(c.oid) / current_setting('block_size')::int
FROM pg_class AS c, pg_database AS d
WHERE c.oid = %s::regclass AND d.datname = current_database()
"""


@dataclass(frozen=True)
class Moment:
    """A snapshot's horizon (`xmin`), the first transaction id not yet given out (`xmax`), the LMS's clock."""

    xmin: int
    xmax: int
    lms_now: datetime


class Source:
    """Reads one kind of LMS. `sweep_budget_seconds` is the LMS time one poll may spend on the sweep."""

    def __init__(self, connection: LMSConnection, streams: Sequence[Stream], sweep_budget_seconds: float) -> None:
        self.connection = connection
        self.streams = tuple(streams)
        self.budget_seconds = sweep_budget_seconds / max(1, len(self.streams))
        self.slice_blocks = dict.fromkeys((stream.name for stream in streams), FIRST_SLICE_BLOCKS)
        self._open_horizons: dict[str, tuple[int, int]] = {}

    def fetch_first_position(self, stream: Stream) -> Position:
        """Where a stream that was never read begins: everything before it is to be taken as known."""
        with self.connection.snapshot() as snapshot:
            moment = fetch_moment(snapshot)
            table_id, _, blocks = snapshot.fetch_one(TABLE_SQL, (stream.table,))
            return Position(
                table_id,
                None,
                moment.xmin,
                baseline_at=moment.lms_now.isoformat(),
                baseline_writers=fetch_writers(snapshot, stream, moment, blocks),
            )

    def fetch_baseline(self, stream: Stream, first: Position) -> PagesOfChanges:
        """All rows that were there when `first` was fetched; with the last page comes the position to go on from.

        May be repeated: what came since is left to the polls. The LMS's transaction stays open between pages, so
        that all of them show one moment.
        """
        with self.connection.snapshot() as snapshot:
            moment = fetch_moment(snapshot)
            high_key = self._fetch_high_key(snapshot, stream)
            sql = f"{stream.select} WHERE {was_there(first, moment, stream.alias)}"
            for page in snapshot.fetch_pages(sql, {}, PAGE_ROWS):
                yield Changes(stream, [stream.read(row, moment.lms_now) for row in page], first, moment.lms_now)
        yield Changes(stream, [], Position(first.table_id, high_key, first.horizon), moment.lms_now)

    def fetch_changes(self, stream: Stream, position: Position, open_keys: Sequence[str]) -> PagesOfChanges:
        """One poll: rows that may have changed, in pages. No transaction is open while a page is handled."""
        poll = _Poll(self, stream, position, list(open_keys))
        while not poll.is_done:
            with self.connection.snapshot() as snapshot:
                changes = poll.step(snapshot)
            yield changes

    def fetch_history(self, stream: Stream, since: datetime, position: Position | None) -> Iterator[History]:
        """Rows with a time at `since` or later, a slice of the table after the other, each its own transaction.

        What was written after the polls' last complete look (`position`) is left to the polls, lest news be
        stored in silence.
        """
        first, blocks = 0, 1
        while first < blocks:
            last = first + HISTORY_SLICE_BLOCKS
            with self.connection.snapshot() as snapshot:
                moment = fetch_moment(snapshot)
                _, _, blocks = snapshot.fetch_one(TABLE_SQL, (stream.table,))
                rows = snapshot.fetch_all(
                    f"SELECT {stream.key} FROM {stream.table}"
                    f" WHERE ctid >= '({first},0)'::tid AND ctid < '({last},0)'::tid"
                    f" AND {stream.latest_moment} >= %(since)s"
                    + (f" AND NOT ({written_since(position.horizon, moment)})" if position else ""),
                    {"since": since},
                )
                readings = read_by_keys(snapshot, stream, [key for (key,) in rows], moment)
            first = last
            yield History(readings, min(last, blocks), blocks)

    def forget(self) -> None:
        """What was read last was not recorded: the next poll looks again, without relying on memory."""
        self._open_horizons.clear()

    def is_new_session(self, stream: Stream) -> bool:
        """Whether this stream is polled for the first time over the present connection."""
        return self._open_horizons.get(stream.name, (0, 0))[0] != self.connection.generation

    def swap_open_horizon(self, stream: Stream, horizon: int) -> int:
        """The horizon noted when the open rows were last looked at, 0 if unknown; notes the present one."""
        before = 0 if self.is_new_session(stream) else self._open_horizons[stream.name][1]
        self._open_horizons[stream.name] = (self.connection.generation, horizon)
        return before

    def _fetch_high_key(self, snapshot: Snapshot, stream: Stream) -> int | None:
        if not stream.key_grows:
            return None
        (high_key,) = snapshot.fetch_one(f"SELECT max({stream.key}) FROM {stream.table}")
        return high_key


class _Poll:
    """One poll of one stream: a chain of short transactions, each giving about a page of rows."""

    def __init__(self, source: Source, stream: Stream, position: Position, open_keys: list[str]) -> None:
        self._source = source
        self._stream = stream
        self._position = position
        self._open_keys = open_keys
        self._budget_seconds = source.budget_seconds
        self._tail_from = position.high_key
        self._horizon: int | None = None
        self._tail_is_done = not stream.key_grows
        self._open_is_done = False
        self._sweep_is_done = False

    @property
    def is_done(self) -> bool:
        return self._tail_is_done and self._open_is_done and self._sweep_is_done

    def step(self, snapshot: Snapshot) -> Changes:
        moment = fetch_moment(snapshot)
        if self._horizon is None:
            self._begin(snapshot, moment)
        keys = self._tail(snapshot)
        if self._tail_is_done and not self._open_is_done:
            keys += self._open(snapshot, moment)
        swept = self._sweep(snapshot, moment, PAGE_ROWS - len(keys)) if self._tail_is_done else []
        began = monotonic()
        readings = read_by_keys(snapshot, self._stream, keys + swept, moment)
        if swept:
            self._spend(monotonic() - began)
        return Changes(self._stream, readings, self._position, moment.lms_now)

    def _begin(self, snapshot: Snapshot, moment: Moment) -> None:
        self._horizon = moment.xmin
        table_id, _, _ = snapshot.fetch_one(TABLE_SQL, (self._stream.table,))
        position = self._position
        if table_id != position.table_id or position.horizon > moment.xmax:
            position = Position(table_id, position.high_key, horizon=0)  # another table or server: look at all of it
        elif self._source.is_new_session(self._stream):
            position = replace(
                position,
                horizon=max(0, position.horizon - CRASH_MARGIN),
                pass_horizon=position.pass_horizon and max(0, position.pass_horizon - CRASH_MARGIN),
            )
        self._position = position

    def _tail(self, snapshot: Snapshot) -> list[Any]:
        """The next keys past the highest one read."""
        if self._tail_is_done:
            return []
        stream, high_key = self._stream, self._position.high_key
        condition = "TRUE" if high_key is None else f"{stream.key} > %(high_key)s"
        rows = snapshot.fetch_all(
            f"SELECT {stream.key} FROM {stream.table} WHERE {condition} ORDER BY {stream.key} LIMIT {PAGE_ROWS}",
            {"high_key": high_key},
        )
        self._tail_is_done = len(rows) < PAGE_ROWS
        if rows:
            self._position = replace(self._position, high_key=rows[-1][0])
        return [key for (key,) in rows]

    def _open(self, snapshot: Snapshot, moment: Moment) -> list[Any]:
        """Which of the open rows were written since they were last looked at in this server session."""
        self._open_is_done = True
        stream = self._stream
        since = self._source.swap_open_horizon(stream, moment.xmin)
        if not self._open_keys or since == moment.xmax:
            return []
        rows = snapshot.fetch_all(
            f"SELECT {stream.key} FROM {stream.table}"
            f" WHERE {stream.key} = ANY(%(keys)s::{stream.key_type}[]) AND {written_since(since, moment)}",
            {"keys": self._open_keys},
        )
        return [key for (key,) in rows]

    def _sweep(self, snapshot: Snapshot, moment: Moment, room: int) -> list[Any]:
        """Slices of the complete look, until the budget is spent, the page is full or the pass is complete."""
        position = self._position
        if position.pass_horizon is None:
            if position.horizon == moment.xmax:  # no transaction wrote anything since the last pass
                self._sweep_is_done = True
                return []
            self._position = replace(position, pass_horizon=moment.xmin, pass_block=0, pass_file=None)
        keys: list[Any] = []
        while not self._sweep_is_done and len(keys) < room:
            began = monotonic()
            keys += self._slice(snapshot, moment)
            self._fit_slice(monotonic() - began)
            self._spend(monotonic() - began)
        return keys

    def _slice(self, snapshot: Snapshot, moment: Moment) -> list[Any]:
        stream, position = self._stream, self._position
        first = position.pass_block
        last = first + self._source.slice_blocks[stream.name]
        rows = snapshot.fetch_all(
            # The alias keeps ORDER BY from meaning the text.
            f"SELECT {stream.key}, ctid::text AS place FROM {stream.table}"
            f" WHERE ctid >= '({first},0)'::tid AND ctid < '({last},0)'::tid"
            f" AND {written_since(position.horizon, moment)} AND NOT ({self._was_in_tail(moment)})"
            f" ORDER BY ctid LIMIT {PAGE_ROWS}",
            {"tail_from": self._tail_from},
        )
        if len(rows) == PAGE_ROWS:  # more than a page: go on with the block that was cut
            last = int(rows[-1][1].strip("()").split(",")[0])
        _, table_file, blocks = snapshot.fetch_one(TABLE_SQL, (stream.table,))
        self._advance(last, blocks, table_file, moment)
        return [key for key, _ in rows]

    def _advance(self, block: int, blocks: int, table_file: int, moment: Moment) -> None:
        position = self._position
        if position.pass_file not in (None, table_file):
            # The table was rewritten under us: rows moved to blocks already looked at. Begin again.
            self._position = replace(position, pass_horizon=moment.xmin, pass_block=0, pass_file=table_file)
        elif block < blocks:
            self._position = replace(position, pass_block=block, pass_file=table_file)
        else:
            assert position.pass_horizon is not None
            self._position = Position(position.table_id, position.high_key, position.pass_horizon)
            self._sweep_is_done = True

    def _was_in_tail(self, moment: Moment) -> str:
        """Rows the end's look of this same poll has read, unless written again since it began."""
        if not self._stream.key_grows:
            return "FALSE"
        past = "TRUE" if self._tail_from is None else f"{self._stream.key} > %(tail_from)s"
        assert self._horizon is not None
        return f"{past} AND NOT ({written_since(self._horizon, moment)})"

    def _fit_slice(self, seconds: float) -> None:
        """Fits the next slice to the budget."""
        name, blocks = self._stream.name, self._source.slice_blocks
        target = self._source.budget_seconds / SLICES_PER_BUDGET
        fitting = int(blocks[name] * min(4.0, target / max(seconds, 1e-4)))
        blocks[name] = max(SMALLEST_SLICE_BLOCKS, min(LARGEST_SLICE_BLOCKS, fitting))

    def _spend(self, seconds: float) -> None:
        """Takes from the budget; the sweep goes on in the next poll when it is used up."""
        self._budget_seconds -= seconds
        if self._budget_seconds <= 0:
            self._sweep_is_done = True


def read_by_keys(snapshot: Snapshot, stream: Stream, keys: Sequence[Any], moment: Moment) -> list[Reading]:
    if not keys:
        return []
    rows = snapshot.fetch_all(
        f"{stream.select} WHERE {stream.alias}.{stream.key} = ANY(%(keys)s::{stream.key_type}[])"
        f" ORDER BY {stream.alias}.{stream.key}",
        {"keys": list(dict.fromkeys(keys))},
    )
    return [stream.read(row, moment.lms_now) for row in rows]


def fetch_moment(snapshot: Snapshot) -> Moment:
    return Moment(*snapshot.fetch_one(MOMENT_SQL))


def fetch_writers(snapshot: Snapshot, stream: Stream, moment: Moment, blocks: int) -> list[int]:
    """The transactions (32 bits) at or past the horizon that wrote rows which can be seen.

    PostgreSQL's own pg_snapshot would not do: it does not name the open parts of transactions (savepoints).
    """
    if moment.xmin == moment.xmax:
        return []
    writers: set[int] = set()
    for first in range(0, blocks, LARGEST_SLICE_BLOCKS):  # in slices, each with a statement timeout of its own
        rows = snapshot.fetch_all(
            f"SELECT DISTINCT xmin::text::bigint FROM {stream.table} WHERE ctid >= '({first},0)'::tid"
            f" AND ctid < '({first + LARGEST_SLICE_BLOCKS},0)'::tid AND {written_since(moment.xmin, moment)}"
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
    return (
        f"(NOT ({written_since(first.horizon, moment, alias)})"
        f" OR {alias}.xmin = ANY('{{{writers}}}'::xid[]))"
    )
