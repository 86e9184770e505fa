"""Filling the store from older LMS rows, for history and AI. Interrupt and repeat at will."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from lms_bot.lms.source import Source
from lms_bot.watch.monitor import ActivityMonitor


@dataclass(frozen=True)
class Progress:
    """How far a backfill is: the part of the LMS's tables looked at (0 to 1), rows read and events created."""

    part: float
    rows: int
    events: int


def run_backfill(
    source: Source,
    monitor: ActivityMonitor,
    since: datetime,
    until: datetime,
    notify: bool = False,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> int:
    """Stores what happened from `since` on and before `until` (aware) and is not stored. Returns how many events.

    Nobody is told unless `notify`. What is stored stays when it is interrupted. Raises LMSUnavailable, LMSRefused
    or StoreUnavailable.
    """
    streams = source.streams
    rows = events = 0
    for number, stream in enumerate(streams):
        position = monitor.get_position(stream)
        for history in source.fetch_history(stream, since, position):
            rows += len(history.readings)
            events += monitor.record_history(stream, history.readings, since, until, notify)
            done = history.blocks_done / history.blocks_total if history.blocks_total else 1.0
            part = (number + done) / len(streams)
            on_progress(Progress(part, rows, events))
    return events
