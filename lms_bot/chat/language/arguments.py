"""Reading what follows a command: which student, which period, which page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from lms_bot.chat.language.periods import Period
from lms_bot.chat.language.question import Question, UnclearRest, WrongArguments
from lms_bot.chat.language.student_index import StudentIndex, chosen_word
from lms_bot.chat.language.words import get_bare, strip_fillers, strip_leading_fillers, strip_trailing_fillers
from lms_bot.core.errors import LMSBotError
from lms_bot.insight.reports.students import get_former_students, get_stored_students
from lms_bot.lms.people import Student
from lms_bot.people.access import Asker

T = TypeVar("T")
Words = tuple[str, ...]

UNKNOWN_STUDENT = "You have no student of that name. `students` shows yours."
"""The answer about another mentor's student as well: nobody learns who exists."""

UNKNOWN_TO_ADMIN = "No student of that name or id is known, to the LMS or here."
UNKNOWN_TO_STUDENT = "You can only ask about yourself."
UNCLEAR_REST = "I could not read what follows the name."
MOST_NAME_WORDS = 6
MOST_SIMILAR = 3
_ONESELF = frozenset(("me", "myself"))
_JOINERS = frozenset(("and", "to", "vs", "versus", "with", "against", "or"))


class UnclearStudent(Exception):
    """These students may be meant. With one of them between the words `before` and `after`, the question is clear.

    Where there is a message, it says that nobody the asker may ask about is called so; those are near, if any.
    """

    def __init__(self, message: str, students: Sequence[Student], before: Words, after: Words) -> None:
        super().__init__(message)
        self.students, self.before, self.after = students, before, after


@dataclass(frozen=True)
class Listing:
    """Which part of a list is asked for; None for `is_exam` is exams and contents.

    `said` is what to say again, before another page.
    """

    period: Period | None = None
    is_exam: bool | None = None
    page: int = 1
    said: str = field(default="", compare=False)


def nothing(words: Words) -> None:
    """Reads nothing, so that no words may follow the name."""


def read_student(
    question: Question,
    read: Callable[[Words], T | None] = nothing,
    *,
    words: Words | None = None,
    before: Words = (),
    own_only: bool = False,
    unclear: str = UNCLEAR_REST,
    is_text: bool = False,
) -> tuple[Student, T | None]:
    """Who is meant, and what `read` makes of the words after the name; None where there are none.

    The name is as much as finds somebody and leaves what can be read. `words` are all of the question's, where not
    said otherwise; `before` is what was said between the command and them.
    Where `is_text`, what follows may be anything, so that only a whole name is more than one word.
    Raises WrongArguments where nobody is named; UnclearRest, saying `unclear`, where what follows cannot be read;
    UnclearStudent; LMSBotError where the asker's students cannot be known now.
    """
    asker, words = question.asker, question.words if words is None else words
    before = (*question.command.split(), *before)

    def find(*, is_fresh: bool) -> _Found[T] | None:
        index = get_student_index(question, own_only, is_fresh=is_fresh)
        return (is_text and _find_before_text(index, words, read)) or _find(index, words, read, unclear)

    found = find(is_fresh=False)
    if found is None and asker.is_admin and not own_only:  # perhaps stored just now
        found = find(is_fresh=True)
    if found is None and asker.is_student:
        found = _find_oneself(question, strip_fillers(words), read)
    if found is None and not strip_fillers(words):
        raise WrongArguments("Which student?")
    if found is None:
        similar, rest = _find_similar(question, words, read)
        raise UnclearStudent(_unknown_to(asker, own_only), similar, before, rest)
    if len(found.students) > 1:
        raise UnclearStudent("", found.students, before, found.rest)
    return found.students[0], found.meaning


def read_two_students(question: Question) -> tuple[Student, Student]:
    """Two students named one after the other, with `and`, `with` or the like between them if you please.

    Raises what `read_student` raises; a name that is not clear may be the first or the second.
    """

    def read_second(rest: Words) -> Words | None:
        while rest and rest[0].casefold() in _JOINERS:
            rest = rest[1:]
        return rest or None

    first, rest = read_student(question, read_second)
    if rest is None:
        raise WrongArguments("And which other student?")
    second, _ = read_student(question, words=rest, before=(chosen_word(first.student_id),))
    return first, second


@dataclass(frozen=True)
class _Found(Generic[T]):
    students: Sequence[Student]
    rest: Words
    meaning: T | None


def _find(index: StudentIndex, words: Words, read: Callable[[Words], T | None], unclear: str) -> _Found[T] | None:
    is_unclear = False
    for name, rest in _ways_to_split(words):
        students = index.find(" ".join(name))
        meaning = read(rest) if students and rest else None
        if students and (not rest or meaning is not None):
            return _Found(students, rest, meaning)
        is_unclear = is_unclear or bool(students)
    if is_unclear:
        raise UnclearRest(unclear)
    return None


def _find_before_text(index: StudentIndex, words: Words, read: Callable[[Words], T | None]) -> _Found[T] | None:
    """The longest whole name that the words begin with, else the beginning of one in a single word."""
    said = strip_leading_fillers(words) or words
    for end in range(min(len(said), MOST_NAME_WORDS), 0, -1):
        students = index.find_named(" ".join(said[:end]))
        if students:
            return _Found(students, said[end:], read(said[end:]) if said[end:] else None)
    students = index.find(said[0]) if said else []
    return _Found(students, said[1:], read(said[1:]) if said[1:] else None) if students else None


def says_oneself(words: Words) -> bool:
    """Whether `me`, or the like, stands where a student's name would."""
    return bool(words) and words[0].casefold() in _ONESELF


def _find_oneself(question: Question, words: Words, read: Callable[[Words], T | None]) -> _Found[T] | None:
    """A student need not say whom they mean."""
    words = words[1:] if says_oneself(words) else words
    meaning = read(words) if words else None
    if words and meaning is None:
        return None
    return _Found(list(question.own_students.values()), words, meaning)


def _unknown_to(asker: Asker, own_only: bool) -> str:
    if asker.is_student:
        return UNKNOWN_TO_STUDENT
    return UNKNOWN_TO_ADMIN if asker.is_admin and not own_only else UNKNOWN_STUDENT


def _find_similar(question: Question, words: Words, read: Callable[[Words], T | None]) -> tuple[list[Student], Words]:
    """Who may be meant, and the words after the name: among the asker's own, so that no guess tells who exists."""
    if question.asker.trouble is not None:  # an admin's, who can be answered without their own
        return [], ()
    index = get_student_index(question, own_only=True)
    for name, rest in _ways_to_split(strip_fillers(words)):
        similar = [] if rest and read(rest) is None else index.find_similar(" ".join(name), MOST_SIMILAR)
        if similar:
            return similar, rest
    return [], ()


def _ways_to_split(words: Words) -> Iterator[tuple[Words, Words]]:
    """Name and rest, longest name first; all as it was said, then without words of kindness."""
    for said in dict.fromkeys((words, strip_trailing_fillers(words), strip_fillers(words))):
        for end in range(min(len(said), MOST_NAME_WORDS), 0, -1):
            yield said[:end], said[end:]


def get_student_index(question: Question, own_only: bool, is_fresh: bool = False) -> StudentIndex:
    """Of all whom the asker may ask about: their own, and for an admin everybody the LMS or the store knows."""
    asker, student_indexes = question.asker, question.context.student_indexes
    if own_only or not asker.is_admin:
        return student_indexes.get(question.zulip_user_id, question.own_students.values())
    everybody = get_everybody(question, is_fresh)
    if asker.students.keys() <= everybody.keys():
        return student_indexes.get("everybody", everybody.values())  # one for all admins: it may be large
    return student_indexes.get(("everybody", question.zulip_user_id), {**everybody, **asker.students}.values())


def get_everybody(question: Question, is_fresh: bool = False) -> Mapping[int, Student]:
    """All students whom the LMS or the store knew lately, by id."""
    indexes = question.context.student_indexes
    return indexes.get_everybody(lambda: _fetch_everybody(question), is_fresh=is_fresh)


def _fetch_everybody(question: Question) -> dict[int, Student]:
    found = {
        one.student_id: Student(one.student_id, one.username or "", None, one.display_name, None, None)
        for one in (*get_stored_students(), *get_former_students())
    }
    with suppress(LMSBotError):  # without the LMS, those of whom something is stored
        found |= {one.student_id: one for one in question.context.users.get_all_students()}
    return found


_PAGE = re.compile(r"(?:^| )(?:page|pg|p)(?: ?#?(?P<number>[0-9]{1,4}))(?= |$)", re.ASCII)
_KINDS = re.compile(
    r"(?:^| )(?:only )?(?:(?P<exam>exams?|tests?|quiz(?:zes)?)|contents?|lessons?|videos?)(?: only)?(?= |$)"
)


def read_listing(question: Question, words: Words) -> Listing | None:
    """`[period] [exams|content] [page N]` in any order; None where it cannot be read."""
    said = get_bare(strip_fillers(words)).casefold()
    pages = [int(match["number"]) for match in _PAGE.finditer(said)]
    kinds = {bool(match["exam"]) for match in _KINDS.finditer(said)}
    without_page = " ".join(_PAGE.sub("", said).split())
    period_words = strip_fillers(tuple(_KINDS.sub("", without_page).split()))
    period = question.read_period(period_words) if period_words else None
    if (period_words and period is None) or len(pages) > 1 or 0 in pages:
        return None
    return Listing(period, kinds.pop() if len(kinds) == 1 else None, pages[0] if pages else 1, without_page)


def read_page(question: Question) -> int:
    """`page N`, or nothing, is all that may be said. Raises WrongArguments."""
    listing = read_listing(question, question.words)
    if listing is None or listing != Listing(page=listing.page):
        raise WrongArguments("I could not read which page.")
    return listing.page
