"""The paper that charts are drawn on, and the fonts to write on it."""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache, lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, Any

from lms_bot.core.markdown import one_line

if TYPE_CHECKING:
    from matplotlib.ft2font import FT2Font


WIDTH = 1000  # pixels
DOTS_PER_INCH = 100
INK, QUIET, GRID = "#1f1f1f", "#5c5c5c", "#dcdcdc"
SMALL, LARGE = 14, 21  # points
MARGIN = 0.021  # of the width

FIRST_FAMILY = "DejaVu Sans"  # comes with matplotlib: Latin, Greek, Cyrillic, Hebrew, Arabic and more
MOST_LETTERS = 200
MOST_MARKS = 4
"""So many accents on one letter are drawn: more would write over what is above and below."""

_JOINERS = "\u200c\u200d"

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


def pick_text(texts: Sequence[str]) -> str:
    """The first of the texts of which every letter can be drawn, without pictures that cannot; "" where none is."""
    cleaned = map(clean, texts)
    return next((text for text in cleaned if any(map(str.isalnum, text)) and all(map(find_family, text))), "")


def clean(text: str) -> str:
    """On one line, with few accents on each letter, and without the signs that no font at hand has."""
    kept: list[str] = []
    marks = 0
    for letter in unicodedata.normalize("NFC", one_line(text)[:MOST_LETTERS]):
        kind = unicodedata.category(letter)
        marks = marks + 1 if kind in ("Mn", "Me") else 0
        is_word = kind[0] in "LMN" and kind != "Me"
        if marks <= MOST_MARKS and not _is_variation(letter) and (is_word or find_family(letter)):
            kept.append(letter)
    return " ".join("".join(kept).split()).strip(_JOINERS)


def _is_variation(letter: str) -> bool:
    """Says in which of its forms the sign before it is meant; no sign itself."""
    return "\ufe00" <= letter <= "\ufe0f" or "\U000e0100" <= letter <= "\U000e01ef"


@lru_cache(maxsize=10_000)
def find_family(letter: str) -> str | None:
    """The font family to draw a character with, or None where no font has it."""
    return next((family for family in _get_families() if _open(family).get_char_index(ord(letter))), None)


@cache
def _get_families() -> list[str]:
    """What this machine has, the best for names first; also fonts that came after matplotlib last looked."""
    from matplotlib.font_manager import findSystemFonts, fontManager

    known = {entry.fname for entry in fontManager.ttflist}
    for path in set(findSystemFonts()) - known:
        with suppress(OSError, RuntimeError):  # a file that is no font, or one it cannot read
            fontManager.addfont(path)
    upright = {entry.name for entry in fontManager.ttflist if entry.style == "normal" and not _is_odd(entry.name)}
    return [FIRST_FAMILY, *sorted(upright - {FIRST_FAMILY}, key=_suitability)]


def _is_odd(family: str) -> bool:
    """Fonts of formulas, and the one that has a box for everything."""
    return family.startswith(("Last Resort", "STIX", "cm")) or "Math" in family or "Emoji" in family


def _suitability(family: str) -> tuple[bool, bool, bool, int, str]:
    is_noto, is_sans = family.startswith("Noto"), "Sans" in family
    return not (is_noto and is_sans), not is_sans, "CJK" in family, len(family), family


def _open(family: str) -> FT2Font:
    from matplotlib.font_manager import FontProperties, fontManager, get_font

    return get_font(fontManager.findfont(FontProperties(family=[family]), fallback_to_default=False))
