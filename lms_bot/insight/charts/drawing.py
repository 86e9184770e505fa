"""How things look in all charts, and the parts that several of them have: grids, legends, bars of activity."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lms_bot.core.activities import ActivityType
from lms_bot.insight.charts.fonts import SMALL, measure
from lms_bot.insight.charts.scales import Scale, Span, Timeline, fit_counts
from lms_bot.insight.charts.sheet import FAINT, GRID, INK, MARGIN, MIDDLE, QUIET, RIGHT, WIDTH, Box, Sheet, Style

HEAD, LEGEND, FOOT = 92, 42, 52  # pixels
LEFT_EDGE = 85
INSET = 16  # by which what is marked stays within a panel
WIDEST_BAR = 110
MARK_POINTS = 14.0

PASSED = Style("passed", "#009e73", "", "o")
FAILED = Style("failed", "#d55e00", "xx", "X")
COMPLETED = Style("completed", "#56b4e9", "..", "D")
STARTED = Style("exams started", "#f0e442", "\\\\", "s")
CONTENTS = Style("contents", "#cc79a7", "//", "^")
LAST = Style("last", "#ffffff", "", "D")

KINDS: Mapping[Style, tuple[str, ...]] = {
    FAILED: (ActivityType.EXAM_FAILED.value,),
    PASSED: (ActivityType.EXAM_PASSED.value,),
    COMPLETED: (ActivityType.EXAM_COMPLETED.value,),
    STARTED: (ActivityType.EXAM_STARTED.value,),
    CONTENTS: tuple(kind.value for kind in ActivityType if not kind.is_exam),
}
"""What a bar of activity is made of, from the bottom up: the event types counted together."""

DrawSign = Callable[[Sheet, float, float], None]
"""Draws what a line of the legend is about, around a place."""


@dataclass(frozen=True)
class Panel:
    """A part of the paper with a scale from its lower to its upper edge."""

    top: float
    bottom: float
    scale: Scale
    inset: float = 0.0
    left: float = LEFT_EDGE

    @property
    def right(self) -> float:
        return WIDTH - MARGIN

    @property
    def box(self) -> Box:
        return Box(self.left, self.top, self.right, self.bottom)

    def place(self, value: float) -> float:
        return self.scale.place(value, self.bottom - self.inset, self.top + self.inset)

    def draw_grid(self, sheet: Sheet, unit: str) -> None:
        for tick in self.scale.ticks:
            y = self.place(tick)
            sheet.draw_line([(self.left, y), (self.right, y)], GRID, 0.8)
            sheet.write(f"{tick:.0f}{unit}", self.left - 10, y, align=RIGHT)
        sheet.draw_line([(self.left, self.bottom), (self.right, self.bottom)], QUIET, 0.8)


def look_of(outcome: str) -> Style:
    return {look.label: look for look in (PASSED, FAILED)}.get(outcome, COMPLETED)


def draw_legend(sheet: Sheet, top: float, entries: Sequence[tuple[str, DrawSign]]) -> None:
    x, y = float(MARGIN), top + LEGEND / 3
    for label, draw_sign in entries:
        draw_sign(sheet, x + 12, y)
        sheet.write(label, x + 31, y)
        x += 31 + measure(label, SMALL) + 24


def bar_sign(look: Style) -> DrawSign:
    return lambda sheet, x, y: sheet.draw_bars([Box(x - 12, y - 7, x + 12, y + 7)], look)


def mark_sign(look: Style, points: float = MARK_POINTS) -> DrawSign:
    return lambda sheet, x, y: sheet.draw_mark(x, y, look, points)


def pass_sign(sheet: Sheet, x: float, y: float) -> None:
    draw_pass_mark(sheet, (x - 15, y), (x + 13.7, y))


def draw_pass_mark(sheet: Sheet, start: tuple[float, float], end: tuple[float, float]) -> None:
    sheet.draw_line([start, end], INK, 1.6, is_dashed=True)


def draw_activity(
    sheet: Sheet, top: float, bottom: float, spans: Sequence[Span], name: Callable[[Span], str]
) -> None:
    """A bar for each span, of the kinds that there are, under their legend; `name` is what stands below it."""
    heights = {
        look: [sum(one.counts.get(each, 0) for each in types) for one in spans] for look, types in KINDS.items()
    }
    shown = [look for look, numbers in heights.items() if any(numbers)]
    totals = [sum(column) for column in zip(*heights.values(), strict=True)]
    panel = Panel(top + LEGEND, bottom, fit_counts(max(totals)))
    timeline = make_timeline(panel, spans)
    draw_days(sheet, panel, timeline)
    if shown:
        labels = [look.label if look in (STARTED, CONTENTS) else f"exams {look.label}" for look in shown]
        draw_legend(sheet, top, [(label, bar_sign(look)) for label, look in zip(labels, shown, strict=True)])
        panel.draw_grid(sheet, "")
    else:
        say_nothing(sheet, panel, "No activity")
    below = [0] * len(spans)
    for look in shown:
        _draw_layer(sheet, panel, timeline, look, heights[look], below)
    for x, text in timeline.choose_labels(name, lambda text: measure(text, SMALL), 14):
        sheet.write(text, x, bottom + 22, align=MIDDLE)


def make_timeline(panel: Panel, spans: Sequence[Span]) -> Timeline:
    return Timeline(spans, panel.left + MARK_POINTS, panel.right - MARK_POINTS)


def _draw_layer(
    sheet: Sheet, panel: Panel, timeline: Timeline, look: Style, heights: Sequence[int], below: list[int]
) -> None:
    """One kind of the bars, upon what is `below`, which grows by it."""
    bars = []
    for at, span in enumerate(timeline.spans):
        if heights[at]:
            middle = timeline.middle(span)
            half = min(WIDEST_BAR, 0.8 * (timeline.place(span.end) - timeline.place(span.start))) / 2
            top, bottom = panel.place(below[at] + heights[at]), panel.place(below[at])
            bars.append(Box(middle - half, top, middle + half, bottom))
        below[at] += heights[at]
    sheet.draw_bars(bars, look)


def draw_days(sheet: Sheet, panel: Panel, timeline: Timeline) -> None:
    """Where one span ends and the next begins."""
    for span in timeline.spans[1:]:
        x = timeline.place(span.start)
        sheet.draw_line([(x, panel.top), (x, panel.bottom)], FAINT, 0.8)


def say_nothing(sheet: Sheet, panel: Panel, text: str) -> None:
    x, y = (panel.left + panel.right) / 2, (panel.top + panel.bottom) / 2
    sheet.write(text, x, y, align=MIDDLE, colour=QUIET)
    sheet.draw_line([(panel.left, panel.bottom), (panel.right, panel.bottom)], QUIET, 0.8)
