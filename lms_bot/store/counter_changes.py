"""What some events add to what is known of each student. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from lms_bot.core.activities import ActivityType
from lms_bot.core.clock import UTC
from lms_bot.core.normalize import normalize

COUNTED_TYPES = tuple(kind.value for kind in ActivityType)
OTHER = "other"
"""Counted as this: events of a type that is not known here."""

COUNT_COLUMNS = (*COUNTED_TYPES, OTHER)
ALL_TIME = 0
SPANS = (64, 8, 1)
"""In days, each a multiple of the next; they begin at multiples of themselves, counted from 1970-01-01 in UTC."""

STARTED = "started"
_RANKS = {STARTED: 0, "completed": 1, "watched": 1, "passed": 2, "failed": 2}
_COLUMN_OF = {name: place for place, name in enumerate(COUNT_COLUMNS)}
_KINDS = {kind.value: (kind.is_exam, kind.value.rpartition("_")[2]) for kind in ActivityType}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).toordinal()
LONGEST_KEY = 400  # characters; PostgreSQL's indexes hold 2700 bytes
LARGEST_PERCENTAGE = 1000.0  # beyond it is no percentage; sums of such stay finite

AttemptKey = tuple[int, bool, int]
"""Student, whether it is an exam, activity."""


class CountedEvent(NamedTuple):
    """An event as far as it is counted; `metadata` is JSON text."""

    event_id: int
    event_type: str
    student_id: int
    username: str | None
    display_name: str | None
    activity_id: int
    title: str | None
    metadata: str | None
    timestamp: datetime


@dataclass
class AttemptSoFar:
    """The columns of an `Attempt` beside its key, in their order."""

    title: str | None
    title_key: str
    outcome: str
    started_at: datetime | None
    last_at: datetime
    percentage: float | None = None
    score: float | None = None


@dataclass
class TotalsChange:
    """What the events change in one student's `StudentTotals`; names and last event, where theirs is the later."""

    last: CountedEvent
    scored: int = 0
    percentage_total: float = 0.0


@dataclass
class CounterChanges:
    """Events counted. It begins with the attempts as they are stored so far, and ends with them as they are then.

    An attempt's outcome is the word that says most; of two that say the same, the one recorded later. Its
    percentage and score are those of the event which says the outcome. So a start tells nothing new of what
    has ended, whenever it comes.
    """

    attempts: dict[AttemptKey, AttemptSoFar]
    counts: dict[tuple[int, int, int], list[int]] = field(default_factory=dict)
    """Numbers by COUNT_COLUMNS, for each (span, first day, student)."""
    totals: dict[int, TotalsChange] = field(default_factory=dict)
    titles: dict[tuple[bool, str], str] = field(default_factory=dict)

    def add(self, events: Iterable[CountedEvent]) -> None:
        """Counts events, in the order in which they were recorded."""
        for event in events:
            self._count(event)
            totals = self.totals.get(event.student_id)
            if totals is None:
                totals = self.totals[event.student_id] = TotalsChange(event)
            elif event.timestamp >= totals.last.timestamp:
                totals.last = event
            if event.event_type in _KINDS:
                self._add_to_attempt(event, totals)

    def _count(self, event: CountedEvent) -> None:
        day = event.timestamp.toordinal() - _EPOCH  # both are in UTC
        column = _COLUMN_OF.get(event.event_type, _COLUMN_OF[OTHER])
        spans = [(span, day - day % span) for span in SPANS]
        for span, first_day in (*spans, (ALL_TIME, 0)):
            key = (span, first_day, event.student_id)
            counts = self.counts.get(key)
            if counts is None:
                counts = self.counts[key] = [0] * len(COUNT_COLUMNS)
            counts[column] += 1

    def _add_to_attempt(self, event: CountedEvent, totals: TotalsChange) -> None:
        is_exam, word = _KINDS[event.event_type]
        key = (event.student_id, is_exam, event.activity_id)
        attempt = self.attempts.get(key)
        if attempt is None:
            attempt = self.attempts[key] = AttemptSoFar(None, "", STARTED, None, event.timestamp)
        attempt.last_at = max(attempt.last_at, event.timestamp)
        if event.title:
            self._name(attempt, is_exam, event.title)
        if word == STARTED:
            attempt.started_at = min(attempt.started_at or event.timestamp, event.timestamp)
        elif _RANKS[word] >= _RANKS[attempt.outcome]:
            before, attempt.outcome = attempt.percentage, word
            attempt.percentage, attempt.score = read_result(event.metadata)
            if is_exam:
                totals.scored += (attempt.percentage is not None) - (before is not None)
                totals.percentage_total += (attempt.percentage or 0.0) - (before or 0.0)

    def _name(self, attempt: AttemptSoFar, is_exam: bool, title: str) -> None:
        if title != attempt.title:
            attempt.title, attempt.title_key = title, to_title_key(title)
        if attempt.title_key:
            self.titles[is_exam, attempt.title_key] = title


def get_attempt_keys(events: Iterable[CountedEvent]) -> set[AttemptKey]:
    """Of which attempts the events tell."""
    return {
        (event.student_id, _KINDS[event.event_type][0], event.activity_id)
        for event in events
        if event.event_type in _KINDS
    }


@lru_cache(maxsize=4096)  # a chunk of events has few titles, each many times
def to_title_key(title: str) -> str:
    """A title as it is looked for."""
    return normalize(title)[:LONGEST_KEY]


def read_result(metadata: str | None) -> tuple[float | None, float | None]:
    """Percentage and score, each None where it cannot be read."""
    try:
        known = json.loads(metadata or "null")
    except (ValueError, RecursionError):
        return None, None
    if not isinstance(known, dict):
        return None, None
    percentage = _read_number(known.get("percentage"))
    is_sound = percentage is not None and abs(percentage) <= LARGEST_PERCENTAGE
    return percentage if is_sound else None, _read_number(known.get("score"))


def _read_number(value: Any) -> float | None:
    """A number, also as text: `85`, `"85"`, `"85,5 %"`."""
    if isinstance(value, str):
        value = value.strip().removesuffix("%").replace(",", ".")
    elif isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
