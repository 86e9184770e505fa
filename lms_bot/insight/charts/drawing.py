"""What each chart shows, and how it looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from math import isfinite
from typing import Any

from lms_bot.core.activities import ActivityType
from lms_bot.insight.charts.sheet import GRID, INK, QUIET, SMALL, WIDTH, sheet

MOST_BARS = 20
"""So many students get a bar each; of more it is shown how many reached what."""

HEAD, LEGEND, FOOT = 92, 42, 52  # pixels
NAMES_LEFT = 300
MOST_DATES = 7


@dataclass(frozen=True)
class Style:
    """How one kind of thing is drawn, the same everywhere."""

    label: str
    colour: str
    hatch: str
    marker: str


PASSED = Style("passed", "#009e73", "", "o")
FAILED = Style("failed", "#d55e00", "xx", "X")
COMPLETED = Style("completed", "#56b4e9", "..", "D")
STARTED = Style("exams started", "#f0e442", "\\\\", "s")
CONTENTS = Style("contents", "#cc79a7", "//", "^")

KINDS: Mapping[Style, tuple[str, ...]] = {
    FAILED: (ActivityType.EXAM_FAILED.value,),
    PASSED: (ActivityType.EXAM_PASSED.value,),
    COMPLETED: (ActivityType.EXAM_COMPLETED.value,),
    STARTED: (ActivityType.EXAM_STARTED.value,),
    CONTENTS: tuple(kind.value for kind in ActivityType if not kind.is_exam),
}
"""What a bar of activity is made of, from the bottom up: the event types counted together."""


@dataclass(frozen=True)
class Result:
    """An exam's percentage; `outcome` as in Attempt."""

    at: datetime
    percentage: float
    outcome: str


@dataclass(frozen=True)
class Span:
    """How many events of each type there were from `start` on and before `end`."""

    start: datetime
    end: datetime
    counts: Mapping[str, int]


@dataclass(frozen=True)
class Scores:
    """One student in one exam: percentages, and what their best try came to, as in Attempt.

    `names` is what they may be called: the first that can be drawn is.
    """

    names: Sequence[str]
    best: float | None
    last: float | None
    outcome: str


def draw_student(
    names: Sequence[str], what: str, results: Sequence[Result], spans: Sequence[Span], zone: tzinfo
) -> bytes:
    """A student's exam percentages over the time of the spans, one at least, and their activity in each of them."""
    with sheet(790, names) as paper:
        paper.write_heading(names, what)
        above = paper.add_panel(top=HEAD + LEGEND, bottom=330)
        below = paper.add_panel(top=515, bottom=FOOT)
        _draw_results(above, [one for one in results if isfinite(one.percentage)])
        _draw_counts(below, spans)
        for axes in (above, below):
            _date_axis(axes, spans, zone)
        above.tick_params(labelbottom=False)
        return paper.to_png()


def draw_week(names: Sequence[str], what: str, days: Sequence[Span], zone: tzinfo) -> bytes:
    """The activity of each day, by kind; `names` are the heading."""
    with sheet(560, names) as paper:
        paper.write_heading(names, what)
        axes = paper.add_panel(top=HEAD + LEGEND, bottom=FOOT)
        _draw_counts(axes, days)
        starts = [day.start.astimezone(zone) for day in days]
        axes.set_xticks([_middle(day) for day in days], [f"{one:%a} {one.day}" for one in starts])
        return paper.to_png()


def draw_exam(titles: Sequence[str], takers: Sequence[Scores]) -> bytes:
    """What students made of one exam: a bar each, or, of many, how many there are of each result."""
    if len(takers) > MOST_BARS:
        return _draw_distribution(titles, takers)
    texts = [*titles, *(name for one in takers for name in one.names)]
    with sheet(HEAD + LEGEND + FOOT + 46 * max(3, len(takers)), texts) as paper:
        paper.write_heading(titles, "Best and last result of each student")
        axes = paper.add_panel(top=HEAD + LEGEND, bottom=FOOT, left=NAMES_LEFT)
        _draw_takers(axes, takers)
        names = [paper.fit(one.names, NAMES_LEFT - 40) for one in takers]
        axes.set_yticks(range(len(takers)), names)
        return paper.to_png()


def _draw_distribution(titles: Sequence[str], takers: Sequence[Scores]) -> bytes:
    known = [(one.best, _look_of(one.outcome)) for one in takers if one.best is not None]
    with sheet(560, titles) as paper:
        paper.write_heading(titles, f"Best results of {len(known)} students")
        axes = paper.add_panel(top=HEAD + LEGEND, bottom=FOOT)
        below = [0] * 10
        for look in (FAILED, PASSED, COMPLETED):
            tens = [min(9, max(0, int(best // 10))) for best, its_look in known if its_look is look]
            heights = [tens.count(each) for each in range(10)]
            label = f"exam {look.label}"
            _add_layer(axes, look, label, at=range(5, 105, 10), heights=heights, below=below, widths=[9] * 10)
        axes.set_xticks(range(0, 101, 10), [f"{each}%" for each in range(0, 101, 10)])
        _finish_counts(axes, below)
        return paper.to_png()


def _draw_takers(axes: Any, takers: Sequence[Scores]) -> None:
    for look in (PASSED, FAILED, COMPLETED):
        rows = [row for row, one in enumerate(takers) if _look_of(one.outcome) is look and one.best is not None]
        if rows:
            widths = [takers[row].best for row in rows]
            axes.barh(rows, widths, 0.62, label=f"best, {look.label}", zorder=3, **_fill(look))
    lasts = [(one.last, row) for row, one in enumerate(takers) if one.last is not None]
    if lasts:
        style = {"color": "white", "markeredgecolor": INK, "markeredgewidth": 2, "markersize": 10}
        axes.plot(*zip(*lasts, strict=True), "D", label="last", zorder=4, clip_on=False, **style)
    for row, one in enumerate(takers):
        if one.best is None:
            axes.text(1.5, row, "no percentage", va="center", color=QUIET, fontsize=SMALL)
    axes.set_ylim(max(3, len(takers)) - 0.4, -0.6)
    axes.grid(False, axis="y")
    axes.grid(True, axis="x", color=GRID)
    _percent_axis(axes.xaxis, axes.set_xlim, [one.best for one in takers if one.best is not None])
    _add_legend(axes)


def _draw_results(axes: Any, results: Sequence[Result]) -> None:
    in_order = sorted(results, key=lambda one: one.at)
    axes.plot([one.at for one in in_order], [one.percentage for one in in_order], color="#9a9a9a", lw=2, zorder=2)
    for look in (PASSED, FAILED, COMPLETED):
        these = [one for one in in_order if _look_of(one.outcome) is look]
        if these:
            points = [one.at for one in these], [one.percentage for one in these]
            style = {"color": look.colour, "markeredgecolor": INK, "markersize": 14}
            axes.plot(*points, look.marker, label=f"exam {look.label}", zorder=3, clip_on=False, **style)
    _percent_axis(axes.yaxis, axes.set_ylim, [one.percentage for one in results])
    _add_legend(axes) if results else _say_nothing(axes, "No exam results")


def _draw_counts(axes: Any, spans: Sequence[Span]) -> None:
    below = [0] * len(spans)
    widths = [(one.end - one.start) * 0.8 for one in spans]
    for look, types in KINDS.items():
        label = look.label if look in (STARTED, CONTENTS) else f"exams {look.label}"
        heights = [sum(one.counts.get(each, 0) for each in types) for one in spans]
        _add_layer(axes, look, label, at=list(map(_middle, spans)), heights=heights, below=below, widths=widths)
    _finish_counts(axes, below)


def _add_layer(
    axes: Any,
    look: Style,
    label: str,
    *,
    at: Sequence[Any],
    heights: Sequence[int],
    below: list[int],
    widths: Sequence[Any],
) -> None:
    """One kind of the bars, upon what is `below`, which grows by it."""
    bars = [bar for bar in zip(at, heights, widths, below, strict=True) if bar[1]]
    if bars:
        starts, tops, broad, under = zip(*bars, strict=True)
        axes.bar(starts, tops, broad, under, label=label, zorder=3, **_fill(look))
    below[:] = [lower + height for lower, height in zip(below, heights, strict=True)]


def _fill(look: Style) -> dict[str, Any]:
    return {"color": look.colour, "hatch": look.hatch, "edgecolor": INK, "linewidth": 0.9}


def _look_of(outcome: str) -> Style:
    return {look.label: look for look in (PASSED, FAILED)}.get(outcome, COMPLETED)


def _middle(span: Span) -> datetime:
    return span.start + (span.end - span.start) / 2


def _date_axis(axes: Any, spans: Sequence[Span], zone: tzinfo) -> None:
    """Where spans begin; of many, where every so many-th does."""
    shown = spans[:: -(-len(spans) // MOST_DATES)]
    axes.set_xticks([one.start for one in shown], [_format_start(one, zone) for one in shown])
    axes.set_xlim(spans[0].start, spans[-1].end)


def _format_start(span: Span, zone: tzinfo) -> str:
    start = span.start.astimezone(zone)
    return f"{start.day} {start:%b}" if span.end - span.start < timedelta(days=28) else f"{start:%b %Y}"


def _percent_axis(axis: Any, set_limits: Any, values: Sequence[float]) -> None:
    """0 to 100%, and further only where there is more."""
    most = min(1000.0, max([100.0, *values]))
    ticks = [25 * each for each in range(5)] if most <= 125 else [most / 4 * each for each in range(5)]
    set_limits(-0.03 * most, 1.05 * most)
    axis.set_ticks(ticks, [f"{each:.0f}%" for each in ticks])


def _finish_counts(axes: Any, totals: Sequence[int]) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_ylim(0, max(4, *totals) * 1.05)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    _add_legend(axes) if any(totals) else _say_nothing(axes, "No activity")


def _say_nothing(axes: Any, text: str) -> None:
    axes.set_yticks([])
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=QUIET, fontsize=SMALL)


def _add_legend(axes: Any) -> None:
    if not axes.get_legend_handles_labels()[0]:
        return
    left = -axes.get_position().x0 / axes.get_position().width
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(left + 6 / WIDTH, 1.0),
        ncols=5,
        frameon=False,
        fontsize=SMALL,
        labelcolor=INK,
        handlelength=1.2,
        handletextpad=0.4,
        columnspacing=1.0,
    )
