"""What a benchmark reports, and what is compared with what."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import Any

_BEGAN = perf_counter()


@dataclass(frozen=True)
class Target:
    """A claim and whether it was met. A missed one is reported, never an exit code: machines differ."""

    claim: str
    figure: float
    is_met: bool


def at_least(claim: str, figure: float, limit: float) -> Target:
    return Target(f"{claim}: at least {limit:g}", rounded(figure), figure >= limit)


def at_most(claim: str, figure: float, limit: float) -> Target:
    return Target(f"{claim}: at most {limit:g}", rounded(figure), figure <= limit)


UNITS = (
    "_per_second", "_seconds", "_milliseconds", "_minutes", "_megabytes", "_bytes", "_per_million_rows", "_ratio",
    "_share", "_to_empty", "_429", "messages", "_words", "_exams", "_students", "_concerns", "_rows",
    "polls_to_complete",
)  # fmt: skip


@dataclass
class Report:
    """One benchmark's outcome. The keys of `figures` end in one of UNITS."""

    benchmark: str
    sizes: dict[str, Any]
    figures: dict[str, Any] = field(default_factory=dict)
    targets: list[Target] = field(default_factory=list)

    def to_json(self) -> str:
        """One line. Raises ValueError where a figure names no unit, or the benchmark claims nothing."""
        nameless = [key for key in _get_keys(self.figures) if not key.endswith(UNITS)]
        if nameless or not self.targets:
            raise ValueError(f"{self.benchmark}: without a unit: {nameless}; targets: {len(self.targets)}")
        return json.dumps(asdict(self), ensure_ascii=False)


def _get_keys(found: dict[str, Any]) -> Iterator[str]:
    """Those of the measured figures, whatever they are grouped under."""
    for key, value in found.items():
        if isinstance(value, dict) and value and not key.endswith(UNITS):
            yield from _get_keys(value)
        else:
            yield key


def doing(what: str) -> None:
    """Says on stderr what is done from now on, and how long after the start that is."""
    print(f"[{perf_counter() - _BEGAN:7.1f} s] {what}", file=sys.stderr, flush=True)


def seconds_of(work: Callable[[], Any]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began


def spread(figures: Iterable[float]) -> dict[str, float]:
    """Several measurements of the same thing."""
    found = sorted(figures)
    return {
        "median": rounded(statistics.median(found)),
        "min": rounded(found[0]),
        "max": rounded(found[-1]),
    }


def rounded(figure: float) -> float:
    """Three digits that count; more would be noise."""
    return float(f"{figure:.3g}")
