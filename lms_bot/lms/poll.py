"""One poll of one stream, and what a process keeps in mind between two of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from time import monotonic
from typing import Any

from lms_bot.lms.connection import LMSConnection, Snapshot
from lms_bot.lms.horizon import Moment, fetch_moment, fetch_table, written_since
from lms_bot.lms.stream import Changes, Position, Reading, Stream

PAGE_ROWS = 2000  # more than any block can hold
FIRST_SLICE_BLOCKS = 256
SMALLEST_SLICE_BLOCKS, LARGEST_SLICE_BLOCKS = 8, 65_536
SLICES_PER_BUDGET = 4  # a slice aims at this part of the budget, so that one slow slice cannot overrun it by much

# A server that crashed may hand out again the ids of transactions whose log it lost. After each new connection
# we therefore look this many transactions further back than we would have to.
CRASH_MARGIN = 100_000


class PollMemory:
    """What makes the next poll cheaper; without it, that only looks at more rows.

    `budget_seconds` is the LMS's time that the sweep of one stream may take in a poll.
    """

    def __init__(self, connection: LMSConnection, streams: Sequence[Stream], budget_seconds: float) -> None:
        self._connection = connection
        self.budget_seconds = budget_seconds
        self.slice_blocks = dict.fromkeys((stream.name for stream in streams), FIRST_SLICE_BLOCKS)
        self._open_horizons: dict[str, tuple[int, int]] = {}

    def forget(self) -> None:
        """The next poll relies on nothing that was seen before."""
        self._open_horizons.clear()

    @property
    def server(self) -> str | None:
        return self._connection.server

    def is_new_session(self, stream: Stream) -> bool:
        """Whether this stream is polled for the first time over the present connection."""
        return self._open_horizons.get(stream.name, (0, 0))[0] != self._connection.generation

    def swap_open_horizon(self, stream: Stream, horizon: int) -> int:
        """The horizon noted when the open rows were last looked at, 0 if unknown; notes the present one."""
        before = 0 if self.is_new_session(stream) else self._open_horizons[stream.name][1]
        self._open_horizons[stream.name] = (self._connection.generation, horizon)
        return before


class Poll:
    """One poll of one stream: a chain of short transactions, each giving about a page of rows."""

    def __init__(self, memory: PollMemory, stream: Stream, position: Position, open_keys: list[str]) -> None:
        self._memory = memory
        self._stream = stream
        self._position = position
        self._open_keys = open_keys
        self._budget_seconds = memory.budget_seconds
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
        return Changes(self._stream, readings, self._position)

    def _begin(self, snapshot: Snapshot, moment: Moment) -> None:
        self._horizon = moment.xmin
        table_id = fetch_table(snapshot, self._stream).table_id
        position, server = self._position, self._memory.server
        is_other = table_id != position.table_id or position.server not in (None, server)
        if is_other or position.horizon > moment.xmax:
            # Another table or server, or one that was started anew, perhaps from a backup: look at all of it.
            position = Position(table_id, position.high_key, horizon=0)
        elif self._memory.is_new_session(self._stream):
            position = replace(
                position,
                horizon=max(0, position.horizon - CRASH_MARGIN),
                pass_horizon=position.pass_horizon and max(0, position.pass_horizon - CRASH_MARGIN),
            )
        self._position = replace(position, server=server)

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
            self._position = replace(self._position, high_key=int(rows[-1][0]))
        return [key for (key,) in rows]

    def _open(self, snapshot: Snapshot, moment: Moment) -> list[Any]:
        """Which of the open rows were written since they were last looked at in this server session."""
        self._open_is_done = True
        stream = self._stream
        since = self._memory.swap_open_horizon(stream, moment.xmin)
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
        last = first + self._memory.slice_blocks[stream.name]
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
        table = fetch_table(snapshot, stream)
        self._advance(last, table.blocks, table.file, moment)
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
            horizon = position.pass_horizon
            self._position = Position(position.table_id, position.high_key, horizon, server=position.server)
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
        name, blocks = self._stream.name, self._memory.slice_blocks
        target = self._memory.budget_seconds / SLICES_PER_BUDGET
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
    parameters = {"keys": list(dict.fromkeys(keys))}
    select = (
        f"{stream.select} WHERE {stream.alias}.{stream.key} = ANY(%(keys)s::{stream.key_type}[])"
        f" ORDER BY {stream.alias}.{stream.key}"
    )
    rows = snapshot.fetch_all(snapshot.cut(select, parameters), parameters)
    return stream.read_all(rows, moment.lms_now)
