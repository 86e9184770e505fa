"""What the asker's words may mean to them: readings of commands they may use, about what they may see."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import cache

from lms_bot.chat.language.arguments import get_student_index
from lms_bot.chat.language.question import Question
from lms_bot.chat.language.student_index import CHOSEN, StudentIndex, word_for
from lms_bot.chat.language.words import get_said, strip_leading_fillers
from lms_bot.chat.understanding.guesses import is_strange
from lms_bot.chat.understanding.reading import Reading, read
from lms_bot.chat.understanding.slots import Known
from lms_bot.chat.understanding.titles import TitleIndex
from lms_bot.chat.understanding.ways import Ways, load_ways
from lms_bot.core.errors import LMSBotError
from lms_bot.insight.reports.titles import get_all_titles

TITLES_SERVE = 300.0


def understand(question: Question) -> list[Reading]:
    """The readings of what was said, the surest first."""
    ways = load_ways()
    return read([get_said([word]) for word in question.words], ways, get_known(question))


def get_known(question: Question) -> Known:
    """The students the asker may ask about, and what these did. What is away now knows nobody and nothing."""
    students = StudentIndex(())
    with suppress(LMSBotError):
        students = get_student_index(question, own_only=not question.asker.is_admin)
    oneself = next(iter(question.asker.students.values()), None) if question.asker.is_student else None
    names = get_command_names(load_ways())
    return Known(students, _get_titles(question), question.now, question.zone, names, oneself)


def may_be_name(words: Sequence[str]) -> bool:
    """Whether they begin with what somebody may be called, rather than with a word that everybody uses."""
    said = strip_leading_fillers(words) or tuple(words)
    if len(said) < 2:
        return bool(said)
    return said[0].isdecimal() or is_strange(said[0], load_ways())


@cache
def get_command_names(ways: Ways) -> frozenset[str]:
    """Of commands, the first words: by these one asks how they are used."""
    return frozenset(one.says[0] for one in ways.ways)


def _get_titles(question: Question) -> TitleIndex:
    """Those of what the asker's own students did: no other title makes a difference to what is understood."""
    titles, key = question.context.titles, "all" if question.asker.is_admin else str(question.zulip_user_id)
    kept: TitleIndex | None = titles.get(key)
    if kept is None:
        kept = TitleIndex(())
        with suppress(LMSBotError), question.context.store.session():
            kept = TitleIndex(get_all_titles(question.students_in_sight))
        titles.put(key, kept, TITLES_SERVE)
    return kept


def as_typed(question: Question, says: tuple[str, ...]) -> str:
    """The line as somebody would type it."""
    return " ".join(_type(question, word) if word.startswith(CHOSEN) else word for word in says)


def _type(question: Question, chosen: str) -> str:
    with suppress(LMSBotError):
        found = get_student_index(question, own_only=not question.asker.is_admin).find_named(chosen)
        if found:
            return word_for(found[0])
    return chosen.removeprefix(CHOSEN)
