"""From what somebody typed to the words that matter. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from lms_bot.core.markdown import event_ref, one_line

_QUOTED = re.compile(
    r"^(?:@_\*\*[^*]+\*\* \[[^\]]*\]\([^)]*\):\s*)?(`{3,})quote\n.*?(?:^\1\s*$|\Z)", re.DOTALL | re.MULTILINE
)
_QUOTED_LINES = re.compile("^ *>.*$", re.MULTILINE)
_LEADING_MENTIONS = re.compile(r"^(?:\s*@_?\*\*[^*]+\*\*[\s,:;.!-]*)+")
_MENTION = re.compile(r"@_?\*\*([^*|]+)(?:\|[0-9]+)?\*\*")
_OWNER = re.compile("(.+)['\u2019\u02bc]s|(.+s)['\u2019\u02bc]", re.IGNORECASE)  # john's, James'
_NUMBERS = re.compile(r"#?[0-9]{1,9}(?:,#?[0-9]{1,9})*", re.ASCII)
REFS_SHOWN = 50
_OWNING_NOTHING = frozenset(("who", "what", "that", "it", "he", "she", "there", "how", "where", "let", "here"))
EMOJI_NAME = re.compile(r"(?<![^\s:]):[a-z0-9_+-]*[a-z][a-z0-9_+-]*:(?![^\s:])", re.IGNORECASE | re.ASCII)
"""As Zulip writes an emoji: `:check:`."""

_WRAPPED = re.compile(r"(?P<mark>`+|\*{1,3}|\"|'|\u201c|\u2018)(?P<inner>[^`*\"]+)(?:(?P=mark)|\u201d|\u2019)[.!?]*")
_AT_THE_ENDS = " `*\"'\u201c\u201d\u2018\u2019.!?"
_KEPT_AT_THE_ENDS = frozenset("#_+-")
_UNSEEN_MARKS = frozenset("\ufe0e\ufe0f\u20e3")  # they make an emoji of what is before them

_SAID_BEFORE = """
a about an any are bot can could do for get give hello hey hi how i is let list me my of on please pls
see show tell the there to us want was were what what's what\u2019s whats with would you
"""
_LEADING = frozenset(_SAID_BEFORE.split())
_ASKING = frozenset(("how", "what", "what's", "what\u2019s", "whats", "is", "are", "was", "were", "there", "any"))
_THANKS = frozenset(("thank", "thanks", "thx"))
_MUCH = frozenset(("a", "lot", "so", "very", "much", "many", "again", "for", "that", "this", "help"))
_TRAILING = _THANKS | {"please", "pls", "you"}


class Word(str):
    """A word without the punctuation around it; `said` is how it was written, with what followed up to the next."""

    __slots__ = ("said",)
    said: str

    def __new__(cls, said: str) -> Word:
        word = super().__new__(cls, _strip(said.split(maxsplit=1)[0]))
        word.said = said
        return word


def split_words(text: str) -> tuple[Word, ...]:
    """The words of a message, without a mention of the bot before them and without what it quotes.

    A mention further on counts as the name in it. What holds no letter and no digit is no word.
    """
    return _split(_drop_quotes(text))


def split_lines(text: str) -> list[tuple[Word, ...]]:
    """The words of each line that has any."""
    return [words for line in _drop_quotes(text).splitlines() if (words := _split(line))]


def _drop_quotes(text: str) -> str:
    """What is said beside what is quoted; lines after `>` count where nothing else is said."""
    said = _QUOTED.sub("", text)
    beside = _QUOTED_LINES.sub("", said)
    return beside if beside.strip() else said


def _split(text: str) -> tuple[Word, ...]:
    said = _unwrap(_MENTION.sub(r"\1", _LEADING_MENTIONS.sub("", one_line(text))))
    words: list[str] = []
    for part in said.split():
        if any(map(str.isalnum, part)) and not EMOJI_NAME.fullmatch(part):
            words.append(part)
        elif words:
            words[-1] += f" {part}"
    return tuple(map(Word, words))


def _unwrap(said: str) -> str:
    """Without the marks around all of it that come along with what is pasted back."""
    match = _WRAPPED.fullmatch(said.strip())
    return match["inner"] if match else said


def get_bare(words: Iterable[str]) -> str:
    """As `get_said`, without emoji and without marks at the ends: for what is read rather than kept."""
    return EMOJI_NAME.sub(" ", get_said(words)).strip(_AT_THE_ENDS)


def get_said(words: Iterable[str]) -> str:
    """These words as they were written, in one line: for what is kept, or looked for, as it is."""
    return " ".join(getattr(word, "said", word) for word in words)


def read_owner(word: str) -> str | None:
    """`john` of `john's`; None where nothing is said to be anybody's."""
    match = _OWNER.fullmatch(getattr(word, "said", word))
    owner = Word(match[1] or match[2]) if match else None
    return None if owner is None or owner.casefold() in _OWNING_NOTHING else owner


def strip_fillers(words: Sequence[str]) -> tuple[str, ...]:
    """The words without those said only to be kind or to make a sentence, before and after the rest."""
    return strip_trailing_fillers(strip_leading_fillers(words))


def strip_trailing_fillers(words: Sequence[str]) -> tuple[str, ...]:
    """The words without `please` and the like after them: a name may be Can or An, and a title `How to`."""
    kept = list(words)
    while kept and kept[-1].casefold() in _TRAILING:
        kept.pop()
    return tuple(kept)


def is_thanks(words: Sequence[str]) -> bool:
    """Whether somebody says thank you, and nothing more."""
    said = [word.casefold() for word in words if word.casefold() not in _MUCH]
    return not strip_fillers(said) and not _THANKS.isdisjoint(said)


def strip_leading_fillers(words: Sequence[str]) -> tuple[str, ...]:
    first = 0
    while first < len(words) and (words[first].casefold() in _LEADING or _asks_for_leave(words[first:])):
        first += 1
    return tuple(words[first:])


def is_asking(words: Sequence[str]) -> bool:
    """Whether these ask about what follows the first of them, rather than for it: `how do I mute john`."""
    before = words[: len(words) - len(strip_leading_fillers(words))]
    return not _ASKING.isdisjoint(word.casefold() for word in before)


def _asks_for_leave(words: Sequence[str]) -> bool:
    """`may I see`; May alone is a month."""
    return len(words) > 1 and words[0].casefold() == "may" and words[1].casefold() in ("i", "we")


def _strip(said: str) -> str:
    first, after_last = 0, len(said)
    while first < after_last and _is_punctuation(said[first]):
        first += 1
    while first < after_last and _is_punctuation(said[after_last - 1]):
        after_last -= 1
    return said[first:after_last]


def _is_punctuation(letter: str) -> bool:
    if letter in _KEPT_AT_THE_ENDS:
        return False
    return unicodedata.category(letter)[0] in "PSZC" or letter in _UNSEEN_MARKS


def read_numbers(words: Sequence[str]) -> list[int] | None:
    """`#12 #15`, `12,15` or `#12 and #15`; None where something else is said, too."""
    said = [word for word in strip_fillers(words) if word.casefold() != "and"]
    if not all(map(_NUMBERS.fullmatch, said)):
        return None
    return list(dict.fromkeys(int(digits) for word in said for digits in re.findall("[0-9]+", word)))


def format_refs(numbers: Sequence[int]) -> str:
    """As messages name events, the first of them."""
    more = [f"and {len(numbers) - REFS_SHOWN} more"] if len(numbers) > REFS_SHOWN else []
    return ", ".join([*map(event_ref, numbers[:REFS_SHOWN]), *more])
