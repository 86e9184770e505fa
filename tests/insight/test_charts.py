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
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lms_bot.core.activities import ActivityType
from lms_bot.insight.charts import Result, Scores, Span, draw_exam, draw_student, draw_week
from tests.places import REPOSITORY

matplotlib = pytest.importorskip("matplotlib")

from lms_bot.insight.charts.drawing import KINDS, Style  # noqa: E402
from lms_bot.insight.charts.sheet import MOST_MARKS, clean, find_family, pick_text  # noqa: E402

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


def test_another_chart_takes_less_than_a_second() -> None:
    draw_named("Jane Smith")
    started = time.process_time()
    draw_named("John Doe")
    assert time.process_time() - started < 1.0


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
