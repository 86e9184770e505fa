"""Filling the store from older LMS rows, for history and AI. Interrupt and repeat at will."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from lms_bot.lms.source import Source
from lms_bot.watch.monitor import ActivityMonitor


def run_backfill(
    source: Source,
    monitor: ActivityMonitor,
    since: datetime,
    until: datetime,
    notify: bool = False,
    on_progress: Callable[[float, int], None] = lambda _part, _rows: None,
) -> int:
    """Stores what happened from `since` on and before `until` (aware) and is not stored. Returns how many events.

    Nobody is told unless `notify`. What is stored stays when it is interrupted. `on_progress` gets the part of the
    LMS's tables looked at (0 to 1), and rows read. Raises LMSUnavailable, LMSRefused or StoreUnavailable.
    """
    rows = events = 0
    for number, stream in enumerate(source.streams):
        position = monitor.get_position(stream)
        for readings, part in source.fetch_history(stream, since, position):
            rows += len(readings)
            events += monitor.record_history(stream, readings, since, until, notify)
            on_progress((number + part) / len(source.streams), rows)
    return events
