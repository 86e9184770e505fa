"""What some events add to what is known of each student. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from lms_bot.core.activities import ActivityType
from lms_bot.core.clock import UTC

COUNTED_TYPES = tuple(kind.value for kind in ActivityType)
OTHER = "other"
"""Counted as this: events of a type that is not known here."""

COUNT_COLUMNS = (*COUNTED_TYPES, OTHER)
ALL_TIME = 0
SPANS = (64, 8, 1)
"""In days, each a multiple of the next; they begin at multiples of themselves, counted from 1970-01-01 in UTC."""

_COLUMN_OF = {name: place for place, name in enumerate(COUNT_COLUMNS)}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).toordinal()


class CountedEvent(NamedTuple):
    """An event as far as it is counted."""

    event_id: int
    event_type: str
    student_id: int
    timestamp: datetime


@dataclass
class CounterChanges:
    """Events counted: how many of each type, by COUNT_COLUMNS, for each (span, first day, student)."""

    counts: dict[tuple[int, int, int], list[int]] = field(default_factory=dict)

    def add(self, events: Iterable[CountedEvent]) -> None:
        for event in events:
            day = event.timestamp.toordinal() - _EPOCH  # both are in UTC
            column = _COLUMN_OF.get(event.event_type, _COLUMN_OF[OTHER])
            spans = [(span, day - day % span) for span in SPANS]
            for span, first_day in (*spans, (ALL_TIME, 0)):
                key = (span, first_day, event.student_id)
                counts = self.counts.get(key)
                if counts is None:
                    counts = self.counts[key] = [0] * len(COUNT_COLUMNS)
                counts[column] += 1
