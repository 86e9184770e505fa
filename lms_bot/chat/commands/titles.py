"""`exam`, `content`, `find`: by the titles of exams and contents, and by what else is looked for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, tzinfo
from functools import partial
from statistics import fmean

from lms_bot.chat.commands.rendering import (
    ANSWER_WITH_NUMBER,
    MAX_LENGTH,
    NAME_LENGTH,
    NO_STUDENTS,
    OUTCOMES,
    PAGE_ROWS,
    check_page,
    count,
    format_date,
    format_outcome,
    format_page,
    format_titled,
    get_short_names,
    list_counts,
    name_of,
    page_note,
)
from lms_bot.chat.language.arguments import get_student_index
from lms_bot.chat.language.choices import offer
from lms_bot.chat.language.question import Answer, Command, NothingFound, Question, WrongArguments
from lms_bot.chat.language.student_index import CHOSEN, word_for
from lms_bot.chat.language.words import get_bare, get_said, strip_fillers
from lms_bot.core.markdown import code, disarm, fit_lines
from lms_bot.core.results import percent
from lms_bot.insight.reports.titles import (
    FoundTitle,
    Taker,
    count_titles,
    find_labelled,
    find_similar_titles,
    find_titles,
    get_coursework,
    get_takers,
)
from lms_bot.people.access import Audience
from lms_bot.store.coursework import LONGEST_KEY, to_title_key

Scope = Collection[int] | None
"""Whose doings count; None: everybody's."""

MOST_OFFERED = 10

_AROUND = "'\"\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb .,;:!?"
"""What people put around a title that is none of it."""

_PAGE = re.compile(r"(?P<said>.+) (?:page|pg|p) ?#?(?P<number>[1-9][0-9]{0,3})\W*", re.ASCII | re.IGNORECASE)

EXAM, CONTENT = "exam", "content"
EMOJI_OF = {EXAM: "📝", CONTENT: "📚"}


def answer_title(
    question: Question, show: Callable[[Question, FoundTitle, Scope, int], Answer], *, is_exam: bool
) -> Answer:
    """What `show` says of the one that is called so, and of a page; where several or none are, which there are, to
    be chosen by a number."""
    scope, kind = question.students_in_sight, kind_of(is_exam)
    if question.words and question.words[0].startswith(CHOSEN):
        chosen = get_coursework(int(question.words[0].removeprefix(CHOSEN)), scope)
        return (
            format_nothing_found(kind, (), of_everybody=scope is None)
            if chosen is None
            else show(question, chosen, scope, int(question.words[1]))
        )
    readings = list(_read_text(question))
    if not readings:
        raise WrongArguments(f"Which {kind}?")
    if scope is not None and not scope:
        return NO_STUDENTS
    for said, page in readings:
        meant = find_meant(said, scope, is_exam=is_exam)
        if len(meant) == 1:
            return show(question, meant[0], scope, page)
        if meant:
            _offer_titles(question, meant, is_exam, page)
            return format_choice(said, meant, MOST_OFFERED)
    said, page = readings[-1]
    closest = find_similar_titles(said, scope, limit=MOST_OFFERED)
    if len(closest) == 1 and closest[0].is_exam == is_exam:
        return _say_taken_for(f"{question.command} {closest[0].typed}", show(question, closest[0], scope, page))
    if not closest:
        raise NothingFound(format_nothing_found(kind, closest, of_everybody=scope is None))
    _offer_titles(question, closest, is_exam)
    return format_nothing_found(kind, closest, of_everybody=scope is None)


def _say_taken_for(line: str, answer: Answer) -> Answer:
    taken_for = f"↳ {code(line)}\n\n"
    if isinstance(answer, str):
        return f"{taken_for}{answer}"
    return replace(answer, text=f"{taken_for}{answer.text}")


def find_meant(said: str, scope: Scope, *, is_exam: bool) -> Sequence[FoundTitle]:
    """Those that are called just so, alone or with their label; else all that hold the text, so many at most."""
    found = find_titles(said, scope, is_exam=is_exam, limit=MOST_OFFERED + 1)
    exact = [one for one in found if one.title_key == to_title_key(said)]
    return [*exact, *find_labelled(said, scope, is_exam=is_exam)] or found


def _offer_titles(question: Question, found: Sequence[FoundTitle], is_exam: bool, page: int = 1) -> None:
    """Remembers what the list shows, to be asked as this was; of the other kind, by the command for that."""
    questions = []
    for one in found[:MOST_OFFERED]:
        command = question.command if one.is_exam == is_exam else kind_of(one.is_exam)
        questions.append([*command.split(), f"{CHOSEN}{one.coursework_id}", str(page)])
    if questions:
        with question.context.store.transaction():
            offer(question.zulip_user_id, questions, question.now)


def _read_text(question: Question) -> Iterator[tuple[str, int]]:
    """What is looked for and which page, as it may be meant: a title may be as `page 2` is, or end in a `?`."""
    bare = strip_fillers(question.words)
    for said in dict.fromkeys((get_said(question.words), get_said(bare), get_bare(bare))):
        match = _PAGE.fullmatch(said)
        for text, page in [(said, 1), *([(match["said"], int(match["number"]))] if match else [])]:
            for title in filter(None, dict.fromkeys((text, text.strip(_AROUND)))):
                yield title[:LONGEST_KEY], page


def format_choice(said: str, found: Sequence[FoundTitle], limit: int) -> str:
    """Which exams or contents may be meant: so many of those found, to choose from, and how to see the rest."""
    more = f"There are more: {code(f'find {said}')} shows all. " if len(found) > limit else ""
    head = f"Several titles match **{_shorten(said)}**. Which one do you mean?"
    return "\n".join([head, *_number(found[:limit]), f"{more}{ANSWER_WITH_NUMBER}"])


def format_nothing_found(kind: str, closest: Sequence[FoundTitle], *, of_everybody: bool) -> str:
    who = "Nobody" if of_everybody else "None of your students"
    sentence = f"{who} has {'taken an exam' if kind == EXAM else 'done a content'} of that title."
    if not closest:
        return f"{sentence} `find` looks for a part of one."
    return "\n".join([f"{sentence} Do you mean one of these?", *_number(closest), ANSWER_WITH_NUMBER])


def _number(found: Sequence[FoundTitle]) -> list[str]:
    """As a list to choose from, with the empty lines around it."""
    return ["", *(f"{number}. {_format_title_line(one)}" for number, one in enumerate(found, start=1)), ""]


def _format_title_line(found: FoundTitle) -> str:
    title = format_titled(found.title, found.label)
    return f"{EMOJI_OF[kind_of(found.is_exam)]} {title} · {count(found.students, 'student')}"


def show_takers(question: Question, found: FoundTitle, scope: Scope, page: int) -> str:
    takers = sort_worst_first(get_takers(found.coursework_id, scope))
    check_page(page, len(takers))
    shown = takers[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]
    names = get_short_names(question, [one.student_id for one in shown])
    if not all(question.asker.is_own(one.student_id) for one in takers):
        question.audit(None)
    note = page_note(page, len(takers), get_command(found))
    rows = [format_taker(one, names, (question.zone, question.now)) for one in shown]
    return format_takers(found, takers, rows, None if scope is None else len(scope), note)


def sort_worst_first(takers: Sequence[Taker]) -> list[Taker]:
    """Who never passed comes before who did; of these, who failed, then who left it open, then who has the less."""
    places = list(OUTCOMES)

    def place(one: Taker) -> tuple[bool, int, float, int]:
        is_known = one.last_outcome in OUTCOMES
        last = places.index(one.last_outcome) if is_known else len(places)
        return one.passed > 0, last, one.best if one.best is not None else 0.0, one.student_id

    return sorted(takers, key=place)


def format_takers(
    found: FoundTitle, takers: Sequence[Taker], rows: Sequence[list[object]], students: int | None, note: str
) -> str:
    """All who took it, of so many students (None: of everybody), and the rows of this page."""
    kind = kind_of(found.is_exam)
    outcomes = Counter(one.last_outcome for one in takers)
    known = list_counts({word: outcomes[outcome] for outcome, (_, word) in OUTCOMES.items()})
    who = f"{len(takers):,} of your {count(students, 'student')}" if students else count(len(takers), "student")
    best = [one.best for one in takers if one.best is not None]
    average = f" · their best: {percent(fmean(best))} on average" if best else ""
    first_line = f"{EMOJI_OF[kind]} **{format_titled(found.title, found.label)}** · {who}: {known}{average}"
    return format_page(first_line, ("Student", "Result", "When"), rows, [note])


def format_taker(one: Taker, names: Mapping[int, str], when: tuple[tzinfo, datetime]) -> list[object]:
    """`❌ failed 35% (3 tries, best 48%)`; `when` is where and at what time it is asked."""
    best = f", best {percent(one.best)}" if one.best is not None and one.best != one.last else ""
    tries = f" ({one.tries} tries{best})" if one.tries > 1 else ""
    result = f"{format_outcome(one.last_outcome, one.last)}{tries}"
    return [names[one.student_id], result, format_date(one.last_at, *when)]


def get_command(found: FoundTitle) -> str:
    return f"{kind_of(found.is_exam)} {found.typed}"


def kind_of(is_exam: bool) -> str:
    return EXAM if is_exam else CONTENT


def answer_find(question: Question) -> str:
    scope = question.students_in_sight
    readings = list(_read_text(question))
    if not readings:
        raise WrongArguments("What shall I look for?")
    for said, page in readings:
        answer = _find(question, said, page, scope)
        if answer is not None:
            return answer
    raise NothingFound(format_found(readings[-1][0], {}, (), ""))


def _find(question: Question, said: str, page: int, scope: Scope) -> str | None:
    """One page of what is found, students first; None where nothing is."""
    students = get_student_index(question, own_only=False).search(said)
    titles = count_titles(said, scope)
    counts = {"student": len(students), "exam": titles.get(True, 0), "content": titles.get(False, 0)}
    total = sum(counts.values())
    if not total:
        return None
    check_page(page, total)
    first = (page - 1) * PAGE_ROWS
    shown = students[first : first + PAGE_ROWS]
    if not all(question.asker.is_own(one.student_id) for one in shown):
        question.audit(None)
    lines = [format_found_student(name_of(one), word_for(one)) for one in shown]
    rest, offset = PAGE_ROWS - len(shown), max(0, first - len(students))
    lines += map(format_found_title, find_titles(said, scope, limit=rest, offset=offset))
    return format_found(said, counts, lines, page_note(page, total, f"find {said}"))


def format_found(said: str, counts: Mapping[str, int], lines: Sequence[str], note: str) -> str:
    """What was found, each with the command to look further; `counts` is how many students, exams and contents."""
    if not any(counts.values()):
        return f"🔎 I found no student, exam or content for **{_shorten(said)}**."
    known = ", ".join(count(number, thing) for thing, number in counts.items() if number)
    head = [f"🔎 **{_shorten(said)}** · {known}", ""]
    return fit_lines(head, lines, ["", note] if note else [], limit=MAX_LENGTH)


def format_found_title(found: FoundTitle) -> str:
    return f"- {_format_title_line(found)}: {code(get_command(found))}"


def format_found_student(name: str, word: str) -> str:
    """`name` is disarmed."""
    return f"- 👤 {name}: {code(f'student {word}')}"


def _shorten(said: str) -> str:
    return disarm(said, max_length=NAME_LENGTH)


COMMANDS = (
    Command(
        "exam", "exam <title> [page N]", "who took an exam, and with what result", Audience.KNOWN, "exam algebra",
        partial(answer_title, show=show_takers, is_exam=True), is_about_own_students=True,
    ),
    Command(
        "content", "content <title> [page N]", "who did a content", Audience.KNOWN, "content introduction",
        partial(answer_title, show=show_takers, is_exam=False), is_about_own_students=True,
    ),
    Command(
        "find", "find <text> [page N]", "students, exams and contents by a part of what they are called",
        Audience.KNOWN, "find {student}", answer_find, aliases=("search", "look for"), is_about_own_students=True,
    ),
)  # fmt: skip
