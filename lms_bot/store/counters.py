"""Counting the stored events, beside their recording, so that answers need not.

What is counted is kept in the tables of `totals`. Events are counted in the order of their ids, a chunk at a time;
the key-value `counted_to`, moved in the same transaction, is the last id of all that are. Echoes are left out.
"""

from __future__ import annotations

import logging
from time import monotonic, sleep

import peewee

from lms_bot.core.bell import Bell
from lms_bot.core.errors import StoreUnavailable, first_line
from lms_bot.store.counter_changes import ALL_TIME, COUNT_COLUMNS, CountedEvent, CounterChanges
from lms_bot.store.database import EVENT_IDS, Store
from lms_bot.store.models import KeyValue
from lms_bot.store.statements import COUNTED_TO, Statements, from_stored

logger = logging.getLogger(__name__)

COUNTED_TO_KEY = "counted_to"
COUNTERS_DUTY = "counters"
EVENTS_AT_ONCE, EVENTS_AT_ONCE_ON_SQLITE = 8000, 2000  # SQLite has one lock for all who write
EVENTS_PER_SECOND = 10_000
"""More than that is not to be hoped for; what cannot be done in time is not waited for."""
STEP_PATIENCE_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 10.0
SHORTEST_PATIENCE_SECONDS = 0.05
PAUSE_SECONDS = 0.01
"""Between two chunks, so that others who wait for SQLite's one lock come to their turn."""

PROGRESS_SQL = f"SELECT (SELECT max(event_id) FROM lms_activity_events), {COUNTED_TO}"
UNCOUNTED = f"lms_activity_events WHERE NOT is_echo AND event_id > coalesce({COUNTED_TO}, 0)"
TOTALS_SQL = f"""
SELECT coalesce(sum({" + ".join(COUNT_COLUMNS)}), 0) + (SELECT count(*) FROM {UNCOUNTED}), coalesce(sum(told), 0)
FROM lms_student_counts WHERE span = {ALL_TIME}
"""
EVENTS_SQL = """
SELECT event_id, event_type, student_id, timestamp
FROM lms_activity_events WHERE event_id > ? AND event_id <= ? AND NOT is_echo ORDER BY event_id LIMIT ?
"""

COUNT_KEY = ("span", "day", "student_id")

COUNT_ROW = (*COUNT_KEY, *COUNT_COLUMNS, "told")
ADD_COUNTS = f"({', '.join(COUNT_KEY)}) DO UPDATE SET " + ", ".join(
    f"{name} = kept.{name} + excluded.{name}" for name in COUNT_COLUMNS
)


class Counters:
    """Keeps the counts. Any number of threads and processes may call it; one counts at a time."""

    def __init__(self, store: Store, events_at_once: int | None = None) -> None:
        self.bell = Bell()
        self._store = store
        usual = EVENTS_AT_ONCE if store.is_postgresql else EVENTS_AT_ONCE_ON_SQLITE
        self._events_at_once = events_at_once or usual
        self._statements = Statements(store.database)
        self._trouble = ""
        self._last_seen, self._quiet_at = 0, monotonic()

    def catch_up(self, *, patience_seconds: float = 10.0) -> int:
        """Counts what was recorded since it was last called. Returns how many events are still not counted.

        These are left where counting would take longer than `patience_seconds`, and then after a few; or where it
        cannot be done at all because the store cannot be written to. Raises StoreUnavailable where it cannot be
        read either.
        """
        with self._store.session():
            last, counted_to = self._get_progress()
            if last <= counted_to:
                return 0
            can_be_done = last - counted_to <= EVENTS_PER_SECOND * patience_seconds
            self._count_until(monotonic() + (patience_seconds if can_be_done else 0))
            ((uncounted,),) = self._statements.execute(f"SELECT count(*) FROM {UNCOUNTED}")
            return int(uncounted)

    def step(self) -> float | None:
        """Counts for a moment, in the background; returns how soon it wants to be called again.

        While events keep coming it leaves the machine to who records them, but not for ever.
        """
        with self._store.session():
            last, counted_to = self._get_progress()
            if last <= counted_to or self._is_growing(last):
                return None
            return 0.0 if self._count_until(monotonic() + STEP_PATIENCE_SECONDS) else None

    def get_totals(self) -> tuple[int, int]:
        """How many events there are, counted or not yet, echoes left out; and of how many somebody was told."""
        (totals,) = self._statements.execute(TOTALS_SQL)
        return int(totals[0]), int(totals[1])

    def _get_progress(self) -> tuple[int, int]:
        """The id of the last event that is stored, and that of the last that is counted: below it none can come."""
        ((last, counted_to),) = self._statements.execute(PROGRESS_SQL)
        return last or 0, counted_to or 0

    def _is_growing(self, last: int) -> bool:
        """Whether events came since the step before, and this is not so for long yet."""
        has_grown, self._last_seen = last != self._last_seen, last
        if not has_grown or monotonic() - self._quiet_at > LONGEST_WAIT_SECONDS:
            self._quiet_at = monotonic()
            return False
        return True

    def _count_until(self, deadline: float) -> bool:
        """Counts chunk after chunk. True if that went well, be there more or not; else says why in the log."""
        try:
            last = self._get_last_id(_seconds_to(deadline))
            while self._count_chunk(last, _seconds_to(deadline)) and monotonic() < deadline:
                sleep(PAUSE_SECONDS)
        except (StoreUnavailable, peewee.DatabaseError) as error:
            if str(error) != self._trouble:  # once for each trouble
                level = logging.INFO if isinstance(error, StoreUnavailable) else logging.WARNING  # it may be busy
                logger.log(level, "events cannot be counted now: %s", first_line(error))
                self._trouble = str(error)
            return False
        self._trouble = ""
        return True

    def _get_last_id(self, patience_seconds: float) -> int:
        """The highest id of a stored event, when everything below it is committed or never will be.

        PostgreSQL gives ids before the events that get them are to be seen, in whatever order they are committed.
        """
        with self._store.transaction(patience_seconds):
            self._store.lock(EVENT_IDS)
            ((last,),) = self._statements.execute("SELECT max(event_id) FROM lms_activity_events")
        return last or 0

    def _count_chunk(self, last: int, patience_seconds: float) -> bool:
        """Counts some events up to the one with the id `last`. True if there are more."""
        with self._store.transaction(patience_seconds):
            self._store.lock(COUNTERS_DUTY)
            after = KeyValue.find(COUNTED_TO_KEY) or 0
            if after >= last:  # another thread or process was here
                return False
            found = self._statements.execute(EVENTS_SQL, (after, last, self._events_at_once))
            events = [CountedEvent(*row)._replace(timestamp=from_stored(row[-1])) for row in found]
            changes = CounterChanges()
            changes.add(events)
            counts = [(*key, *numbers, 0) for key, numbers in sorted(changes.counts.items())]
            self._statements.merge("lms_student_counts", COUNT_ROW, counts, ADD_COUNTS)
            counted_to = events[-1].event_id if len(events) == self._events_at_once else last
            KeyValue.put(COUNTED_TO_KEY, counted_to)
        return counted_to < last


def _seconds_to(deadline: float) -> float:
    return max(SHORTEST_PATIENCE_SECONDS, deadline - monotonic())
