"""Which letters can be drawn, in which fonts, and how wide they are."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from functools import cache, lru_cache
from math import ceil
from typing import TYPE_CHECKING, Any

from lms_bot.core.markdown import one_line

if TYPE_CHECKING:
    from matplotlib.ft2font import FT2Font

DOTS_PER_INCH = 100
TINY, SMALL, LARGE = 12, 14, 21  # points

FIRST_FAMILY = "DejaVu Sans"  # comes with matplotlib: Latin, Greek, Cyrillic, Hebrew, Arabic and more
MOST_LETTERS = 200
MOST_MARKS = 4
"""So many accents on one letter are drawn: more would write over what is above and below."""

_JOINERS = "\u200c\u200d"


def to_pixels(points: float) -> float:
    return points * DOTS_PER_INCH / 72


@lru_cache(maxsize=4096)
def measure(text: str, points: int) -> float:
    """How wide it is, in pixels."""
    width: float = _get_ruler().get_text_width_height_descent(text, find_font(text, points), ismath=False)[0]
    return width


@lru_cache(maxsize=300)
def draw_letters(text: str, points: int, colour: str) -> tuple[Any, int, int]:
    """The text as a picture of its own, upside down as the renderer takes it, and how many pixels that begins left of
    the text and below its line.

    Kept: drawing letters is half of the work, and most texts of a picture are in the next one, too.
    """
    import numpy

    room = 2 * points
    renderer = make_renderer(ceil(measure(text, points)) + 2 * room, 2 * room)
    context = renderer.new_gc()
    context.set_foreground(colour)
    renderer.draw_text(context, room, room, text, find_font(text, points), 0)
    picture = numpy.array(renderer.buffer_rgba())[::-1]
    rows, columns = numpy.nonzero(picture[:, :, 3])
    if not len(rows):
        return picture[:1, :1], 0, 0
    top, left = int(rows.min()), int(columns.min())
    cut = picture[top : rows.max() + 1, left : columns.max() + 1].copy()
    return cut, room - left, room - top


def fit(names: Sequence[str], width: float, points: int = SMALL, *, keeps_end: bool = False) -> str:
    """The name to draw, see `pick_text`, cut to what has room: at its end, or before that, where titles differ."""
    whole = text = pick_text(names)
    kept = len(whole)
    while (needed := measure(text, points)) > width and kept:
        kept = min(kept - 1, int(kept * width / needed))
        end = kept // 3 if keeps_end else 0
        text = f"{whole[: kept - end].rstrip()}…{whole[len(whole) - end :].lstrip()}"
    return text


def find_font(text: str, points: int) -> Any:
    """The font for a text, as matplotlib describes it: the first family that comes with it, and those it lacks."""
    others = {find_family(letter) for letter in text} - {FIRST_FAMILY, None}
    return _get_font(tuple(sorted(filter(None, others))), points)


@lru_cache(maxsize=100)
def _get_font(others: tuple[str, ...], points: int) -> Any:
    from matplotlib.font_manager import FontProperties

    return FontProperties(family=[FIRST_FAMILY, *others], size=points)


def make_renderer(width: int, height: int) -> Any:
    """Matplotlib's, which has no types."""
    from matplotlib.backends import backend_agg

    module: Any = backend_agg
    return module.RendererAgg(width, height, DOTS_PER_INCH)


@cache
def _get_ruler() -> Any:
    return make_renderer(1, 1)


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
    return " ".join("".join(kept).split()).strip(f"{_JOINERS} ")


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
