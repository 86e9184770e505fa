"""What a kind of LMS tells the engine about each table it watches."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from lms_bot.core.activities import UNREADABLE, Activity, Rejection
from lms_bot.core.errors import first_line
from lms_bot.lms.values import read_key


@dataclass(frozen=True)
class Reading:
    """What one LMS row said when it was looked at: an activity, or why it gave none.

    `is_open` marks a row that will change again: started, not yet final.
    """

    row_key: str
    activity: Activity | None = None
    rejection: Rejection | None = None
    is_open: bool = False


@dataclass(frozen=True)
class Stream:
    """A table, its key, and the SELECT that makes activities of its rows. Which rows to look at is the engine's job.

    `select` is without WHERE; its first column is the key. `read` turns one of its rows into a Reading; it gets
    the LMS's present time too. `key_grows` says that new rows mostly have the highest keys, so that looking past
    the last one finds them soonest; without it, only the complete look finds them. `alias` is the watched table's
    name within `select`. `latest_moment` is SQL: the latest time in a row of `table`, for looking back in history.
    """

    name: str
    table: str
    alias: str
    select: str
    latest_moment: str
    read: Callable[[tuple[Any, ...], datetime], Reading]
    key: str = "id"
    key_type: str = "bigint"
    key_grows: bool = True

    def read_all(self, rows: Iterable[tuple[Any, ...]], lms_now: datetime) -> list[Reading]:
        """What the rows say, each key once: of two rows with one key, the later. What is wrong with a row, be it a
        mistake in `read`, costs no other row."""
        readings = (self._read_one(row, lms_now) for row in rows)
        return list({one.row_key: one for one in readings}.values())

    def _read_one(self, row: tuple[Any, ...], lms_now: datetime) -> Reading:
        try:
            return self.read(row, lms_now)
        except Exception as error:
            reason = f"it cannot be read: {first_line(error) or type(error).__name__}"
            key = read_key(row[0])
            return Reading(key, rejection=Rejection(self.name, key, UNREADABLE, reason))


@dataclass(frozen=True)
class Position:
    """How far a stream has been read. Durable as JSON.

    `high_key`: the highest key read at the end of the table. `horizon`: every row version written by a
    transaction below it has been seen. `pass_horizon`, `pass_block`, `pass_file`: the complete look now under
    way: the horizon that becomes ours when it ends, the next block, and the table's file, which VACUUM FULL
    replaces. `table_id` tells the table from another one of that name (a restored copy). `baseline_at` is the
    LMS's time at the very first start and `baseline_writers` the transactions at or past the horizon whose rows
    could be seen then; kept while what was there is not yet all taken as known. `server` is when the server that
    was read last was started.
    """

    table_id: str
    high_key: int | None
    horizon: int
    pass_horizon: int | None = None
    pass_block: int = 0
    pass_file: int | None = None
    baseline_at: str | None = None
    baseline_writers: list[int] | None = None
    server: str | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Changes:
    """Rows that may have changed, and the position once they are recorded."""

    stream: Stream
    readings: list[Reading]
    position: Position
