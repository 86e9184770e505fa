"""What the exams of one student add up to. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from statistics import fmean
from typing import Protocol

RECENT = 3
STEADY_WITHIN = 5.0  # percentage points


class Attempt(Protocol):
    """As much of a student's attempt as counts here."""

    @property
    def is_exam(self) -> bool: ...
    @property
    def coursework_id(self) -> int | None: ...
    @property
    def activity_id(self) -> int: ...
    @property
    def title(self) -> str | None: ...
    @property
    def title_key(self) -> str: ...
    @property
    def outcome(self) -> str: ...
    @property
    def percentage(self) -> float | None: ...
    @property
    def score(self) -> float | None: ...
    @property
    def last_at(self) -> datetime: ...


class Direction(Enum):
    RISING = "rising"
    STEADY = "steady"
    FALLING = "falling"


@dataclass(frozen=True)
class Trend:
    """Where results go: the means of the latest `recent_count` percentages and of the `before_count` before them."""

    direction: Direction
    recent: float
    recent_count: int
    before: float
    before_count: int


@dataclass(frozen=True)
class Results:
    """Attempts at exams, newest first, and what they add up to; percentages are None where there are none.

    `judged` attempts were passed or failed; `pass_rate` is in percent of these.
    """

    attempts: Sequence[Attempt]
    outcomes: Counter[str]
    best: float | None
    last: float | None
    average: float | None
    judged: int
    pass_rate: float | None
    trend: Trend | None


def add_up(attempts: Sequence[Attempt]) -> Results:
    """`attempts` are of exams, newest first."""
    outcomes = Counter(one.outcome for one in attempts)
    scored = [one.percentage for one in attempts if one.percentage is not None]
    judged = outcomes["passed"] + outcomes["failed"]
    return Results(
        attempts,
        outcomes,
        best=max(scored, default=None),
        last=scored[0] if scored else None,
        average=fmean(scored) if scored else None,
        judged=judged,
        pass_rate=100 * outcomes["passed"] / judged if judged else None,
        trend=_find_trend(scored),
    )


def _find_trend(scored: Sequence[float]) -> Trend | None:
    """The latest three, or half of fewer than six, against as many as three before; None for a single one."""
    recent = scored[: min(RECENT, len(scored) // 2)]
    before = scored[len(recent) : len(recent) + RECENT]
    if not recent:
        return None
    change = fmean(recent) - fmean(before)
    direction = Direction.STEADY
    if abs(change) >= STEADY_WITHIN:
        direction = Direction.RISING if change > 0 else Direction.FALLING
    return Trend(direction, fmean(recent), len(recent), fmean(before), len(before))


def group_tries(attempts: Iterable[Attempt]) -> list[list[Attempt]]:
    """The attempts at each exam, in the order they come in; one at what nothing is known of is a group of its own."""
    groups: dict[object, list[Attempt]] = {}
    for number, one in enumerate(attempts):
        groups.setdefault((number,) if one.coursework_id is None else one.coursework_id, []).append(one)
    return list(groups.values())


def percent(number: float | None) -> str:
    """`85%`, `66.7%`; "" where it is not known."""
    return "" if number is None else f"{number:.1f}".removesuffix(".0") + "%"
