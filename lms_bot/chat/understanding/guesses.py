"""What unknown and mistyped words may stand for: a name nobody has, a word of the table, a day. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from lms_bot.chat.language.dates import DAY_NAMES
from lms_bot.chat.language.student_index import chosen_word
from lms_bot.chat.understanding.slots import Known, Slot, find_titles
from lms_bot.chat.understanding.tokens import to_token
from lms_bot.chat.understanding.ways import Ways
from lms_bot.core.normalize import normalize
from lms_bot.core.typos import find_nearest

LONGEST_NAME = 3
TITLES = ("exam", "content")
TYPO, STRANGE = 0.97, 0.92
TYPO_CUTOFF, PLAIN_TYPO = 80, 88
SHORTEST_TYPO = 4
MOST_NEARLY = 5
SPANS = frozenset(("today", "tomorrow", "yesterday", "morning", "evening", "weeks", "month", "months", "until"))
HOW_OFTEN = frozenset(("immediately", "instantly", "hourly", "daily"))
WORDS_OF_TIME = SPANS | HOW_OFTEN | frozenset(DAY_NAMES)


def guess_names(words: Sequence[str], ways: Ways, slots: Sequence[Slot], known: Known) -> Iterator[Slot]:
    """Runs of words that neither the table nor the asker's world knows: of somebody else, or with a typo."""
    covered = {at for one in slots for at in range(one.start, one.end)}
    is_named = any(one.kind == "student" for one in slots)
    strange = [at not in covered and _is_no_typo(word, ways) for at, word in enumerate(words)]
    start = 0
    while start < len(words):
        end = start
        while end < len(words) and strange[end] and end - start < LONGEST_NAME:
            end += 1
        if end > start:
            says = tuple(word.strip(",.!?;:") for word in words[start:end])
            yield from _complete_name(words, start, end, slots, known)
            is_near = bool(known.students.find_similar(" ".join(says), 1))
            if not is_named:  # else it is somebody else's name, or none
                yield Slot("student", start, end, says, is_guess=True, is_near=is_near)
            yield from (Slot(kind, start, end, says, is_guess=True) for kind in TITLES)
        start = max(end, start + 1)


def _complete_name(words: Sequence[str], start: int, end: int, slots: Sequence[Slot], known: Known) -> Iterator[Slot]:
    """`jon` before `doe` belongs to the name, where a student is called nearly so."""
    beside = [one for one in slots if one.kind == "student" and (one.start == end or one.end == start)]
    nearly = known.students.find_similar(" ".join(words[start:end]), MOST_NEARLY) if beside else []
    for one in beside:
        first, last = min(start, one.start), max(end, one.end)
        near = known.students.find_similar(" ".join(words[first:last]), 2)
        if len(near) == 1 and near[0] in nearly:
            yield Slot("student", first, last, (chosen_word(near[0].student_id),), is_near=True)


def correct_titles(words: Sequence[str], ways: Ways, slots: Sequence[Slot], known: Known) -> Iterator[Slot]:
    """Titles of which some words were mistyped or cut short: `maths final`, `intro to algebra`."""
    covered = {at for one in slots for at in range(one.start, one.end)}
    corrected: dict[int, str] = {}
    for at, word in enumerate(words):
        if (
            at not in covered
            and is_strange(word, ways)
            and not known.titles.has_word(word)
            and (title := known.titles.correct(word))
        ):
            corrected[at] = title
    if corrected:
        meant = [corrected.get(at, word) for at, word in enumerate(words)]
        for one in find_titles(meant, known.titles):
            if any(one.start <= at < one.end for at in corrected):
                yield replace(one, is_near=True)


def is_strange(word: str, ways: Ways) -> bool:
    token = to_token(word)
    return bool(token) and token not in ways.vocabulary and not token.isdecimal()


def _is_no_typo(word: str, ways: Ways) -> bool:
    """Strange, and not plainly a word of the table that was mistyped."""
    if not is_strange(word, ways):
        return False
    return len(word) <= SHORTEST_TYPO or not find_nearest(normalize(word), ways.spellings, 1, PLAIN_TYPO)


def correct_time(word: str, ways: Ways) -> str:
    """`tomorow` as tomorrow: words of times are looked for before all others."""
    bare = word.casefold().strip(",.!?;:")
    if len(bare) <= SHORTEST_TYPO or not is_strange(bare, ways):
        return word
    return next(iter(find_nearest(bare, WORDS_OF_TIME, 1, PLAIN_TYPO)), word)


def correct(word: str, ways: Ways) -> tuple[str, float, bool]:
    """The token, what it is worth, and whether the table knows it: a mistyped word is the one it resembles."""
    token = to_token(word)
    if not token or token in ways.vocabulary:
        return token, 1.0, True
    plain = normalize(word)
    if len(plain) >= SHORTEST_TYPO and not token.isdecimal():
        near = find_nearest(plain, ways.spellings, 1, TYPO_CUTOFF)
        if near and plain.startswith("un") == near[0].startswith("un"):  # else it would say the opposite
            return to_token(near[0]), TYPO, False
    return token, 1.0 if token.isdecimal() else STRANGE, False
