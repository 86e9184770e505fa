"""Figures in, PNG bytes out: the one door to matplotlib, an extra that is imported only to draw. Pure.

Colours are Okabe and Ito's, which everybody can tell apart, and no two things differ by colour alone. Names and
titles are foreign text: nothing in them is a formula, and what no font at hand can draw is not drawn as boxes.
"""

import logging
from datetime import datetime, timedelta, timezone
from importlib.util import find_spec

from lms_bot.insight.charts.drawing import KINDS
from lms_bot.insight.charts.exams import MOST_BARS, Scores, draw_exam
from lms_bot.insight.charts.scales import Span
from lms_bot.insight.charts.students import Result, draw_student, draw_week

__all__ = [
    "KINDS", "MOST_BARS", "Result", "Scores", "Span", "draw_exam", "draw_student", "draw_week", "is_available",
    "load",
]  # fmt: skip


# It warns of a home that it cannot write to, and of fonts.
logging.getLogger("matplotlib").setLevel(logging.ERROR)


def is_available() -> bool:
    """Whether anything can be drawn here."""
    return find_spec("matplotlib") is not None


def load() -> None:
    """Loads what drawing needs, a second's work, so that whoever asks for the first chart need not wait for it."""
    if is_available():
        start = datetime(2026, 1, 5, tzinfo=timezone.utc)
        result = Result(start, 50.0, "passed", titles=("Exam 1",))
        span = Span(start, start + timedelta(days=7), dict.fromkeys(sum(KINDS.values(), ()), 1))
        draw_student(("Abc",), "abc", [result], [span], timezone.utc)
