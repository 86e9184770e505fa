"""Which fonts at hand can draw a text. Call it while nobody else draws: `sheet` sees to that."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from lms_bot.core.markdown import one_line

if TYPE_CHECKING:
    from matplotlib.ft2font import FT2Font

FIRST_FAMILY = "DejaVu Sans"  # comes with matplotlib: Latin, Greek, Cyrillic, Hebrew, Arabic and more
MOST_LETTERS = 200
MOST_MARKS = 4
"""So many accents on one letter are drawn: more would write over what is above and below."""

_JOINERS = "\u200c\u200d"


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
