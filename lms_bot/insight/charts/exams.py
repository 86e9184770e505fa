"""The chart of one exam: what students made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from lms_bot.insight.charts.drawing import (
    COMPLETED,
    FAILED,
    FOOT,
    HEAD,
    LAST,
    LEGEND,
    PASSED,
    DrawSign,
    Panel,
    bar_sign,
    draw_legend,
    draw_pass_mark,
    look_of,
    mark_sign,
    pass_sign,
    say_nothing,
)
from lms_bot.insight.charts.fonts import SMALL, TINY, fit
from lms_bot.insight.charts.scales import Scale, fit_bins, fit_counts, fit_percentages
from lms_bot.insight.charts.sheet import GRID, MIDDLE, QUIET, RIGHT, Box, Sheet, alone

MOST_BARS = 20
"""So many students get a bar each; of more it is shown how many reached what."""

NAMES_LEFT = 300
ROW = 46
LAST_POINTS = 11.0
MOST_LARGE_TICKS = 11
LOOKS = (FAILED, PASSED, COMPLETED)


@dataclass(frozen=True)
class Scores:
    """One student in one exam: percentages, and what their best try came to, as in Attempt.

    `names` is what they may be called: the first that can be drawn is.
    """

    names: Sequence[str]
    best: float | None
    last: float | None
    outcome: str


def draw_exam(titles: Sequence[str], takers: Sequence[Scores], pass_mark: float | None = None) -> bytes:
    """What students made of one exam: a bar each, or, of many, how many there are of each result."""
    with alone():
        return make_exam_sheet(titles, takers, pass_mark).to_png()


def make_exam_sheet(titles: Sequence[str], takers: Sequence[Scores], pass_mark: float | None = None) -> Sheet:
    make = _make_distribution if len(takers) > MOST_BARS else _make_bars
    return make(titles, takers, pass_mark)


def _make_bars(titles: Sequence[str], takers: Sequence[Scores], pass_mark: float | None) -> Sheet:
    rows = max(3, len(takers))
    sheet = Sheet(HEAD + LEGEND + FOOT + ROW * rows)
    sheet.write_heading(titles, "Best and last result of each student")
    marks = [] if pass_mark is None else [pass_mark]
    known = [each for one in takers for each in (one.best, one.last) if each is not None]
    across = fit_percentages([*known, *marks], least=(0.0, 100.0))
    panel = Panel(HEAD + LEGEND, HEAD + LEGEND + ROW * rows, across, left=NAMES_LEFT)
    _draw_across(sheet, panel, across)
    for at, one in enumerate(takers):
        _draw_taker(sheet, panel, one, HEAD + LEGEND + ROW * (at + 0.5))
    looks = {look_of(one.outcome) for one in takers if _is_known(one.best)}
    entries = [(f"best, {look.label}", bar_sign(look)) for look in (PASSED, FAILED, COMPLETED) if look in looks]
    if any(_is_known(one.last) for one in takers):
        entries.append(("last", mark_sign(LAST, LAST_POINTS)))
    draw_legend(sheet, HEAD, [*entries, *_draw_pass_line(sheet, panel, across, pass_mark)])
    return sheet


def _draw_across(sheet: Sheet, panel: Panel, across: Scale) -> None:
    """A scale of percentages from left to right."""
    points = SMALL if len(across.ticks) <= MOST_LARGE_TICKS else TINY
    for tick in across.ticks:
        x = across.place(tick, panel.left, panel.right - 20)
        sheet.draw_line([(x, panel.top), (x, panel.bottom)], QUIET if tick == 0 else GRID, 0.8)
        sheet.write(f"{tick:.0f}%", x, panel.bottom + 22, align=MIDDLE, points=points)


def _draw_taker(sheet: Sheet, panel: Panel, one: Scores, y: float) -> None:
    def place(value: float) -> float:
        return panel.scale.place(value, panel.left, panel.right - 20)

    sheet.write(fit(one.names, NAMES_LEFT - 46), NAMES_LEFT - 20, y, align=RIGHT)
    if one.best is None or not isfinite(one.best):
        sheet.write("no percentage", place(0) + 12, y, colour=QUIET)
    else:
        start, end = sorted((place(0), place(one.best)))
        sheet.draw_bars([Box(start, y - 14, max(end, start + 1), y + 14)], look_of(one.outcome))
    if one.last is not None and isfinite(one.last):
        sheet.draw_mark(place(one.last), y, LAST, LAST_POINTS)


def _make_distribution(titles: Sequence[str], takers: Sequence[Scores], pass_mark: float | None) -> Sheet:
    known = [(one.best, look_of(one.outcome)) for one in takers if one.best is not None and isfinite(one.best)]
    sheet = Sheet(560)
    sheet.write_heading(titles, f"Best results of {len(known)} students")
    across = fit_bins([best for best, _ in known])
    counts = {look: count_in_bins(across, [best for best, one in known if one is look]) for look in LOOKS}
    totals = [sum(column) for column in zip(*counts.values(), strict=True)]
    panel = Panel(HEAD + LEGEND, 560 - FOOT, fit_counts(max(totals)))
    if not known:
        say_nothing(sheet, panel, "No percentages")
        return sheet
    panel.draw_grid(sheet, "")
    _draw_across(sheet, Panel(panel.bottom, panel.bottom, across), across)
    below = [0] * len(totals)
    for look, numbers in counts.items():
        bars = []
        for at, number in enumerate(numbers):
            left, right = (across.place(each, panel.left, panel.right - 20) for each in across.ticks[at : at + 2])
            if number:
                bars.append(Box(left + 4, panel.place(below[at] + number), right - 4, panel.place(below[at])))
            below[at] += number
        sheet.draw_bars(bars, look)
    entries = [(f"exam {look.label}", bar_sign(look)) for look in LOOKS if any(counts[look])]
    draw_legend(sheet, HEAD, [*entries, *_draw_pass_line(sheet, panel, across, pass_mark)])
    return sheet


def count_in_bins(across: Scale, values: Sequence[float]) -> list[int]:
    """How many there are between each two ticks; what is on one counts above it, on the last below."""
    numbers = [0] * (len(across.ticks) - 1)
    step = across.ticks[1] - across.low
    for each in values:
        numbers[min(len(numbers) - 1, max(0, int((each - across.low) // step)))] += 1
    return numbers


def _draw_pass_line(sheet: Sheet, panel: Panel, across: Scale, pass_mark: float | None) -> list[tuple[str, DrawSign]]:
    """From top to bottom; and what the legend says of it."""
    if pass_mark is None:
        return []
    x = across.place(pass_mark, panel.left, panel.right - 20)
    draw_pass_mark(sheet, (x, panel.top), (x, panel.bottom))
    return [(f"pass mark {pass_mark:g}%", pass_sign)]


def _is_known(value: float | None) -> bool:
    return value is not None and isfinite(value)
