"""What a kind of LMS tells the engine about each table it watches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any

from lms_bot.lms.reading import Reading, RowFact, read_row


@dataclass(frozen=True)
class Dependency:
    """Another table that a stream's SELECT reads: where its rows change, the stream's rows are to be read again.

    `columns` is what of it the SELECT reads, comma-separated SQL; other changes are none of ours. `concerns` is SQL
    of the watched table, under its `alias`: the key of the row of this table that it depends on. Where it depends on
    two rows of one table, there are two of these, with the same columns.
    """

    table: str
    columns: str
    concerns: str
    key: str = "id"
    key_type: str = "bigint"


@dataclass(frozen=True)
class Stream:
    """A table, its key, and the SELECT that makes activities of its rows. Which rows to look at is the engine's job.

    `select` is without WHERE; its first column is the key, and `columns` names them all. `read` says what a row, a
    dict of these, is a fact of; it checks nothing, the engine does, and raises RowProblem for what it cannot tell.
    `alias` is the watched table's name within `select`. `condition` is SQL of that alias: which rows matter, by
    default all. `latest_moment` is SQL: the latest time in a row of `table`, for looking back in history.

    `key_grows` says that new rows mostly have the highest keys, so that looking past the last one finds them
    soonest; without it, only the complete look finds them. `is_append_only` promises that a row is never written
    again, and what it depends on does not matter: a log. What was there before the bot is then not read at all.
    """

    name: str
    table: str
    alias: str
    select: str
    columns: tuple[str, ...]
    latest_moment: str
    read: Callable[[dict[str, Any]], RowFact]
    key: str = "id"
    key_type: str = "bigint"
    key_grows: bool = True
    is_append_only: bool = False
    condition: str = "TRUE"
    depends_on: tuple[Dependency, ...] = ()

    def read_all(self, rows: Iterable[tuple[Any, ...]], lms_now: datetime) -> list[Reading]:
        """What the rows say, each key once: of two rows with one key, the later. What is wrong with a row, be it a
        mistake in `read`, costs no other row."""
        readings = (read_row(self.name, self.read, self.columns, row, lms_now) for row in rows)
        return list({one.row_key: one for one in readings}.values())


@dataclass(frozen=True)
class Position:
    """How far a stream has been read. Durable as JSON.

    `high_key`: the highest key read at the end of the table. `horizon`: every row version written by a
    transaction below it has been seen. `pass_horizon`, `pass_block`, `pass_files`: the complete look now under
    way: the horizon that becomes ours when it ends, the next block, and the table's files, which VACUUM FULL
    replaces. `table_id` tells the table from another one of that name (a restored copy), `parts` are the tables
    that it is made of. `baseline_at` is the LMS's time at the very first start and `baseline_writers` the
    transactions at or past the horizon whose rows could be seen then; kept while what was there is not yet all
    taken as known. `server` is when the server that was read last was started.

    `dependencies` is how far each table of `Stream.depends_on` has been read: (its id, horizon) by name. `concerned`
    are keys in these whose rows changed, by table: the pass under way reads what depends on them, and the next one
    what depends on `concerned_next`.

    `compared` describes the table when all rows we know were last looked for, at `compared_at`; `comparing` and
    `compare_from` are of that look under way: what will be `compared`, and the key after which it goes on.
    """

    table_id: str
    high_key: int | None
    horizon: int
    pass_horizon: int | None = None
    pass_block: int = 0
    pass_files: str | None = None
    baseline_at: str | None = None
    baseline_writers: list[int] | None = None
    server: str | None = None
    parts: list[int] | None = None
    dependencies: dict[str, tuple[str, int]] = field(default_factory=dict)
    concerned: dict[str, list[str]] = field(default_factory=dict)
    concerned_next: dict[str, list[str]] = field(default_factory=dict)
    compared: str | None = None
    compared_at: str | None = None
    comparing: str | None = None
    compare_from: str | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, known: Mapping[str, Any]) -> Position:
        """As `to_json` gave it, also that of an earlier version."""
        dependencies = {name: (str(each[0]), int(each[1])) for name, each in known.get("dependencies", {}).items()}
        names = {column.name for column in fields(cls)}
        return cls(**{name: value for name, value in known.items() if name in names} | {"dependencies": dependencies})


@dataclass(frozen=True)
class Changes:
    """Rows that may have changed, and the position once they are recorded.

    `gone` are keys of rows that are no more. `known` are keys of rows that are only to be taken as known. `digests`
    are what rows of other tables say now, by table and key; None where there is no such row any more.
    """

    stream: Stream
    readings: list[Reading]
    position: Position
    gone: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    digests: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return not (self.readings or self.gone or self.known or self.digests)
