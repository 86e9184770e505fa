"""The paper that charts are drawn on, and the fonts to write on it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import Any

from lms_bot.insight.charts.lettering import FIRST_FAMILY, clean, find_family, pick_text

WIDTH = 1000  # pixels
DOTS_PER_INCH = 100
INK, QUIET, GRID = "#1f1f1f", "#5c5c5c", "#dcdcdc"
SMALL, LARGE = 14, 21  # points
MARGIN = 0.021  # of the width

_drawing = threading.Lock()


class Sheet:
    """White paper with a heading, to draw on inside `sheet`, which sets the fonts. Sizes are in pixels."""

    def __init__(self, height: int) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.height = height
        size = (WIDTH / DOTS_PER_INCH, height / DOTS_PER_INCH)
        self._figure = Figure(size, DOTS_PER_INCH, facecolor="white")
        self._renderer = FigureCanvasAgg(self._figure).get_renderer()  # type: ignore[no-untyped-call]

    def write_heading(self, names: Sequence[str], what: str) -> None:
        """Whom or which it is about, see `pick_text`, and what is shown."""
        title = self.fit(names, (1 - 2 * MARGIN) * WIDTH, LARGE)
        self._write(title, 14, LARGE, INK)
        self._write(what, 56 if title else 18, SMALL, QUIET)

    def _write(self, text: str, top: float, points: int, colour: str) -> None:
        self._figure.text(MARGIN, 1 - top / self.height, text, fontsize=points, va="top", color=colour)

    def add_panel(self, top: float, bottom: float, left: float = 85) -> Any:
        """Axes between these distances from the sheet's upper, lower and left edges."""
        place = (left / WIDTH, bottom / self.height, 1 - MARGIN - left / WIDTH, 1 - (top + bottom) / self.height)
        axes = self._figure.add_axes(place)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.spines["bottom"].set_color(QUIET)
        axes.grid(True, axis="y", color=GRID)
        axes.set_axisbelow(True)
        axes.tick_params(length=0, labelsize=SMALL, labelcolor=INK, pad=6)
        return axes

    def fit(self, names: Sequence[str], width: float, points: int = SMALL) -> str:
        """The name to draw, cut to what has room."""
        kept = text = pick_text(names)
        while (needed := self._measure(text, points)) > width and kept:
            kept = kept[: min(len(kept) - 1, int(len(kept) * width / needed))].rstrip()
            text = f"{kept}…"
        return text

    def _measure(self, text: str, points: int) -> float:
        written = self._figure.text(0, 0, text, fontsize=points)
        width: float = written.get_window_extent(self._renderer).width
        written.remove()
        return width

    def to_png(self) -> bytes:
        out = BytesIO()
        self._figure.savefig(out, format="png", dpi=DOTS_PER_INCH)
        return out.getvalue()


@contextmanager
def sheet(height: int, texts: Sequence[str]) -> Iterator[Sheet]:
    """A sheet on which these texts can be written.

    One at a time: matplotlib's fonts and settings, which are changed for so long, are shared by all threads.
    """
    import matplotlib

    with _drawing:
        families = {find_family(letter) or FIRST_FAMILY for text in texts for letter in clean(text)}
        style: Any = {
            "font.family": [FIRST_FAMILY, *sorted(families - {FIRST_FAMILY})],
            "text.parse_math": False,  # a `$` in a title begins no formula
            "text.usetex": False,
            "hatch.linewidth": 0.7,
        }
        with matplotlib.rc_context(style):
            yield Sheet(height)
