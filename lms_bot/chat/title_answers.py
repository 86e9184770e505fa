"""What is asked about exams and contents by their titles, and what is looked for. As in `answers`."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from typing import TypeVar

from lms_bot import reports
from lms_bot.chat import title_replies as replies
from lms_bot.chat.answers import get_names
from lms_bot.chat.asked import get_directory
from lms_bot.chat.paging import PAGE_ROWS, check_page, page_note
from lms_bot.chat.preference_replies import name_of, word_for
from lms_bot.chat.question import Question, WrongArguments
from lms_bot.chat.replies import NO_STUDENTS
from lms_bot.chat.words import get_said, strip_fillers
from lms_bot.folding import fold
from lms_bot.reports import FoundTitle

T = TypeVar("T")

Scope = Collection[int] | None
"""Whose doings count; None: everybody's."""

MOST_OFFERED = 10
LONGEST_TEXT = 200
_PAGE = re.compile(r"(?P<said>.+) (?:page|pg|p) ?#?(?P<number>[1-9][0-9]{0,3})\W*", re.ASCII | re.IGNORECASE)


def answer_exam(question: Question) -> str:
    return answer_title(question, show_takers, is_exam=True)


def answer_content(question: Question) -> str:
    return answer_title(question, show_takers, is_exam=False)


def answer_title(
    question: Question, show: Callable[[Question, FoundTitle, Scope, int], T], *, is_exam: bool
) -> T | str:
    """What `show` says of the one that is called so, and of a page; where several or none are, which there are."""
    scope, kind = _get_scope(question), replies.kind_of(is_exam)
    readings = list(_read_text(question))
    if not readings:
        raise WrongArguments(f"Which {kind}?")
    if scope is not None and not scope:
        return NO_STUDENTS
    for said, page in readings:
        found = reports.find_titles(said, scope, is_exam=is_exam, limit=MOST_OFFERED + 1)
        exact = [one for one in found if one.title_key == fold(said)]
        if len(exact or found) == 1:
            return show(question, (exact or found)[0], scope, page)
        if found:
            return replies.format_choice(said, found, MOST_OFFERED)
    closest = reports.find_similar_titles(readings[-1][0], scope, limit=MOST_OFFERED)
    return replies.format_nothing_found(kind, closest, of_everybody=scope is None)


def _get_scope(question: Question) -> Scope:
    """Whose doings count: the asker's own students', for an admin everybody's (None)."""
    return None if question.asker.is_admin else question.own_students.keys()


def _read_text(question: Question) -> Iterator[tuple[str, int]]:
    """What is looked for and which page, as it may be meant: a title may be as `page 2` is."""
    for words in dict.fromkeys((question.words, strip_fillers(question.words))):
        said = get_said(words)[:LONGEST_TEXT]
        if said:
            yield said, 1
        match = _PAGE.fullmatch(said)
        if match:
            yield match["said"], int(match["number"])


def show_takers(question: Question, found: FoundTitle, scope: Scope, page: int) -> str:
    takers = replies.sort_worst_first(reports.get_takers(found.title_key, scope, is_exam=found.is_exam))
    check_page(page, len(takers))
    shown = takers[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]
    names = get_names(question, [one.student_id for one in shown])
    if scope is None:
        question.note_look(None)
    note = page_note(page, len(takers), replies.get_command(found))
    return replies.format_takers(found, takers, shown, names, None if scope is None else len(scope), note)


def answer_find(question: Question) -> str:
    scope = _get_scope(question)
    readings = list(_read_text(question))
    if not readings:
        raise WrongArguments("What shall I look for?")
    for said, page in readings:
        answer = _find(question, said, page, scope)
        if answer is not None:
            return answer
    return replies.format_found(readings[-1][0], {}, (), "")


def _find(question: Question, said: str, page: int, scope: Scope) -> str | None:
    """One page of what is found, students first; None where nothing is."""
    students = get_directory(question, own_only=False).search(said)
    titles = reports.count_titles(said, scope)
    counts = {"student": len(students), "exam": titles.get(True, 0), "content": titles.get(False, 0)}
    total = sum(counts.values())
    if not total:
        return None
    check_page(page, total)
    first = (page - 1) * PAGE_ROWS
    shown = students[first : first + PAGE_ROWS]
    if not all(question.asker.is_own(one.student_id) for one in shown):
        question.note_look(None)
    lines = [replies.format_found_student(name_of(one), word_for(one)) for one in shown]
    rest, offset = PAGE_ROWS - len(shown), max(0, first - len(students))
    lines += map(replies.format_found_title, reports.find_titles(said, scope, limit=rest, offset=offset))
    return replies.format_found(said, counts, lines, page_note(page, total, f"find {said}"))
