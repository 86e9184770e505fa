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


class Directory:
    """Students, to be found by their names; each name is folded once, however many are looked for."""

    def __init__(self, students: Iterable[Student]) -> None:
        in_order = sorted(students, key=lambda student: (student.username, student.student_id))
        self._entries = [(student, fold(student.username), _names(student)) for student in in_order]

    def find(self, said: str) -> list[Student]:
        """The students who may be meant, by username; none if `said` says nothing.

        A username as it is written wins over a username in another case, that over an id, that over a name
        (display, first, last or full), and that over the beginning of any of these. Accents do not count.
        """
        folded = fold(said)
        if not folded:
            return []
        number, beginning = folded.removeprefix("#"), f" {folded}"
        tests: list[Callable[[Student, str, list[str]], bool]] = [
            lambda student, username, names: student.username == said,
            lambda student, username, names: username == folded,
            lambda student, username, names: str(student.student_id) == number,
            lambda student, username, names: folded in names,
        ]
        if len(folded) >= SHORTEST_BEGINNING:
            tests.append(lambda student, username, names: any(beginning in f" {name}" for name in names))
        found = ([entry[0] for entry in self._entries if test(*entry)] for test in tests)
        return next(filter(None, found), [])


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
