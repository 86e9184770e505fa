"""From figures to places: which part of the numbers an axis shows, and where on the paper a moment is. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from itertools import chain, count
from math import ceil, floor, isfinite

LARGEST = 1000.0  # percent; what is beyond is drawn at the edge
SMALLEST_SPAN = 20.0
MOST_STEPS = 6
_PERCENT_STEPS = (5, 10, 20, 25, 50, 100, 200, 250, 500)
MOST_BINS = 15


@dataclass(frozen=True)
class Span:
    """How many events of each type there were from `start` on and before `end`."""

    start: datetime
    end: datetime
    counts: Mapping[str, int]


@dataclass(frozen=True)
class Scale:
    """The numbers from the first of the ticks to the last."""

    ticks: tuple[float, ...]

    @property
    def low(self) -> float:
        return self.ticks[0]

    @property
    def high(self) -> float:
        return self.ticks[-1]

    def place(self, value: float, at_low: float, at_high: float) -> float:
        """Where a value is between the places of the lowest and the highest; at these, what is beyond."""
        share = (min(self.high, max(self.low, value)) - self.low) / (self.high - self.low)
        return at_low + share * (at_high - at_low)


@dataclass(frozen=True)
class Timeline:
    """The time of the spans, one at least, from one place to another."""

    spans: Sequence[Span]
    left: float
    right: float

    def place(self, moment: datetime) -> float:
        """Where a moment is; at the ends, what is before or after."""
        first, last = self.spans[0].start, self.spans[-1].end
        share = (moment - first) / (last - first)
        return self.left + min(1.0, max(0.0, share)) * (self.right - self.left)

    def middle(self, span: Span) -> float:
        return (self.place(span.start) + self.place(span.end)) / 2

    def choose_labels(
        self, label: Callable[[Span], str], measure: Callable[[str], float], gap: float
    ) -> list[tuple[float, str]]:
        """Under which places to write what, so that each has room: of many spans, every so many-th is named."""
        texts = [label(span) for span in self.spans]
        slot = (self.right - self.left) / len(texts)
        every = ceil((max(map(measure, texts)) + gap) / slot)
        return [(self.middle(self.spans[at]), texts[at]) for at in range(0, len(texts), every)]


def format_start(span: Span, zone: tzinfo) -> str:
    start = span.start.astimezone(zone)
    return f"{start.day} {start:%b}" if span.end - span.start < timedelta(days=28) else f"{start:%b %Y}"


def fit_percentages(values: Sequence[float], *, least: Sequence[float] = ()) -> Scale:
    """What holds all of them, and of `least`, with as little else as makes even steps."""
    held = [*(min(LARGEST, max(-LARGEST, each)) for each in values if isfinite(each)), *least] or [0.0, 100.0]
    low, high = min(held), max(held)
    if high - low < SMALLEST_SPAN:
        bottom, top = min(0.0, low), max(100.0, high)  # no bonus and nothing negative is shown where there is none
        low = max(bottom, min((low + high - SMALLEST_SPAN) / 2, top - SMALLEST_SPAN))
        high = low + SMALLEST_SPAN
    return _step(low, high, next(step for step in _PERCENT_STEPS if (high - low) / step <= MOST_STEPS))


def fit_counts(most: int) -> Scale:
    """From nothing to as many, in whole steps."""
    most = max(most, 2)  # a single one does not fill the panel
    return _step(0.0, most, max(1.0, find_step(most, 4)))


def fit_bins(values: Sequence[float]) -> Scale:
    """0 to 100% in tens, and further where there is more; of much more, in larger steps."""
    scale = [*(min(LARGEST, max(-LARGEST, each)) for each in values), 0.0, 100.0]
    low, high = min(scale), max(scale)
    return _step(low, high, max(10.0, find_step(high - low, MOST_BINS)))


def find_step(length: float, most: int) -> float:
    """The smallest of 1, 2, 5, 10, 20, 50 … of which no more than so many make up the length."""
    steps = chain.from_iterable((10.0**power, 2 * 10.0**power, 5 * 10.0**power) for power in count())
    return next(step for step in steps if length / step <= most)


def _step(low: float, high: float, step: float) -> Scale:
    return Scale(tuple(step * each for each in range(floor(low / step), ceil(high / step) + 1)))
