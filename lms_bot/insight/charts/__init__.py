"""Figures in, PNG bytes out: the one door to matplotlib, an extra that is imported only to draw. Pure.

Colours are Okabe and Ito's, which everybody can tell apart, and no two things differ by colour alone. Names and
titles are foreign text: nothing in them is a formula, and what no font at hand can draw is not drawn as boxes.
"""

import logging
from importlib.util import find_spec

from lms_bot.insight.charts.drawing import KINDS, MOST_BARS, Result, Scores, Span, draw_exam, draw_student, draw_week

__all__ = ["KINDS", "MOST_BARS", "Result", "Scores", "Span", "draw_exam", "draw_student", "draw_week", "is_available"]


# It warns of a home that it cannot write to, and of fonts.
logging.getLogger("matplotlib").setLevel(logging.ERROR)


def is_available() -> bool:
    """Whether anything can be drawn here."""
    return find_spec("matplotlib") is not None
