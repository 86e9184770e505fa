"""Finding what changed in a database that does not say so.

PostgreSQL knows what changed: every row version carries the transaction that wrote it (`xmin`), and a snapshot
knows the horizon below which all transactions are settled. Rows whose `xmin` is not below the horizon noted
before the last complete look are those written since, however late they were committed. Four looks use that:

* the end: keys past the highest one read;
* the open rows: known to be started and not yet final, by key;
* the sweep: a complete look in slices of the table's blocks, for all the rest, within a time budget. Its horizon
  moves only when a pass over the whole table is complete;
* the other tables that a stream's SELECT reads: the sweep then takes the rows along that depend on what changed.

Rows that are no more are found by comparing keys, see `comparison`.

Looks overlap and repeat; what was recorded before is told apart by the store.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from datetime import datetime

from lms_bot.lms.connection import LMSConnection, Snapshot
from lms_bot.lms.dependencies import fetch_digests
from lms_bot.lms.horizon import fetch_moment, fetch_table, fetch_writers, was_there, written_since
from lms_bot.lms.known_rows import NOTHING_KNOWN, KnownRows
from lms_bot.lms.poll import PAGE_ROWS, Poll, PollMemory, read_by_keys
from lms_bot.lms.reading import Reading
from lms_bot.lms.stream import Changes, Position, Stream
from lms_bot.lms.values import read_key

PagesOfChanges = Generator[Changes, None, None]

HISTORY_SLICE_BLOCKS = 32  # about three thousand rows
KNOWN_AT_ONCE = 20_000  # keys of a log


class Source:
    """Reads one kind of LMS. `sweep_budget_seconds` is the LMS time one poll may spend on the sweep."""

    def __init__(self, connection: LMSConnection, streams: Sequence[Stream], sweep_budget_seconds: float) -> None:
        self.connection = connection
        self.streams = tuple(streams)
        self.memory = PollMemory(connection, streams, sweep_budget_seconds / max(1, len(self.streams)))

    def fetch_first_position(self, stream: Stream) -> Position:
        """Where a stream that was never read begins: everything before it is to be taken as known."""
        with self.connection.snapshot() as snapshot:
            moment = fetch_moment(snapshot)
            table = fetch_table(snapshot, stream)
            return Position(
                table.table_id,
                None,
                moment.xmin,
                baseline_at=moment.lms_now.isoformat(),
                baseline_writers=fetch_writers(snapshot, stream, moment, table.blocks),
                parts=table.parts,
            )

    def fetch_baseline(self, stream: Stream, first: Position) -> PagesOfChanges:
        """All rows that were there when `first` was fetched; with the last page comes the position to go on from.

        May be repeated: what came since is left to the polls. The LMS's transaction stays open between pages, so
        that all of them show one moment.
        """
        with self.connection.snapshot() as snapshot:
            moment = fetch_moment(snapshot)
            newest = f"SELECT max({stream.key}) FROM {stream.table}"
            high_key = snapshot.fetch_one(newest)[0] if stream.key_grows else None
            was_known = f"{was_there(first, moment, stream.alias)} AND ({stream.condition})"
            dependencies, digests = fetch_digests(snapshot, stream, moment)
            self.memory.swap_session(stream)  # the next poll need not look back again
            if stream.is_append_only:
                yield from self._fetch_known(snapshot, stream, first, was_known)
            else:
                sql = f"{stream.select} WHERE {was_known}"
                for page in snapshot.fetch_pages(snapshot.cut(sql, {}), {}, PAGE_ROWS):
                    yield Changes(stream, stream.read_all(page, moment.lms_now), first)
        high_key = None if high_key is None else int(high_key)
        end = Position(first.table_id, high_key, first.horizon, parts=first.parts, dependencies=dependencies)
        yield Changes(stream, [], end, digests=digests)

    def _fetch_known(self, snapshot: Snapshot, stream: Stream, first: Position, was_known: str) -> PagesOfChanges:
        """Keys alone: what a log says of the time before the bot is not asked."""
        sql = f"SELECT {stream.alias}.{stream.key} FROM {stream.table} AS {stream.alias} WHERE {was_known}"
        for page in snapshot.fetch_pages(sql, {}, KNOWN_AT_ONCE):
            yield Changes(stream, [], first, known=tuple(read_key(key) for (key,) in page))

    def fetch_changes(self, stream: Stream, position: Position, known: KnownRows = NOTHING_KNOWN) -> PagesOfChanges:
        """One poll: rows that may have changed, in pages. No transaction is open while a page is handled."""
        poll = Poll(self.memory, stream, position, known)
        while not poll.is_done:
            with self.connection.snapshot() as snapshot:
                changes = poll.step(snapshot)
            yield changes

    def fetch_history(
        self, stream: Stream, since: datetime, position: Position | None
    ) -> Iterator[tuple[list[Reading], float]]:
        """Rows with a time at `since` or later, a slice of the table after the other, each its own transaction.

        With each comes the part of the table that has been looked at (0 to 1). What was written after the polls'
        last complete look (`position`) is left to the polls, lest news be stored in silence.
        """
        first, blocks = 0, 1
        while first < blocks:
            last = first + HISTORY_SLICE_BLOCKS
            with self.connection.snapshot() as snapshot:
                moment = fetch_moment(snapshot)
                blocks = fetch_table(snapshot, stream).blocks
                rows = snapshot.fetch_all(
                    f"SELECT {stream.key} FROM {stream.table}"
                    f" WHERE ctid >= '({first},0)'::tid AND ctid < '({last},0)'::tid"
                    f" AND {stream.latest_moment} >= %(since)s"
                    + (f" AND NOT ({written_since(position.horizon, moment)})" if position else ""),
                    {"since": since},
                )
                readings = read_by_keys(snapshot, stream, [key for (key,) in rows], moment)
            first = last
            yield readings, min(last / blocks, 1.0) if blocks else 1.0

    def forget(self) -> None:
        """What was read last was not recorded: the next poll looks again, without relying on memory."""
        self.memory.forget()
