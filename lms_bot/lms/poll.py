"""One poll of one stream, and what a process keeps in mind between two of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from time import monotonic
from typing import Any

from lms_bot.lms.comparison import compare_some, is_due
from lms_bot.lms.connection import LMSConnection, Snapshot
from lms_bot.lms.dependencies import EVERYTHING, Digests, concerned_sql, look_at_dependencies, start_over
from lms_bot.lms.horizon import Moment, Table, fetch_moment, fetch_table, written_since
from lms_bot.lms.known_rows import KnownRows
from lms_bot.lms.reading import Reading
from lms_bot.lms.stream import Changes, Position, Stream
from lms_bot.lms.values import read_key

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
        self._sessions: dict[str, int] = {}
        self._open_horizons: dict[str, tuple[int, int]] = {}
        self._compared_at: dict[str, int] = {}

    def forget(self) -> None:
        """The next poll relies on nothing that was seen before."""
        self._sessions.clear()
        self._open_horizons.clear()
        self._compared_at.clear()

    def swap_compared(self, stream: Stream, moment: Moment) -> bool:
        """Whether nobody has written anything since this was asked last, and nothing was being written then."""
        is_quiet = moment.xmin == moment.xmax and self._compared_at.get(stream.name) == moment.xmax
        self._compared_at[stream.name] = moment.xmin
        return is_quiet

    @property
    def server(self) -> str | None:
        return self._connection.server

    def swap_session(self, stream: Stream) -> bool:
        """Whether this stream is looked at for the first time over the present connection; notes that it is."""
        before, now = self._sessions.get(stream.name), self._connection.generation
        self._sessions[stream.name] = now
        return before != now

    def swap_open_horizon(self, stream: Stream, horizon: int) -> int:
        """The horizon noted when the open rows were last looked at, 0 if unknown; notes the present one."""
        generation, before = self._open_horizons.get(stream.name, (0, 0))
        self._open_horizons[stream.name] = (self._connection.generation, horizon)
        return before if generation == self._connection.generation else 0


class Poll:
    """One poll of one stream: a chain of short transactions, each giving about a page of rows."""

    def __init__(self, memory: PollMemory, stream: Stream, position: Position, known: KnownRows) -> None:
        self._memory = memory
        self._stream = stream
        self._position = position
        self._known = known
        self._budget_seconds = memory.budget_seconds
        self._tail_from = position.high_key
        self._horizon: int | None = None
        self._table: Table | None = None
        self._tail_is_done = not stream.key_grows
        self._open_is_done = self._comparison_is_done = stream.is_append_only
        self._sweep_is_done = False

    @property
    def is_done(self) -> bool:
        return self._tail_is_done and self._open_is_done and self._sweep_is_done and self._comparison_is_done

    def step(self, snapshot: Snapshot) -> Changes:
        moment, self._table = fetch_moment(snapshot), None
        digests = self._begin(snapshot, moment) if self._horizon is None else {}
        keys = self._tail(snapshot)
        if self._tail_is_done and not self._open_is_done:
            keys += self._open(snapshot, moment)
        swept = self._sweep(snapshot, moment, PAGE_ROWS - len(keys)) if self._tail_is_done else []
        began = monotonic()
        wanted = self._leave_out_seen(keys + swept)
        readings = read_by_keys(snapshot, self._stream, wanted, moment)
        if swept:
            self._spend(monotonic() - began)
        read = {one.row_key for one in readings}
        gone = [key for key in map(read_key, wanted) if key not in read]
        if self._sweep_is_done and not self._comparison_is_done:
            gone += self._compare(snapshot, moment)
        return Changes(self._stream, readings, self._position, tuple(dict.fromkeys(gone)), digests=digests)

    def _leave_out_seen(self, keys: list[Any]) -> list[Any]:
        """A row of a log is never written again."""
        if not self._stream.is_append_only or not keys:
            return keys
        seen = self._known.get_seen([read_key(key) for key in keys])
        return [key for key in keys if read_key(key) not in seen]

    def _begin(self, snapshot: Snapshot, moment: Moment) -> Digests:
        """Notes from where to look, and what changed in other tables."""
        self._horizon = moment.xmin
        table = self._table = fetch_table(snapshot, self._stream)
        position, server = self._position, self._memory.server
        margin = CRASH_MARGIN if self._memory.swap_session(self._stream) else 0
        if _is_other(position, table, server) or position.horizon > moment.xmax:
            # Another table or server, or one that was started anew, perhaps from a backup: look at all of it.
            position = Position(table.table_id, position.high_key, horizon=0)
        elif margin:
            position = replace(
                position,
                horizon=max(0, position.horizon - margin),
                pass_horizon=position.pass_horizon and max(0, position.pass_horizon - margin),
            )
        if position.parts is not None and set(table.parts) - set(position.parts):
            position = start_over(position)  # a part that was attached may be old
        position = replace(position, server=server, parts=table.parts)
        self._position, digests = look_at_dependencies(snapshot, self._stream, position, moment, self._known, margin)
        return digests

    def _tail(self, snapshot: Snapshot) -> list[Any]:
        """The next keys past the highest one read."""
        if self._tail_is_done:
            return []
        stream, high_key = self._stream, self._position.high_key
        past = "TRUE" if high_key is None else f"{stream.key} > %(high_key)s"
        rows = snapshot.fetch_all(
            f"SELECT {stream.key} FROM {stream.table} AS {stream.alias} WHERE {past} AND {_matters(stream)}"
            f" ORDER BY {stream.key} LIMIT {PAGE_ROWS}",
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
        if since == moment.xmax:
            return []
        keys = self._known.get_open_keys()
        if not keys:
            return []
        rows = snapshot.fetch_all(
            f"SELECT {stream.key} FROM {stream.table}"
            f" WHERE {stream.key} = ANY(%(keys)s::{stream.key_type}[]) AND {written_since(since, moment)}",
            {"keys": list(keys)},
        )
        return [key for (key,) in rows]

    def _sweep(self, snapshot: Snapshot, moment: Moment, room: int) -> list[Any]:
        """Slices of the complete look, until the budget is spent, the page is full or the pass is complete."""
        keys: list[Any] = []
        while not self._sweep_is_done and len(keys) < room:
            if self._position.pass_horizon is None and not self._begin_pass(moment):
                break
            began = monotonic()
            keys += self._slice(snapshot, moment)
            self._fit_slice(monotonic() - began)
            self._spend(monotonic() - began)
        return keys

    def _begin_pass(self, moment: Moment) -> bool:
        """Whether there is anything to look for: that a transaction wrote since the last pass, or elsewhere."""
        position = self._position
        self._sweep_is_done = position.horizon == moment.xmax and not position.concerned_next
        if not self._sweep_is_done:
            is_everything = EVERYTHING in position.concerned_next
            self._position = replace(
                position,
                horizon=0 if is_everything else position.horizon,
                pass_horizon=moment.xmin,
                pass_block=0,
                pass_files=None,
                concerned=position.concerned_next,
                concerned_next={},
            )
        return not self._sweep_is_done

    def _slice(self, snapshot: Snapshot, moment: Moment) -> list[Any]:
        first = self._position.pass_block
        last = first + self._memory.slice_blocks[self._stream.name]
        rows = self._look_at_blocks(snapshot, moment, first, last, PAGE_ROWS)
        if len(rows) == PAGE_ROWS:  # more than a page: go on with the block that was cut
            cut = int(rows[-1][1].strip("()").split(",")[0])
            last = max(cut, first + 1)
            if cut == first:  # a block of many parts
                rows = self._look_at_blocks(snapshot, moment, first, last, None)
        self._advance(last, fetch_table(snapshot, self._stream), moment)
        return [key for key, _ in rows]

    def _look_at_blocks(
        self, snapshot: Snapshot, moment: Moment, first: int, last: int, limit: int | None
    ) -> list[tuple[Any, ...]]:
        """Keys and places of the rows in these blocks that were written since, or depend on what was."""
        stream, position = self._stream, self._position
        concerned, parameters = concerned_sql(stream, position.concerned)
        written = f"{written_since(position.horizon, moment, stream.alias)} AND NOT ({self._was_in_tail(moment)})"
        return snapshot.fetch_all(
            # The alias keeps ORDER BY from meaning the text.
            f"SELECT {stream.alias}.{stream.key}, {stream.alias}.ctid::text AS place"
            f" FROM {stream.table} AS {stream.alias}"
            f" WHERE {stream.alias}.ctid >= '({first},0)'::tid AND {stream.alias}.ctid < '({last},0)'::tid"
            f" AND ({written} OR {concerned}) AND {_matters(stream)}"
            f" ORDER BY {stream.alias}.ctid LIMIT {limit or 'ALL'}",
            {"tail_from": self._tail_from, **parameters},
        )

    def _advance(self, block: int, table: Table, moment: Moment) -> None:
        position = self._position
        if position.pass_files not in (None, table.files):
            # The table was rewritten under us: rows moved to blocks already looked at. Begin again.
            self._position = replace(position, pass_horizon=moment.xmin, pass_block=0, pass_files=table.files)
        elif block < table.blocks:
            self._position = replace(position, pass_block=block, pass_files=table.files)
        else:
            assert position.pass_horizon is not None
            horizon = position.pass_horizon
            self._position = replace(
                position, horizon=horizon, pass_horizon=None, pass_block=0, pass_files=None, concerned={}
            )
            self._sweep_is_done = not position.concerned_next

    def _was_in_tail(self, moment: Moment) -> str:
        """Rows the end's look of this same poll has read, unless written again since it began."""
        stream = self._stream
        if not stream.key_grows:
            return "FALSE"
        past = "TRUE" if self._tail_from is None else f"{stream.alias}.{stream.key} > %(tail_from)s"
        assert self._horizon is not None
        return f"{past} AND NOT ({written_since(self._horizon, moment, stream.alias)})"

    def _compare(self, snapshot: Snapshot, moment: Moment) -> list[str]:
        """Known keys that are no more, in the next of a comparison's steps."""
        began, position = monotonic(), self._position
        table = self._table or fetch_table(snapshot, self._stream)
        is_quiet = self._memory.swap_compared(self._stream, moment) if position.comparing is None else True
        if not is_due(position, table, moment, is_quiet=is_quiet):
            self._comparison_is_done = True
            return []
        self._position, gone = compare_some(snapshot, self._stream, position, table, moment, self._known)
        self._budget_seconds -= monotonic() - began
        self._comparison_is_done = self._position.comparing is None or self._budget_seconds <= 0
        return gone

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


def _is_other(position: Position, table: Table, server: str | None) -> bool:
    return table.table_id != position.table_id or position.server not in (None, server)


def _matters(stream: Stream) -> str:
    """Of what can be written again, also that it matters no more is to be seen: the reading tells."""
    return f"({stream.condition})" if stream.is_append_only else "TRUE"


def read_by_keys(snapshot: Snapshot, stream: Stream, keys: Sequence[Any], moment: Moment) -> list[Reading]:
    if not keys:
        return []
    parameters = {"keys": list(dict.fromkeys(keys))}
    select = (
        f"{stream.select} WHERE {stream.alias}.{stream.key} = ANY(%(keys)s::{stream.key_type}[])"
        f" AND ({stream.condition}) ORDER BY {stream.alias}.{stream.key}"
    )
    rows = snapshot.fetch_all(snapshot.cut(select, parameters), parameters)
    return stream.read_all(rows, moment.lms_now)
