"""The charts of time: one student's results and activity, and what a week was like."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from math import ceil, isfinite

from lms_bot.insight.charts.drawing import (
    COMPLETED,
    FAILED,
    FOOT,
    HEAD,
    INSET,
    LEFT_EDGE,
    LEGEND,
    MARK_POINTS,
    PASSED,
    Panel,
    draw_activity,
    draw_days,
    draw_legend,
    draw_pass_mark,
    look_of,
    make_timeline,
    mark_sign,
    pass_sign,
    say_nothing,
)
from lms_bot.insight.charts.fonts import TINY, fit, measure
from lms_bot.insight.charts.labels import Spot, place_labels
from lms_bot.insight.charts.scales import Span, fit_percentages, format_start
from lms_bot.insight.charts.sheet import MARGIN, MIDDLE, WHITE, WIDTH, Box, Sheet, alone, text_box

RESULTS_HEIGHT, NO_RESULTS_HEIGHT, ACTIVITY_HEIGHT, BETWEEN = 340, 90, 264, 16
LABEL_WIDTHS = (300, 180, 130)
"""How much of a title is beside each result: as much as there is room for beside all of them."""

MOST_WITH_TITLES = 20
BETWEEN_TRIES = "#9a9a9a"
PASS_MARK = 20  # pixels to either side of a result

Place = tuple[float, float]
Line = tuple[Place, Place]
KEY_COLUMNS, KEY_LINE, MOST_IN_KEY = 3, 27, 24
"""Where there is no such room, results have numbers, and what these mean is below."""


@dataclass(frozen=True)
class Result:
    """An exam's percentage; `outcome` as in Attempt. `exam` tells one exam from another, None from all.

    `titles` is what it may be called: the first that can be drawn is. `pass_mark` is in percent, None where the LMS
    says none.
    """

    at: datetime
    percentage: float
    outcome: str
    exam: int | None = None
    titles: Sequence[str] = ()
    pass_mark: float | None = None


@dataclass(frozen=True)
class _Labels:
    """What is written beside each result, and where; and under all of them what it means."""

    texts: Sequence[str]
    boxes: Sequence[Box | None]
    key: Sequence[str] = ()

    @property
    def key_height(self) -> int:
        return KEY_LINE * ceil(len(self.key) / KEY_COLUMNS) + BETWEEN if self.key else 0


def draw_student(
    names: Sequence[str], what: str, results: Sequence[Result], spans: Sequence[Span], zone: tzinfo
) -> bytes:
    """A student's exam percentages over the time of the spans, one at least, and their activity in each of them."""
    with alone():
        return make_student_sheet(names, what, results, spans, zone).to_png()


def make_student_sheet(
    names: Sequence[str], what: str, results: Sequence[Result], spans: Sequence[Span], zone: tzinfo
) -> Sheet:
    shown = sorted((one for one in results if isfinite(one.percentage)), key=lambda one: one.at)
    marks = [one.pass_mark for one in shown if one.pass_mark is not None]
    scale = fit_percentages([*(one.percentage for one in shown), *marks])
    upper = HEAD + LEGEND if shown else HEAD
    panel = Panel(upper, upper + (RESULTS_HEIGHT if shown else NO_RESULTS_HEIGHT), scale, INSET)
    timeline = make_timeline(panel, spans)
    places = [(timeline.place(one.at), panel.place(one.percentage)) for one in shown]
    labels = _label(shown, places, panel.box, _get_pass_lines(panel, shown, places))
    top = panel.bottom + BETWEEN + labels.key_height
    bottom = top + ACTIVITY_HEIGHT
    sheet = Sheet(bottom + FOOT)
    sheet.write_heading(names, what)
    draw_days(sheet, panel, timeline)
    if shown:
        panel.draw_grid(sheet, "%")
        _draw_results(sheet, panel, shown, places)
        _write_labels(sheet, shown, places, labels)
        _write_key(sheet, panel.bottom + BETWEEN, labels.key)
    else:
        say_nothing(sheet, panel, "No exam results")
    draw_activity(sheet, top, bottom, spans, lambda span: format_start(span, zone))
    return sheet


def draw_week(names: Sequence[str], what: str, days: Sequence[Span], zone: tzinfo) -> bytes:
    """The activity of each day, by kind; `names` are the heading."""
    with alone():
        return make_week_sheet(names, what, days, zone).to_png()


def make_week_sheet(names: Sequence[str], what: str, days: Sequence[Span], zone: tzinfo) -> Sheet:
    def name(day: Span) -> str:
        start = day.start.astimezone(zone)
        return f"{start:%a} {start.day}"

    sheet = Sheet(560)
    sheet.write_heading(names, what)
    draw_activity(sheet, HEAD, 560 - FOOT, days, name)
    return sheet


def _label(results: Sequence[Result], places: Sequence[Place], room: Box, lines: Sequence[Line]) -> _Labels:
    """The titles beside the results, where there is room for all of them; else numbers, and a key to these."""
    exams = [("unknown", at) if one.exam is None else one.exam for at, one in enumerate(results)]
    others = [Box(start[0], start[1] - 2, end[0], end[1] + 2) for start, end in lines]
    for width in LABEL_WIDTHS if len(results) <= MOST_WITH_TITLES else ():
        texts = [fit(one.titles, width, TINY, keeps_end=True) for one in results]
        boxes = place_labels(_make_spots(places, texts), room, others)
        if None not in boxes and len({*zip(texts, exams, strict=True)}) == len(set(texts)):
            return _Labels(texts, boxes)
    numbers = {exam: number for number, exam in enumerate(dict.fromkeys(exams), start=1)}
    texts = [str(numbers[exam]) for exam in exams]
    titles = {numbers[exam]: one.titles for exam, one in zip(exams, results, strict=True)}
    return _Labels(texts, place_labels(_make_spots(places, texts), room, others), _make_key(titles))


def _make_key(titles: Mapping[int, Sequence[str]]) -> list[str]:
    """What the numbers stand for, as far as there is room."""
    listed = len(titles) if len(titles) <= MOST_IN_KEY else MOST_IN_KEY - 1
    width = (WIDTH - MARGIN - LEFT_EDGE) / KEY_COLUMNS - 50
    key = [f"{number} · {fit(titles[number], width, TINY, keeps_end=True)}" for number in sorted(titles)[:listed]]
    return key if listed == len(titles) else [*key, f"… and {len(titles) - listed} more exams"]


def _make_spots(places: Sequence[Place], texts: Sequence[str]) -> list[Spot]:
    empty = text_box(0, 0, 0, TINY)
    widths = [measure(text, TINY) for text in texts]
    return [Spot(*place, width, empty.bottom - empty.top) for place, width in zip(places, widths, strict=True)]


def _get_pass_lines(panel: Panel, results: Sequence[Result], places: Sequence[Place]) -> list[Line]:
    """One from side to side where all these exams have the same pass mark, else a piece of one at each result."""
    marks = [one.pass_mark for one in results]
    if len(set(marks)) == 1:
        marks, sides = marks[:1], [(panel.left, panel.right)]
    else:
        sides = [(x - PASS_MARK, x + PASS_MARK) for x, _ in places]
    heights = [None if mark is None else panel.place(mark) for mark in marks]
    return [((left, y), (right, y)) for (left, right), y in zip(sides, heights, strict=True) if y is not None]


def _draw_results(sheet: Sheet, panel: Panel, results: Sequence[Result], places: Sequence[Place]) -> None:
    """The marks, and a line through those of each exam."""
    tries: dict[int, list[Place]] = defaultdict(list)
    for one, place in zip(results, places, strict=True):
        if one.exam is not None:
            tries[one.exam].append(place)
    for line in tries.values():
        if len(line) > 1:
            sheet.draw_line(line, BETWEEN_TRIES, 2)
    lines = _get_pass_lines(panel, results, places)
    for start, end in lines:
        draw_pass_mark(sheet, start, end)
    looks = {look_of(one.outcome) for one in results}
    entries = [(f"exam {look.label}", mark_sign(look)) for look in (PASSED, FAILED, COMPLETED) if look in looks]
    if lines:
        marks = {one.pass_mark for one in results}
        entries.append((f"pass mark {marks.pop():g}%" if len(marks) == 1 else "pass mark of that exam", pass_sign))
    draw_legend(sheet, panel.top - LEGEND, entries)


def _write_labels(sheet: Sheet, results: Sequence[Result], places: Sequence[Place], labels: _Labels) -> None:
    """On white, so that no line goes through the letters, and the marks again where they were covered."""
    boxes = [(text, box) for text, box in zip(labels.texts, labels.boxes, strict=True) if box is not None and text]
    for _, box in boxes:
        sheet.fill(box, WHITE)
    for one, place in zip(results, places, strict=True):
        sheet.draw_mark(*place, look_of(one.outcome), MARK_POINTS)
    above = text_box(0, 0, 0, TINY).top
    for text, box in boxes:
        sheet.write(text, (box.left + box.right) / 2, box.top - above, align=MIDDLE, points=TINY)


def _write_key(sheet: Sheet, top: float, key: Sequence[str]) -> None:
    rows = ceil(len(key) / KEY_COLUMNS)
    for at, text in enumerate(key):
        x = LEFT_EDGE + (at // rows) * (WIDTH - MARGIN - LEFT_EDGE) / KEY_COLUMNS
        sheet.write(text, x, top + (at % rows + 0.5) * KEY_LINE, points=TINY)
