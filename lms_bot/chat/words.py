"""From what somebody typed to the words that matter. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lms_bot.markdown import one_line

_LEADING_MENTIONS = re.compile(r"^(?:\s*@_?\*\*[^*]+\*\*[\s,:;.!-]*)+")
_MENTION = re.compile(r"@_?\*\*([^*|]+)(?:\|[0-9]+)?\*\*")
_PUNCTUATION = "\"'`*.,;:!?()[]{}<>~/\\"
_TYPOGRAPHY = "\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb\u00b4\u2013\u2014\u2026\u00bf\u00a1\u02cb\u2217"

_SAID_BEFORE = """
a about an any are bot can could do for get give hello hey hi how i is let list may me my of on please pls
see show tell the there to us want was were what what's whats with would you
"""
_LEADING = frozenset(_SAID_BEFORE.split())
_TRAILING = frozenset(("please", "pls", "thank", "thanks", "thx", "you"))


def split_words(text: str) -> tuple[str, ...]:
    """The words of a message, without a mention of the bot before them and punctuation around them.

    A mention further on counts as the name in it.
    """
    said = _MENTION.sub(r"\1", _LEADING_MENTIONS.sub("", one_line(text)))
    return tuple(filter(None, (word.strip(_PUNCTUATION + _TYPOGRAPHY) for word in said.split())))


def strip_fillers(words: Sequence[str]) -> tuple[str, ...]:
    """The words without those said only to be kind or to make a sentence, before and after the rest."""
    kept = list(words)
    while kept and kept[0].casefold() in _LEADING:
        kept.pop(0)
    while kept and kept[-1].casefold() in _TRAILING:
        kept.pop()
    return tuple(kept)
