"""What is offered to somebody who named a student or a title unclearly, to be chosen by a number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from lms_bot.chat.commands.preference_replies import name_of
from lms_bot.chat.commands.replies import ANSWER_WITH_NUMBER
from lms_bot.chat.language.student_index import CHOSEN, chosen_word
from lms_bot.chat.language.words import Word, strip_fillers
from lms_bot.core.markdown import code, event_ref
from lms_bot.lms.people import Student
from lms_bot.store.conversation import Choice

CHOICE_LASTS = timedelta(minutes=10)
MOST_OFFERED = 9
_NUMBER = re.compile(
    r"(?:(?:number|no|nr|option|student) )?#?(?:(?P<digits>[0-9]{1,3})|(?P<word>[a-z]+))(?: one)?",
    re.ASCII,
)
_YES = frozenset(("yes", "y", "yep", "yeah", "sure", "ok", "okay", "exactly", "right"))
_SPELLINGS = (
    "one first",
    "two second", "three third", "four fourth", "five fifth", "six sixth", "seven seventh", "eight eighth",
    "nine ninth",
)  # fmt: skip
_NUMBER_OF_WORD = {word: number for number, words in enumerate(_SPELLINGS, start=1) for word in words.split()}


def read_number(words: Sequence[str], choice: Choice) -> int | None:
    """The number that is all that was said: `2`, `#2`, `number 2`, `the second`. Yes chooses the only one offered."""
    match = _NUMBER.fullmatch(" ".join(strip_fillers(words)).casefold())
    if match is None:
        return None
    if match["digits"]:
        return int(match["digits"])
    is_yes = len(choice.questions) == 1 and match["word"] in _YES
    return 1 if is_yes else _NUMBER_OF_WORD.get(match["word"])


def offer(zulip_user_id: int, questions: Sequence[Sequence[str]], now: datetime) -> None:
    """Remembers what was offered, each as the words that would ask it, in place of what was offered before."""
    said = [[getattr(word, "said", word) for word in words] for words in questions]
    row = {"zulip_user_id": zulip_user_id, "asked_at": now, "questions": said}
    kept = [Choice.asked_at, Choice.questions]
    Choice.insert(row).on_conflict(conflict_target=[Choice.zulip_user_id], preserve=kept).execute()


def offer_students(
    zulip_user_id: int, students: Sequence[Student], before: Sequence[str], after: Sequence[str], now: datetime
) -> None:
    """`before` and `after` as in SeveralStudents."""
    offer(zulip_user_id, [[*before, chosen_word(one.student_id), *after] for one in students[:MOST_OFFERED]], now)


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


def format_out_of_range(choice: Choice) -> str:
    count = len(choice.questions)
    return f"Please answer with a number from 1 to {count}." if count > 1 else "I offered you only one, number 1."


def format_several(students: Sequence[Student]) -> str:
    """The list to choose from; `students` are all who may be meant."""
    lines = [f"{number}. {name}" for number, name in enumerate(_tell_apart(students[:MOST_OFFERED]), start=1)]
    more = len(students) - len(lines)
    ending = f"… and {more} more: write more of the name to find them. " if more else ""
    return "\n".join(["Which one do you mean?", "", *lines, "", f"{ending}{ANSWER_WITH_NUMBER}"])


def format_unknown(sentence: str, similar: Sequence[Student]) -> str:
    """That nobody is called so, and who may be meant instead."""
    if not similar:
        return sentence
    if len(similar) == 1:
        return f"{sentence}\nDid you mean **{name_of(similar[0])}**? Then answer {code('yes')}."
    return f"{sentence}\n{format_several(similar)}"


def _tell_apart(students: Sequence[Student]) -> list[str]:
    """Their names, disarmed, with the id of those whose names are the same."""
    names = [name_of(student) for student in students]
    return [
        f"{name} {event_ref(student.student_id)}" if names.count(name) > 1 else name
        for name, student in zip(names, students, strict=True)
    ]
