"""The paper that charts are drawn on: text, bars, lines and marks, at pixels from its upper left corner.

It draws with matplotlib's renderer itself. Matplotlib's figures are for pictures that one turns and zooms: they make
thousands of objects of the same lines, which takes three times as long.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from lms_bot.insight.charts.fonts import LARGE, SMALL, draw_letters, fit, make_renderer, measure, to_pixels

WIDTH = 1000  # pixels
MARGIN = 21
INK, QUIET, GRID, FAINT = "#1f1f1f", "#5c5c5c", "#dcdcdc", "#f0f0f0"
WHITE = "#ffffff"

LEFT, MIDDLE, RIGHT = 0.0, 0.5, 1.0
"""How much of a text is to the left of the place it is written at."""

DASHES = (5.0, 3.0)
_COMPRESSION = 3  # of 9: hardly larger than the best, in half of the time
_HEIGHT_ABOVE, _HEIGHT_BELOW = 0.78, 0.24  # of a letter's size, from the line it stands on
_MIDDLE_ABOVE = 0.36

_drawing = threading.Lock()


@dataclass(frozen=True)
class Style:
    """How one kind of thing is drawn, the same everywhere."""

    label: str
    colour: str
    hatch: str
    marker: str


@dataclass(frozen=True)
class Box:
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: Box) -> bool:
        is_beside = self.right <= other.left or other.right <= self.left
        return not is_beside and self.top < other.bottom and other.top < self.bottom

    def holds(self, other: Box) -> bool:
        is_across = self.left <= other.left and other.right <= self.right
        return is_across and self.top <= other.top and other.bottom <= self.bottom


@contextmanager
def alone() -> Iterator[None]:
    """One at a time draws or measures: matplotlib's fonts are shared by all threads."""
    with _drawing:
        yield


class Sheet:
    """White paper; within `alone`. `written` is what stands on it, and where."""

    def __init__(self, height: float) -> None:
        from matplotlib.transforms import Affine2D

        self.height = int(height)
        self.written: list[tuple[str, Box]] = []
        self._renderer = make_renderer(WIDTH, self.height)
        self._down = Affine2D().scale(1, -1).translate(0, self.height)  # the renderer counts from below
        self.fill(Box(0, 0, WIDTH, self.height), WHITE)

    def write_heading(self, names: Sequence[str], what: str) -> None:
        """Whom or which it is about, see `pick_text`, and what is shown."""
        title = fit(names, WIDTH - 2 * MARGIN, LARGE)
        self.write(title, MARGIN, 30, points=LARGE)
        self.write(what, MARGIN, 66 if title else 30, colour=QUIET)

    def write(
        self, text: str, x: float, y: float, *, align: float = LEFT, points: int = SMALL, colour: str = INK
    ) -> None:
        """At the place `x`, see `align`, but wholly on the paper; the letters' middle is at `y`."""
        if not text:
            return
        width = measure(text, points)
        left = max(0.0, min(x - align * width, WIDTH - width))
        base = y + _MIDDLE_ABOVE * to_pixels(points)
        picture, before, below = draw_letters(text, points, colour)
        self._renderer.draw_image(
            self._context(colour), round(left) - before, self.height - round(base) - below, picture
        )
        self.written.append((text, text_box(left, y, width, points)))

    def fill(self, box: Box, colour: str) -> None:
        self._draw([box], colour, self._context(colour))

    def draw_bars(self, boxes: Sequence[Box], look: Style) -> None:
        if not boxes:
            return
        context = self._context(INK, 0.9)
        context.set_snap(True)
        context.set_hatch(look.hatch or None)
        context.set_hatch_color(INK)
        context.set_hatch_linewidth(0.7)
        self._draw(boxes, look.colour, context)

    def draw_line(
        self, points: Sequence[tuple[float, float]], colour: str, width: float, *, is_dashed: bool = False
    ) -> None:
        from matplotlib.path import Path

        context = self._context(colour, width)
        context.set_snap(None)
        if is_dashed:
            context.set_dashes(0, [width * each for each in DASHES])
        self._renderer.draw_path(context, Path(points), self._down, None)

    def draw_mark(self, x: float, y: float, look: Style, points: float) -> None:
        from matplotlib.colors import to_rgb
        from matplotlib.markers import MarkerStyle
        from matplotlib.transforms import Affine2D

        mark = MarkerStyle(look.marker)
        place = Affine2D().scale(to_pixels(points)).translate(x, self.height - y)
        context = self._context(INK, 1.1)
        self._renderer.draw_path(context, mark.get_path(), mark.get_transform() + place, to_rgb(look.colour))

    def to_png(self) -> bytes:
        from PIL import Image

        out = BytesIO()
        picture = Image.frombuffer("RGBA", (WIDTH, self.height), self._renderer.buffer_rgba(), "raw", "RGBA", 0, 1)
        picture.convert("RGB").save(out, "PNG", compress_level=_COMPRESSION)
        return out.getvalue()

    def _context(self, colour: str, width: float = 0.0) -> Any:
        context = self._renderer.new_gc()
        context.set_foreground(colour)
        context.set_linewidth(width)
        return context

    def _draw(self, boxes: Sequence[Box], colour: str, context: Any) -> None:
        from matplotlib.colors import to_rgb
        from matplotlib.path import Path

        corners: list[tuple[float, float]] = []
        for box in boxes:
            first = (box.left, box.bottom)
            corners += [first, (box.right, box.bottom), (box.right, box.top), (box.left, box.top), first]
        codes = [Path.MOVETO, *3 * [Path.LINETO], Path.CLOSEPOLY] * len(boxes)
        self._renderer.draw_path(context, Path(corners, codes), self._down, to_rgb(colour))


def text_box(left: float, y: float, width: float, points: int) -> Box:
    """What a text takes whose letters' middle is at `y`."""
    size = to_pixels(points)
    base = y + _MIDDLE_ABOVE * size
    return Box(left, base - _HEIGHT_ABOVE * size, left + width, base + _HEIGHT_BELOW * size)
