"""Names and titles as they are looked for: without what people leave out when they type them."""

from __future__ import annotations

import re
import unicodedata

from lms_bot.core.markdown import disarm, one_line

_PLAIN = re.compile(r"[\w.@+-]+(?: [\w.@+-]+)*", re.ASCII)
_PUNCTUATED = re.compile(r"(?P<kept>(?<=[^\W\d_])[+#]+)|[\W_]")
_JOINERS = re.compile("[\u200c\u200d]")
# Accents, Hebrew points, Arabic vowel marks: nobody types them. Vowel signs of other scripts are letters.
_ACCENTS = re.compile("[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670]")
# Letters that are no accented ones to Unicode, but to those who type names.
_PLAIN_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ŧ": "t", "\u0131": "i", "ŋ": "n"}
    | {"æ": "ae", "œ": "oe", "þ": "th"}
    | dict.fromkeys("\u2018\u2019\u02bc\u02cb", "'")  # phones type U+2019
    # Arabic and Persian keyboards have different letters that look the same: yeh, kaf, heh.
    | {"\u06cc": "\u064a", "\u0649": "\u064a", "\u06a9": "\u0643", "\u06be": "\u0647", "\u06c1": "\u0647"}
)


def fold(text: str | None) -> str:
    """A username without case, accents, width and more than one space; its punctuation stays, it tells apart.

    What was copied from our own messages, where some characters gave way to others, folds to the same.
    """
    if text and _PLAIN.fullmatch(text):  # as most are; the long way takes ten times as long
        return text.casefold()
    letters = unicodedata.normalize("NFKD", _JOINERS.sub("", one_line(disarm(text))))
    return unicodedata.normalize("NFC", _ACCENTS.sub("", letters)).casefold().translate(_PLAIN_LETTERS)


def normalize(text: str | None) -> str:
    """A name or title without what people leave out: as folded, and without punctuation.

    `Unit 3 - Forces` is `unit 3 forces`, with any dash, `King, Jr.` is `king jr`, `O'Brien` is `obrien`. `C++` and
    `C#` stay what they are, and so does what would have nothing left.
    """
    folded = fold(text)
    if folded.isalnum():
        return folded
    return " ".join(_PUNCTUATED.sub(_put_apart, folded.replace("'", "")).split()) or " ".join(folded.split())


def _put_apart(found: re.Match[str]) -> str:
    """Vowel signs and the like are no letters to `re`, and no punctuation either."""
    mark = found[0]
    return mark if found["kept"] or unicodedata.category(mark).startswith("M") else " "
