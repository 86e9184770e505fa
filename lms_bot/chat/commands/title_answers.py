"""What is asked about exams and contents by their titles, and what is looked for. As in `answers`."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TypeVar

from lms_bot.chat.commands import title_replies as replies
from lms_bot.chat.commands.answers import get_names
from lms_bot.chat.commands.paging import PAGE_ROWS, check_page, page_note
from lms_bot.chat.commands.preference_replies import name_of, word_for
from lms_bot.chat.commands.replies import NO_STUDENTS
from lms_bot.chat.language.arguments import get_student_index
from lms_bot.chat.language.choices import offer
from lms_bot.chat.language.question import Question, WrongArguments
from lms_bot.chat.language.student_index import CHOSEN
from lms_bot.chat.language.words import get_said, strip_fillers
from lms_bot.insight import reports
from lms_bot.insight.reports import FoundTitle
from lms_bot.store.counter_changes import LONGEST_KEY, to_title_key

T = TypeVar("T")

Scope = Collection[int] | None
"""Whose doings count; None: everybody's."""

MOST_OFFERED = 10
_AROUND = "'\"\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb .,;:!?"
"""What people put around a title that is none of it."""

_PAGE = re.compile(r"(?P<said>.+) (?:page|pg|p) ?#?(?P<number>[1-9][0-9]{0,3})\W*", re.ASCII | re.IGNORECASE)


def answer_exam(question: Question) -> str:
    return answer_title(question, show_takers, is_exam=True)


def answer_content(question: Question) -> str:
    return answer_title(question, show_takers, is_exam=False)


def answer_title(
    question: Question, show: Callable[[Question, FoundTitle, Scope, int], T], *, is_exam: bool
) -> T | str:
    """What `show` says of the one that is called so, and of a page; where several or none are, which there are, to
    be chosen by a number."""
    scope, kind = _get_scope(question), replies.kind_of(is_exam)
    readings = list(_read_text(question))
    if not readings:
        raise WrongArguments(f"Which {kind}?")
    if scope is not None and not scope:
        return NO_STUDENTS
    for said, page in readings:
        found = reports.find_titles(said, scope, is_exam=is_exam, limit=MOST_OFFERED + 1)
        exact = [one for one in found if one.title_key == to_title_key(said)]
        if len(exact or found) == 1:
            return show(question, (exact or found)[0], scope, page)
        if found:
            _offer_titles(question, found, is_exam, page)
            return replies.format_choice(said, found, MOST_OFFERED)
    closest = reports.find_similar_titles(readings[-1][0], scope, limit=MOST_OFFERED)
    _offer_titles(question, closest, is_exam)
    return replies.format_nothing_found(kind, closest, of_everybody=scope is None)


def _offer_titles(question: Question, found: Sequence[FoundTitle], is_exam: bool, page: int = 1) -> None:
    """Remembers what the list shows, to be asked as this was; of the other kind, by the command for that."""
    questions = []
    for one in found[:MOST_OFFERED]:
        command = question.command if one.is_exam == is_exam else replies.kind_of(one.is_exam)
        questions.append([*command.split(), f"{CHOSEN}{one.title_key}", str(page)])
    if questions:
        with question.app.store.transaction():
            offer(question.zulip_user_id, questions, question.now)


def _get_scope(question: Question) -> Scope:
    """Whose doings count: the asker's own students', for an admin everybody's (None)."""
    return None if question.asker.is_admin else question.own_students.keys()


def _read_text(question: Question) -> Iterator[tuple[str, int]]:
    """What is looked for and which page, as it may be meant: a title may be as `page 2` is, or end in a `?`."""
    if question.words and question.words[0].startswith(CHOSEN):
        yield question.words[0].removeprefix(CHOSEN), int(question.words[1])
        return
    bare = strip_fillers(question.words)
    for said in dict.fromkeys((get_said(question.words), get_said(bare))):
        match = _PAGE.fullmatch(said)
        for text, page in [(said, 1), *([(match["said"], int(match["number"]))] if match else [])]:
            for title in filter(None, dict.fromkeys((text, text.strip(_AROUND)))):
                yield title[:LONGEST_KEY], page


def show_takers(question: Question, found: FoundTitle, scope: Scope, page: int) -> str:
    takers = replies.sort_worst_first(reports.get_takers(found.title_key, scope, is_exam=found.is_exam))
    check_page(page, len(takers))
    shown = takers[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]
    names = get_names(question, [one.student_id for one in shown])
    if not all(question.asker.is_own(one.student_id) for one in takers):
        question.audit(None)
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
    students = get_student_index(question, own_only=False).search(said)
    titles = reports.count_titles(said, scope)
    counts = {"student": len(students), "exam": titles.get(True, 0), "content": titles.get(False, 0)}
    total = sum(counts.values())
    if not total:
        return None
    check_page(page, total)
    first = (page - 1) * PAGE_ROWS
    shown = students[first : first + PAGE_ROWS]
    if not all(question.asker.is_own(one.student_id) for one in shown):
        question.audit(None)
    lines = [replies.format_found_student(name_of(one), word_for(one)) for one in shown]
    rest, offset = PAGE_ROWS - len(shown), max(0, first - len(students))
    lines += map(replies.format_found_title, reports.find_titles(said, scope, limit=rest, offset=offset))
    return replies.format_found(said, counts, lines, page_note(page, total, f"find {said}"))
