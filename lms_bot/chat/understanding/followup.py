"""What goes on from the asker's last question: `and last week?`, `what about jane`, `next page`, `exams only`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from lms_bot.chat.language.student_index import CHOSEN
from lms_bot.chat.language.words import Word
from lms_bot.chat.understanding.slots import Known, Slot, find_slots
from lms_bot.store.database import Store
from lms_bot.store.models import KeyValue

LASTS = timedelta(minutes=15)
PREFIX = "asked:"
MOST_WORDS = 8
_LEAD = re.compile(
    r"^(?:ok|okay|so|now|then|and|or|but|also|what about|how about|same for|the same for|for|in|of|show|only|just"
    r"|please|with)\s+"
)
_TAIL = re.compile(r"\s+(?:then|now|please|only|too|as well|instead|though)$")
_PAGE = re.compile(r"(?:(?:the )?next(?: page)?|more|show more|go on|continue)")
_BACK = re.compile(r"(?:the )?(?:previous|last|prev) page|back|go back")
_PAGE_NUMBER = re.compile(r"page #?([1-9][0-9]{0,3})", re.ASCII)
_KINDS = {"exams": r"exams?|tests?|quiz(?:zes)?", "content": r"contents?|lessons?|videos?"}
ABOUT_TITLES = ("exam", "content", "best")
TAKES_PERIOD, TAKES_KIND, TAKES_PAGE = "[period]", "[exams|content]", "[page N]"
"""In a command's usage."""

CARD, HISTORY = "student", "history"
REPLACED = ("period", "student", "exam", "content")


def remember(store: Store, person: int, words: Sequence[str], now: datetime) -> None:
    """Keeps what this person asked last, as one would type it."""
    said = [str(word) for word in words]
    with store.transaction():
        KeyValue.put(_key(person), {"words": said, "asked_at": now.isoformat()})


def recall(person: int, now: datetime) -> tuple[str, ...]:
    """What this person asked in the last minutes, within the caller's session; () where that was nothing."""
    kept = KeyValue.find(_key(person))
    if not isinstance(kept, dict) or datetime.fromisoformat(kept["asked_at"]) < now - LASTS:
        return ()
    return tuple(word if word.startswith(CHOSEN) else Word(word) for word in kept["words"])


def forget_before(moment: datetime) -> None:
    """What was asked before that, within the caller's transaction."""
    KeyValue.delete().where(KeyValue.name.startswith(PREFIX), KeyValue.updated_at < moment).execute()


def _key(person: int) -> str:
    return f"{PREFIX}{person}"


def follow_up(words: Sequence[str], last: tuple[str, ...], known: Known, usage: str) -> tuple[str, ...] | None:
    """The last question, changed as the words say; None where they are a question of their own.

    `usage` is that of the last question's command: what it does not take, it is not asked. After a student's card, a
    period or a kind is of the student's history.
    """
    if not last or not words or len(words) > MOST_WORDS:
        return None
    said = " ".join(words).casefold()
    page = _read_page(said, last)
    if page is not None:
        return _turn_to(page, last) if TAKES_PAGE in usage else None
    fuller = (HISTORY, *last[1:]) if last[0] == CARD else last
    bare = _strip(said)
    for kind, pattern in _KINDS.items():
        if re.fullmatch(pattern, bare):
            others = tuple(word for word in _without_page(fuller) if not _is_kind(word))
            return (*others, kind) if TAKES_KIND in usage or fuller is not last else None
    further = fuller if TAKES_PERIOD in usage or fuller is not last else None
    return _replace(bare, last, further, known, is_led=bare != said)


def _strip(said: str) -> str:
    before = ""
    while said != before:
        before, said = said, _TAIL.sub("", _LEAD.sub("", said))
    return said


def _read_page(said: str, last: Sequence[str]) -> int | None:
    if _is_of_chosen_title(last):
        current = int(last[-1])
    else:
        current = next((int(two) for one, two in pairwise(last) if one == "page" and two.isdecimal()), 1)
    if _PAGE.fullmatch(said):
        return current + 1
    if _BACK.fullmatch(said):
        return max(1, current - 1)
    number = _PAGE_NUMBER.fullmatch(said)
    return int(number[1]) if number else None


def _is_of_chosen_title(last: Sequence[str]) -> bool:
    """After a title that was chosen from a list stands the page alone; after a student, a number is a year."""
    is_title = last[0] in ABOUT_TITLES or tuple(last[:2]) == ("chart", "exam")
    return is_title and len(last) > 2 and last[-2].startswith(CHOSEN) and last[-1].isdecimal()


def _turn_to(page: int, last: tuple[str, ...]) -> tuple[str, ...]:
    if _is_of_chosen_title(last):
        return (*last[:-1], str(page))
    return (*_without_page(last), "page", str(page))


def _without_page(words: Sequence[str]) -> tuple[str, ...]:
    kept: list[str] = []
    for at, word in enumerate(words):
        is_number = word.isdecimal() and at > 0 and words[at - 1] == "page"
        if not is_number and not (word == "page" and at + 1 < len(words) and words[at + 1].isdecimal()):
            kept.append(word)
    return tuple(kept)


def _is_kind(word: str) -> bool:
    return any(re.fullmatch(pattern, word.casefold()) for pattern in _KINDS.values())


def _replace(
    bare: str, last: tuple[str, ...], further: tuple[str, ...] | None, known: Known, *, is_led: bool
) -> tuple[str, ...] | None:
    """With another period, student or title in place of the one there was; `further` takes a period that is new.

    A name alone, May perhaps, asks for that student's card: of whom it goes on has to be said with `and` or the like.
    """
    words = tuple(bare.split())
    if bare.isdecimal():
        return None
    whole = [one for one in find_slots(words, known) if (one.start, one.end) == (0, len(words))]
    slots = {one.kind: one for one in whole if one.kind in REPLACED}
    is_name = "student" in slots
    for kind in REPLACED if is_led or not is_name else ():
        fresh = slots.get(kind)
        if fresh is None or (kind != "period" and not is_led):
            continue
        base = _without_page(last)
        old = _longest(kind, base, known)
        if old is not None:
            return (*base[: old.start], *fresh.says, *base[old.end :])
        if kind == "period" and further is not None and not is_name:
            return (*_without_page(further), *fresh.says)
    return None


def _longest(kind: str, words: Sequence[str], known: Known) -> Slot | None:
    found = [one for one in find_slots(words[1:], known) if one.kind == kind]
    if not found:
        return None
    one = max(found, key=lambda each: each.end - each.start)
    return Slot(one.kind, one.start + 1, one.end + 1, one.says)
