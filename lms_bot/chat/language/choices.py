"""What is offered to somebody who named a student or a title unclearly, to be chosen by a number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from lms_bot.chat.language.student_index import CHOSEN
from lms_bot.chat.language.words import Word, strip_fillers, strip_trailing_fillers
from lms_bot.store.conversation import Choice

CHOICE_LASTS = timedelta(minutes=10)
MOST_OFFERED = 9
_NUMBER = re.compile(r"(?:(?:number|no|nr|option) )?#?(?:(?P<digits>[0-9]{1,3})|(?P<word>[a-z]+))(?: one)?", re.ASCII)
_LISTED = re.compile("([1-9])", re.ASCII)
_SURE = frozenset(("yes", "y", "yep", "yeah", "sure", "ok", "okay", "exactly", "right"))
_YES = _SURE | frozenset(("yes please do", "please do", "yes do", "yes do it", "do it", "yes do that", "go ahead"))
_NO = frozenset(("no", "n", "nope", "nah", "cancel", "stop", "never mind", "nevermind", "forget it", "don't", "dont"))
_SPELLINGS = (
    "one first",
    "two second", "three third", "four fourth", "five fifth", "six sixth", "seven seventh", "eight eighth",
    "nine ninth",
)  # fmt: skip
_NUMBER_OF_WORD = {word: number for number, words in enumerate(_SPELLINGS, start=1) for word in words.split()}


def read_number(words: Sequence[str], choice: Choice) -> int | None:
    """The number that is all that was said: `2`, `#2`, `number 2`, `the second`. Yes chooses the only one offered."""
    if len(choice.questions) == 1 and is_yes(words):
        return 1
    match = _NUMBER.fullmatch(" ".join(strip_fillers(words)).casefold())
    if match is None:
        return None
    return int(match["digits"]) if match["digits"] else _NUMBER_OF_WORD.get(match["word"])


def is_yes(words: Sequence[str]) -> bool:
    """Whether that is all that was said, and is no question: `are you sure?`."""
    return not _YES.isdisjoint(" ".join(said).casefold() for said in (words, strip_trailing_fillers(words)))


def is_no(words: Sequence[str]) -> bool:
    """Whether that is all that was said."""
    return " ".join(strip_fillers(words)).casefold() in _NO


def take_from_list(words: Sequence[str], choice: Choice) -> tuple[str, ...] | None:
    """A command with a number after a list of students was offered: `student 2` is about the list's second."""
    said = strip_fillers(words)
    match = _LISTED.fullmatch(said[-1]) if len(said) == 2 and said[0].isalpha() else None
    listed = choose(choice, int(match[1])) if match else None
    chosen = [word for word in listed or () if word.startswith(CHOSEN)]
    return (*said[:-1], chosen[0]) if len(chosen) == 1 else None


def offer(zulip_user_id: int, questions: Sequence[Sequence[str]], now: datetime) -> None:
    """Remembers what was offered, each as the words that would ask it, in place of what was offered before."""
    said = [[getattr(word, "said", word) for word in words] for words in questions]
    row = {"zulip_user_id": zulip_user_id, "asked_at": now, "questions": said}
    kept = [Choice.asked_at, Choice.questions]
    Choice.insert(row).on_conflict(conflict_target=[Choice.zulip_user_id], preserve=kept).execute()


def get_choice(zulip_user_id: int, now: datetime) -> Choice | None:
    """What this person may choose from now."""
    choice: Choice | None = Choice.get_or_none(Choice.zulip_user_id == zulip_user_id)
    return choice if choice is not None and choice.asked_at > now - CHOICE_LASTS else None


def forget_choice(choice: Choice) -> None:
    """Unless another one was offered meanwhile."""
    is_this = (Choice.zulip_user_id == choice.zulip_user_id) & (Choice.asked_at == choice.asked_at)
    Choice.delete().where(is_this).execute()


def choose(choice: Choice, number: int) -> tuple[str, ...] | None:
    """The words of the question of that number; None where there is no such number."""
    if not 1 <= number <= len(choice.questions):
        return None
    return tuple(word if word.startswith(CHOSEN) else Word(word) for word in choice.questions[number - 1])
