"""Charts: what is drawn, that everybody can read it, and that no text breaks it."""

from __future__ import annotations

import itertools
import os
import re
import struct
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lms_bot.core.activities import ActivityType
from lms_bot.insight.charts import Result, Scores, Span, draw_exam, draw_student, draw_week, load
from tests.places import REPOSITORY

matplotlib = pytest.importorskip("matplotlib")

from PIL import Image  # noqa: E402  # comes with it

from lms_bot.insight.charts.drawing import INSET, KINDS, LEFT_EDGE  # noqa: E402
from lms_bot.insight.charts.exams import make_exam_sheet  # noqa: E402
from lms_bot.insight.charts.fonts import MOST_MARKS, TINY, clean, find_family, fit, measure, pick_text  # noqa: E402
from lms_bot.insight.charts.labels import Spot, place_labels  # noqa: E402
from lms_bot.insight.charts.scales import (  # noqa: E402
    Scale,
    Timeline,
    fit_bins,
    fit_counts,
    fit_percentages,
)
from lms_bot.insight.charts.sheet import WIDTH, Box, Sheet, Style  # noqa: E402
from lms_bot.insight.charts.students import (  # noqa: E402
    BETWEEN_TRIES,
    MOST_IN_KEY,
    make_student_sheet,
    make_week_sheet,
)

UTC = timezone.utc
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
WEEK = timedelta(weeks=1)

HOSTILE = [
    r"$\frac{1}{0}$ and $\undefined$",
    "$" * 500,
    "M" * 500,
    "\ufdfd" * 500,
    "a" + "\u0301" * 400,
    "line\none\ttwo\x00\x07\x1b[31m",
    "\u202eright to left\u202c و عربى",
    "🎉 👩‍👩‍👧 \ufe0f exam \U000e0041",
    "\ud800 half a pair",
    "%d %s {0} {name}",
    "",
]
SCRIPTS = {
    "Cyrillic": "Ольга Петрова",
    "Greek": "Ελένη Παππά",
    "Arabic": "محمد علي",
    "Hebrew": "דוד לוי",
    "Devanagari": "महेश कुमार",
    "Tamil": "தமிழ் செல்வன்",
    "Thai": "สมชาย ใจดี",
    "Chinese": "李小龙",
    "Korean": "김철수",
}


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    """Matplotlib warns of each letter that it has to draw as a box."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def make_spans(number: int = 4) -> list[Span]:
    counts = {kind.value: at + 1 for at, kind in enumerate(ActivityType)}
    return [Span(MONDAY + WEEK * at, MONDAY + WEEK * (at + 1), counts) for at in range(number)]


def draw_named(name: str) -> bytes:
    results = [Result(MONDAY, 80.0, "passed"), Result(MONDAY + WEEK, 30.0, "failed")]
    return draw_student((name, "user7", "Student 7"), "What it shows", results, make_spans(), UTC)


def draw_taken_by(*names: str) -> bytes:
    return draw_exam((names[0], "Exam"), [Scores((name, "Student 7"), 80.0, 40.0, "passed") for name in names])


def size_of(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    return width, height


# ---- the picture ----


def test_every_chart_is_a_png_that_a_phone_can_load_and_show() -> None:
    many = [Scores((), float(number % 101), None, "failed") for number in range(500)]
    results = [Result(MONDAY + timedelta(hours=number), number % 101, "failed") for number in range(500)]
    pictures = [
        draw_named("Jane Smith"),
        draw_student(("Jane",), "Much", results, make_spans(60), UTC),
        draw_week(("Your 12 students",), "This week", make_spans(7), UTC),
        draw_taken_by(*(f"Student number {number}" for number in range(20))),
        draw_exam(("Algebra",), many),
    ]
    for png in pictures:
        width, height = size_of(png)
        assert width == 1000 and 250 < height < 1300
        assert len(png) < 200_000


def test_nothing_at_all_can_be_drawn() -> None:
    empty = [Span(MONDAY, MONDAY + WEEK, {})]
    assert size_of(draw_student(("Jane",), "", [], empty, UTC))
    assert size_of(draw_week((), "", empty, UTC))
    assert size_of(draw_exam((), []))
    assert size_of(draw_exam((), [Scores((), None, None, "completed")]))


def test_percentages_beyond_everything_are_drawn_within_the_picture() -> None:
    results = [Result(MONDAY, each, "passed") for each in (float("nan"), float("inf"), -50.0, 120.0, 1e9)]
    assert size_of(draw_student(("Jane",), "", results, make_spans(), UTC))
    takers = [Scores(("Jane",), each, each, "passed") for each in (-50.0, 120.0, 1e9)]
    assert size_of(draw_exam(("Algebra",), takers * 8)) and size_of(draw_exam(("Algebra",), takers))


def test_what_is_drawn_depends_on_what_it_is_given() -> None:
    assert draw_named("Jane Smith") == draw_named("Jane Smith")
    assert draw_named("Jane Smith") != draw_named("John Doe")
    better = [Scores(("Jane",), 90.0, 90.0, "passed")]
    assert draw_exam(("Algebra",), better) != draw_taken_by("Jane")


def test_once_loaded_a_chart_takes_a_tenth_of_a_second_of_work() -> None:
    """Slow machines may take two; with matplotlib's figures, as before, it was three on fast ones."""
    load()
    results = make_results(*((40.0 + 5 * at, f"Exam {at % 3}", at % 3) for at in range(12)), days=6)

    def time_drawing(name: str) -> float:
        started = time.process_time()
        draw_student((name,), "Much", results, make_spans(12), UTC)
        return time.process_time() - started

    assert min(map(time_drawing, ("Jane Smith", "John Doe", "Zoë Müller"))) < 0.2


def test_what_loads_beside_leaves_nothing_of_it_to_the_first_chart() -> None:
    script = (
        "import sys; from lms_bot.insight import charts; charts.load(); before = set(sys.modules);"
        "charts.draw_exam(('Algebra',), [charts.Scores(('Jane',), 50.0, 50.0, 'passed')]);"
        "late = {name for name in set(sys.modules) - before if not name.startswith('lms_bot')};"
        "assert 'matplotlib' in before and not late, late"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def test_threads_draw_the_same_as_one_alone_does() -> None:
    names = ["Jane Smith", "Ольга Петрова", "محمد علي"]
    alone = [draw_named(name) for name in names]
    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(draw_named, names)) == alone


def test_matplotlib_is_left_as_it_was() -> None:
    draw_named("Jane Smith")
    before = dict(matplotlib.rcParams)
    draw_named(r"$\alpha$ Ольга")
    assert dict(matplotlib.rcParams) == before


def test_nothing_is_imported_before_it_is_drawn_and_a_home_that_cannot_be_written_is_no_trouble(
    tmp_path: Path,
) -> None:
    script = (
        "import sys, logging, lms_bot.chat.commands.table; logging.basicConfig();"
        "assert not [name for name in sys.modules if name.startswith(('matplotlib', 'numpy'))];"
        "from lms_bot.insight.charts import draw_exam; assert draw_exam(('Algebra',), []);"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    home = {"HOME": "/proc/no-home", "XDG_CACHE_HOME": "/proc/no-home", "XDG_CONFIG_HOME": "/proc/no-home"}
    environ = {name: value for name, value in os.environ.items() if name != "MPLCONFIGDIR"} | home
    ended = subprocess.run(
        [sys.executable, "-c", script], env=environ, cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def test_matplotlib_has_one_door() -> None:
    files = (REPOSITORY / "lms_bot").rglob("*.py")
    doors = {file.parent.name for file in files if re.search("(import|from) matplotlib", file.read_text("utf-8"))}
    assert doors == {"charts"}


# ---- what is where ----


def make_results(*shown: tuple[float, str, int | None], days: float = 2.0, **changes: Any) -> list[Result]:
    """Percentages of exams, days apart: each as it is, what the exam is called and which it is."""
    return [
        Result(MONDAY + timedelta(days=days * (at + 1)), percentage, "passed", exam, (title,), **changes)
        for at, (percentage, title, exam) in enumerate(shown)
    ]


def draw(results: list[Result], number: int = 4) -> Sheet:
    return make_student_sheet(("Jane Smith",), "What it shows", results, make_spans(number), UTC)


def get_texts(sheet: Sheet) -> list[str]:
    return [text for text, _ in sheet.written]


def count_pixels(png: bytes, colour: str) -> int:
    picture = Image.open(BytesIO(png)).convert("RGB")
    wanted = tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5))
    colours = picture.getcolors(maxcolors=2**24) or []
    return sum(number for number, one in colours if one == wanted)


def test_each_result_has_its_exams_title_beside_it_and_none_covers_another() -> None:
    titles = ["Mathematics Final Exam", "Physics Midterm", "Chemistry Basics", "Algebra: Quiz 1", "Physics Midterm"]
    sheet = draw(make_results(*((50.0 + 7 * at, title, len(title)) for at, title in enumerate(titles)), days=4))

    assert [text for text in get_texts(sheet) if text in titles] == titles
    boxes = [box for _, box in sheet.written]
    assert not [pair for pair in itertools.combinations(boxes, 2) if pair[0].overlaps(pair[1])]
    assert all(Box(0, 0, WIDTH, sheet.height).holds(box) for box in boxes)


def test_where_titles_have_no_room_each_result_has_a_number_that_is_told_below() -> None:
    shown = [(at * 37.0 % 60 + 30, f"Exam of lesson {at % 10}", at % 10) for at in range(40)]
    results = make_results(*shown, days=0.65)
    texts = [text for text, box in draw(results).written if box.right > LEFT_EDGE]  # without those of the axes

    for exam in range(10):
        assert texts.count(f"{exam + 1} · Exam of lesson {exam}") == 1
        assert texts.count(str(exam + 1)) == 4
    assert not [text for text in texts if text.startswith("Exam of")]


def test_a_key_that_is_too_long_says_how_many_exams_are_left_out() -> None:
    results = make_results(*((float(at), f"Lesson {at}", at) for at in range(90)), days=0.25)
    texts = get_texts(draw(results))
    assert len([text for text in texts if " · Lesson " in text]) == MOST_IN_KEY - 1
    assert f"… and {90 - MOST_IN_KEY + 1} more exams" in texts


def test_long_titles_are_cut_so_that_they_can_be_told_apart() -> None:
    long = "A very long title about the history of mathematics in the nineteenth century, part "
    drawn = [text for text in get_texts(draw(make_results((60, f"{long}1", 1), (70, f"{long}2", 2)))) if "…" in text]
    assert [text[-1] for text in drawn] == ["1", "2"] and all(text.startswith("A very long") for text in drawn)
    assert measure(fit((long,), 200, TINY, keeps_end=True), TINY) <= 200


def test_exams_that_are_called_alike_even_when_cut_are_told_apart_by_numbers() -> None:
    texts = get_texts(draw(make_results((60, "Midterm", 1), (70, "Midterm", 2))))
    assert {"1", "2", "1 · Midterm", "2 · Midterm"} <= set(texts)


def test_a_line_joins_the_results_of_one_exam_and_never_those_of_two() -> None:
    def count_line(*exams: int | None) -> int:
        results = make_results(*((50.0 + 10 * at, "Midterm", exam) for at, exam in enumerate(exams)), days=8)
        return count_pixels(draw(results).to_png(), BETWEEN_TRIES)

    few = 40  # pixels of that grey at the edges of letters
    assert count_line(1, 1) > 10 * few
    assert max(count_line(1, 2), count_line(1), count_line(None, None)) < few


def test_the_pass_mark_is_drawn_where_it_is_known_as_one_line_or_at_each_result() -> None:
    results = [(60.0, "Maths", 1), (70.0, "Physics", 2)]
    one = make_results(*results, pass_mark=40)
    two = [replace(one[0], pass_mark=40), replace(one[1], pass_mark=None)]

    assert "pass mark 40%" in get_texts(draw(one)) and "pass mark of that exam" in get_texts(draw(two))
    assert not [text for text in get_texts(draw(make_results(*results))) if "pass mark" in text]
    pixels = [count_pixels(draw(each).to_png(), "#1f1f1f") for each in (make_results(*results), two, one)]
    assert pixels == sorted(pixels) and len(set(pixels)) == 3

    takers = [Scores(("Jane",), 60.0, 60.0, "passed")]
    for many in (takers, takers * 30):
        assert "pass mark 33.3%" in get_texts(make_exam_sheet(("Algebra",), many, 100 / 3 // 0.1 / 10))
        assert "pass mark" not in " ".join(get_texts(make_exam_sheet(("Algebra",), many)))


def test_the_week_has_all_its_days_whatever_happened_on_them() -> None:
    day = timedelta(days=1)
    days = [
        Span(MONDAY + day * at, MONDAY + day * (at + 1), {"exam_failed": 1} if at == 1 else {}) for at in range(7)
    ]

    sheet = make_week_sheet(("Your 3 students",), "This week", days, UTC)

    names = [f"{name} {at + 2}" for at, name in enumerate(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"))]
    assert [text for text, _ in sheet.written][-7:] == names
    boxes = [box for text, box in sheet.written if text in names]
    assert all(Box(LEFT_EDGE, 0, WIDTH, sheet.height).holds(box) for box in boxes)
    assert all(left.right < right.left for left, right in itertools.pairwise(boxes))


def test_marks_beyond_the_usual_lie_within_the_panel() -> None:
    sheet = draw(make_results((-12.5, "Negative", 1), (118.0, "Bonus", 2), (60.0, "Quiz", 3), days=6))
    texts = get_texts(sheet)
    assert "-25%" in texts and "125%" in texts
    assert {"Negative", "Bonus", "Quiz"} <= set(texts)
    lowest, highest = (next(box for text, box in sheet.written if text == name) for name in ("-25%", "125%"))
    for name in ("Negative", "Bonus"):
        (box,) = (box for text, box in sheet.written if text == name)
        assert highest.top - INSET < box.top and box.bottom < lowest.bottom + INSET
    bars = make_exam_sheet(
        ("Algebra",), [Scores((name,), best, best, "passed") for name, best in (("A", -8), ("B", 112))]
    )
    assert {"-20%", "0%", "120%"} <= set(get_texts(bars))


def test_a_picture_without_bars_of_a_kind_does_not_explain_it() -> None:
    spans = [Span(MONDAY, MONDAY + WEEK, {"exam_failed": 1})]
    texts = get_texts(make_student_sheet(("Jane",), "", [], spans, UTC))
    assert "exams failed" in texts and "exams passed" not in texts and "No exam results" in texts


@given(st.lists(st.integers(-20_000, 20_000).map(lambda each: each / 10), max_size=8))
def test_the_percentages_axis_holds_all_and_little_else(values: list[float]) -> None:
    held = [min(1000.0, max(-1000.0, each)) for each in values] or [0.0, 100.0]
    scale = fit_percentages(values)
    step = scale.ticks[1] - scale.low
    assert scale.low <= min(held) and max(held) <= scale.high and len(scale.ticks) <= 8
    assert scale.high - scale.low <= max(max(held) - min(held), 20) + 2 * step
    for value in held:
        assert 0 <= scale.place(value, 0, 100) <= 100


def test_an_axis_fits_what_it_shows() -> None:
    assert fit_percentages([85]).ticks == (75, 80, 85, 90, 95)
    assert fit_percentages([100]).ticks == (80, 85, 90, 95, 100) and fit_percentages([0]).ticks[0] == 0
    assert fit_percentages([40, 85]).ticks == (40, 50, 60, 70, 80, 90)
    assert fit_percentages([30], least=(0, 100)).ticks == (0, 20, 40, 60, 80, 100)
    assert fit_counts(0).ticks == fit_counts(2).ticks == (0, 1, 2)
    assert fit_counts(11).ticks == (0, 5, 10, 15)
    assert fit_bins([30]).ticks == tuple(range(0, 101, 10))
    assert (fit_bins([-8, 117]).low, fit_bins([-8, 117]).high) == (-10, 120)


def test_of_many_spans_as_many_are_named_as_have_room() -> None:
    timeline = Timeline(make_spans(60), 0, 600)
    named = timeline.choose_labels(lambda span: f"{span.start:%d %b}", lambda text: 60.0, 10)
    places = [place for place, _ in named]
    assert 7 <= len(places) <= 9 and all(b - a >= 70 for a, b in itertools.pairwise(places))
    assert Scale((0.0, 10.0)).place(99, 0, 100) == 100


def test_a_label_that_has_no_room_is_left_out_and_covers_no_mark() -> None:
    room = Box(0, 0, 100, 100)
    near = [Spot(50, 50, 40, 20), Spot(55, 52, 40, 20), Spot(52, 56, 40, 20)]
    placed = [box for box in place_labels(near, room) if box is not None]
    assert placed and all(room.holds(box) for box in placed)
    assert not [box for box in placed for spot in near if box.overlaps(spot.mark)]
    assert place_labels([Spot(50, 50, 300, 20)], room) == [None]


# ---- its text ----


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_name_and_no_title_breaks_a_chart(text: str) -> None:
    assert size_of(draw_named(text))
    assert size_of(draw_taken_by(text))


@settings(max_examples=8, deadline=None)
@given(st.text(max_size=60))
def test_any_text_at_all_is_drawn_without_boxes(text: str) -> None:
    assert size_of(draw_exam((text, "Exam"), [Scores((text, "Student 7"), 80.0, 40.0, "passed")]))


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_name_is_drawn_in_its_own_script_where_a_font_is_at_hand(script: str) -> None:
    name = SCRIPTS[script]
    is_at_hand = all(find_family(letter) for letter in name)
    assert pick_text((name, "user7")) == (name if is_at_hand else "user7")
    assert (draw_taken_by(name) != draw_taken_by("")) == is_at_hand
    assert is_at_hand or script not in ("Cyrillic", "Greek", "Arabic", "Hebrew")  # matplotlib brings a font for these


def test_a_name_that_no_font_can_draw_gives_way_to_the_next() -> None:
    letters = map(chr, itertools.chain(range(0x10570, 0x20000), range(0xA000, 0xD000)))
    unknown = next(letter for letter in letters if letter.isalpha() and find_family(letter) is None)
    assert pick_text((unknown * 3, "user7", "Student 7")) == "user7"
    assert pick_text((f"Jane {unknown}", unknown, "Student 7")) == "Student 7"
    assert pick_text((unknown,)) == ""
    assert draw_named(unknown) == draw_named("user7")


def test_pictures_and_signs_in_a_name_are_left_out_if_no_font_has_them() -> None:
    assert pick_text(("Jane \U0001fae8\ufe0f Smith", "user7")) == "Jane Smith"
    assert pick_text(("\U0001fae8\U0001fae8", "user7")) == "user7"
    assert pick_text(("-- !!", "", "user7")) == "user7"


def test_accents_upon_accents_do_not_write_over_the_rest() -> None:
    assert len(clean("e" + "\u0301" * 50)) <= 1 + MOST_MARKS
    assert clean("é ü ç") == "é ü ç"


def test_a_dollar_begins_no_formula() -> None:
    assert draw_named("costs $5 or $6") != draw_named("costs 5 or 6")
    assert draw_named(r"$\Delta$") != draw_named("Δ")


# ---- its colours ----

# How colours look to people without one kind of cone (Viénot 1999; for tritanopia, Machado 2009): linear RGB.
EYES = {
    "all cones": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": ((0.11238, 0.88762, 0), (0.11238, 0.88762, 0), (0.00401, -0.00401, 1)),
    "deuteranopia": ((0.29275, 0.70725, 0), (0.29275, 0.70725, 0), (-0.02234, 0.02234, 1)),
    "tritanopia": ((1.25553, -0.07675, -0.17878), (-0.07841, 0.93081, 0.1476), (0.00473, 0.69137, 0.3039)),
}
TOLD_APART = 0.15
"""A distance in linear RGB that is easily seen; these colours keep more."""


def as_seen(look: Style, eyes: str) -> tuple[float, ...]:
    srgb = [int(look.colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in srgb]
    return tuple(sum(part * each for part, each in zip(row, linear, strict=True)) for row in EYES[eyes])


@pytest.mark.parametrize("eyes", EYES)
def test_colours_can_be_told_apart_by_everybody(eyes: str) -> None:
    for one, other in itertools.combinations(KINDS, 2):
        apart = sum((a - b) ** 2 for a, b in zip(as_seen(one, eyes), as_seen(other, eyes), strict=True)) ** 0.5
        assert apart > TOLD_APART, (one.label, other.label)


def test_nothing_differs_by_its_colour_alone() -> None:
    assert len({look.hatch for look in KINDS}) == len({look.marker for look in KINDS}) == len(KINDS)


def test_every_event_type_is_in_the_bars_once() -> None:
    kinds = [kind for types in KINDS.values() for kind in types]
    assert sorted(kinds) == sorted(kind.value for kind in ActivityType)
