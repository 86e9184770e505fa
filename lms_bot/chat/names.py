"""Finding the student somebody means. Pure: it looks only among the students it is given."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from lms_bot.markdown import disarm, one_line

if TYPE_CHECKING:
    from lms_bot.users import Student

SHORTEST_BEGINNING = 2
"""So many letters, at least, are taken as the beginning of a name."""

_PLAIN = re.compile(r"[\w.@+-]+(?: [\w.@+-]+)*", re.ASCII)
_JOINERS = re.compile("[\u200c\u200d]")
_ACCENTS = re.compile("[\u0300-\u036f]")  # vowel signs of other scripts are not among them: they are letters


def find_students(said: str, students: Iterable[Student]) -> list[Student]:
    """The students who may be meant by `said`, by username; none if it says nothing.

    A username as it is written wins over a username in another case, that over an id, that over a display,
    first, last or full name, and that over the beginning of any of these. Case and accents do not count.
    """
    folded = fold(said)
    if not folded:
        return []
    candidates = sorted(students, key=lambda student: (student.username, student.student_id))
    tests: tuple[Callable[[Student], bool], ...] = (
        lambda student: student.username == said,
        lambda student: fold(student.username) == folded,
        lambda student: str(student.student_id) == folded.removeprefix("#"),
        lambda student: folded in _names(student),
        lambda student: any(_begins(name, folded) for name in _names(student)),
    )
    if len(folded) < SHORTEST_BEGINNING:
        tests = tests[:-1]
    return next(filter(None, ([one for one in candidates if test(one)] for test in tests)), [])


def fold(text: str | None) -> str:
    """A name without what people leave out: case, accents, more than one space.

    Names copied from our own messages, where some characters gave way to others, fold to the same.
    """
    if text and _PLAIN.fullmatch(text):  # as most are; the long way takes ten times as long
        return text.casefold()
    letters = unicodedata.normalize("NFKD", _JOINERS.sub("", one_line(disarm(text))))
    return unicodedata.normalize("NFC", _ACCENTS.sub("", letters)).casefold()


def _names(student: Student) -> list[str]:
    first, last = fold(student.first_name), fold(student.last_name)
    full = [f"{first} {last}", f"{last} {first}"] if first and last else []
    return [*filter(None, (fold(student.username), fold(student.display_name), first, last)), *full]


def _begins(name: str, beginning: str) -> bool:
    return name.startswith(beginning) or any(word.startswith(beginning) for word in name.split())
