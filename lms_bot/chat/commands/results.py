"""`failed`, `passed`, `best`, `inactive`: results of many students, and who has none."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from lms_bot.chat.commands.rendering import (
    NO_STUDENTS,
    OUTCOMES,
    PAGE_ROWS,
    check_page,
    count,
    format_date,
    format_mark,
    format_page,
    format_title,
    format_titled,
    get_short_names,
    name_of,
    page_note,
)
from lms_bot.chat.commands.titles import EMOJI_OF, EXAM, Scope, answer_title, find_meant
from lms_bot.chat.language.arguments import Listing, UnclearStudent, get_student_index, read_listing
from lms_bot.chat.language.periods import UNCLEAR_PERIOD
from lms_bot.chat.language.question import Command, Question, WrongArguments
from lms_bot.chat.language.student_index import CHOSEN, word_for
from lms_bot.chat.language.words import strip_fillers
from lms_bot.core.clock import UTC
from lms_bot.core.markdown import glue
from lms_bot.core.results import percent
from lms_bot.insight.reports.results import Result, Wanted, get_active, get_last_seen, get_results
from lms_bot.insight.reports.titles import FoundTitle, get_takers
from lms_bot.lms.people import Student
from lms_bot.people.access import Audience

Words = tuple[str, ...]
LATELY = ("30", "days")
"""Who asks for no time, no exam and no student, asks for these."""

MOST_WORDS = 16
"""Of a student, an exam and a period together."""

LONG_AGO = datetime.min.replace(tzinfo=UTC)
_JOINERS = frozenset(("exam", "exams", "in", "of", "by", "for", "the"))


@dataclass(frozen=True)
class _About:
    """What is asked about: of one student, of one exam, of both, or of all."""

    listing: Listing
    student: Student | None = None
    exam: FoundTitle | None = None


def answer_results(question: Question, *, outcome: str) -> str:
    scope = question.students_in_sight
    if scope is not None and not scope:
        return NO_STUDENTS
    about = _read_about(question, scope)
    period = about.listing.period
    if period is None and about.student is None and about.exam is None:
        period = question.read_period(LATELY)
    question.audit(about.student.student_id if about.student else None)
    wanted = Wanted(
        outcome,
        scope if about.student is None else [about.student.student_id],
        period.start if period else None,
        period.end if period else None,
        about.exam.coursework_id if about.exam else None,
    )
    page = about.listing.page
    found = get_results(wanted, limit=PAGE_ROWS, offset=(page - 1) * PAGE_ROWS)
    check_page(page, found.total)
    emoji, word = OUTCOMES[outcome]
    of_what = [
        f"**{name_of(about.student)}**" if about.student else "",
        f"**{format_titled(about.exam.title, about.exam.label)}**" if about.exam else "",
        period.label if period else "all that is known",
    ]
    head = f"{emoji} **{word.capitalize()}** · {' · '.join(filter(None, of_what))}"
    if not found.total:
        return f"{head}\n\n{_say_nothing(outcome, about)}"
    by = "" if about.student else f" by {count(found.students, 'student')}"
    names = get_short_names(question, {one.student_id for one in found.results})
    rows = [_row(question, outcome, about, one, names[one.student_id]) for one in found.results]
    again = " ".join(filter(None, (question.command, _said_of(about), about.listing.said)))
    note = page_note(page, found.total, again)
    return format_page(f"{head} · {count(found.total, 'result')}{by}", ("Student", "Result", "When"), rows, [note])


def _say_nothing(outcome: str, about: _About) -> str:
    if outcome == "failed":
        return "No failed exam." if about.student or about.exam else "Nobody failed an exam."
    return "No passed exam." if about.student or about.exam else "Nobody passed an exam."


def _said_of(about: _About) -> str:
    named = (about.exam.typed if about.exam else "", word_for(about.student) if about.student else "")
    return " ".join(filter(None, named))


def _row(question: Question, outcome: str, about: _About, one: Result, name: str) -> list[object]:
    """Without what the heading says."""
    title = "" if about.exam else format_title(one.title, one.activity_id)
    mark = format_mark(outcome, one.percentage)
    when = format_date(one.last_at, question.zone, question.now)
    return ["" if about.student else name, f"{mark} {title}".strip(), when]


def _read_about(question: Question, scope: Scope) -> _About:
    """A period, pages, one student and one exam, in any order. Raises WrongArguments, UnclearStudent."""
    unclear: list[Student] = []
    about = _read_named(question, strip_fillers(question.words), scope, unclear)
    if about is not None:
        return about
    if unclear:
        raise UnclearStudent("", unclear, tuple(question.command.split()), ())
    raise WrongArguments(f"I know no such exam and no such student of yours, and no such time. {UNCLEAR_PERIOD}")


def _read_named(question: Question, words: Words, scope: Scope, unclear: list[Student]) -> _About | None:
    """What the words are about; None where they cannot be read. Adds to `unclear` who may be meant by one name."""
    listing = read_listing(question, words) if words else Listing()
    if listing is not None and listing.is_exam is not False:
        return _About(listing)
    for name, rest in _splits(words) if len(words) <= MOST_WORDS else ():
        students = get_student_index(question, own_only=not question.asker.is_admin).find(" ".join(name))
        exam = None if students or name[0].startswith(CHOSEN) else _find_exam(" ".join(name), scope)
        about = _read_named(question, rest, scope, []) if len(students) == 1 or exam is not None else None
        if about is not None and exam is not None and about.exam is None:
            return replace(about, exam=exam)
        if about is not None and exam is None and about.student is None:
            return replace(about, student=students[0])
        if not unclear and len(students) > 1 and read_listing(question, rest) is not None:
            unclear += students
    return None


def _splits(words: Words) -> Iterator[tuple[Words, Words]]:
    """A name and what is not of it, before or after: the longest name first."""
    for length in range(len(words), 0, -1):
        for start in dict.fromkeys((0, len(words) - length)):
            name = words[start : start + length]
            rest = (*words[:start], *words[start + length :])
            while name and name[0].casefold() in _JOINERS:
                name = name[1:]
            if name:
                yield name, rest


def _find_exam(said: str, scope: Collection[int] | None) -> FoundTitle | None:
    meant = find_meant(said, scope, is_exam=True)
    return meant[0] if len(meant) == 1 else None


def _show_best(question: Question, found: FoundTitle, scope: Scope, page: int) -> str:
    """Who took it, the best result first."""
    takers = sorted(
        get_takers(found.coursework_id, scope),
        key=lambda one: (one.best is None, -(one.best or 0), not one.passed, one.student_id),
    )
    check_page(page, len(takers))
    shown = takers[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]
    if not all(question.asker.is_own(one.student_id) for one in takers):
        question.audit(None)
    names = get_short_names(question, [one.student_id for one in shown])
    first = (page - 1) * PAGE_ROWS + 1
    rows: list[list[object]] = [
        [
            f"{place}. {names[one.student_id]}",
            glue("🎉" if one.passed else OUTCOMES.get(one.last_outcome, ("", ""))[0], percent(one.best)).strip(),
            format_date(one.last_at, question.zone, question.now),
        ]
        for place, one in enumerate(shown, start=first)
    ]
    head = f"{EMOJI_OF[EXAM]} **{format_titled(found.title, found.label)}** · best results"
    return format_page(head, ("Student", "Best", "When"), rows, [page_note(page, len(takers), f"best {found.typed}")])


def answer_inactive(question: Question) -> str:
    """Who of one's own students did nothing in a period, who was seen longest ago first."""
    students = {key: one for key, one in question.own_students.items() if one.is_active}
    if not students:
        return NO_STUDENTS
    listing = read_listing(question, question.words)
    if listing is None or listing.is_exam is not None:
        raise WrongArguments(UNCLEAR_PERIOD)
    period = listing.period or question.read_period(("this", "week"))
    assert period is not None
    idle = students.keys() - get_active(students.keys(), period.start, period.end)
    head = f"💤 **Did nothing** · {period.label} · {len(idle):,} of {count(len(students), 'student')}"
    if not idle:
        return f"{head}\n\nEverybody did something."
    check_page(listing.page, len(idle))
    seen = get_last_seen(idle)
    in_order = sorted(idle, key=lambda one: (seen.get(one, LONG_AGO), one))
    shown = in_order[(listing.page - 1) * PAGE_ROWS : listing.page * PAGE_ROWS]
    names = get_short_names(question, shown)
    when = {one: format_date(seen[one], question.zone, question.now) if one in seen else "never" for one in shown}
    rows = [[names[one], when[one]] for one in shown]
    note = page_note(listing.page, len(idle), f"inactive {listing.said}".strip())
    return format_page(head, ("Student", "Last active"), rows, [note])


COMMANDS = (
    Command(
        "failed", "failed [period] [exam] [student] [page N]", "which exams were failed, newest first",
        Audience.KNOWN, "failed last week", partial(answer_results, outcome="failed"), is_about_own_students=True,
    ),
    Command(
        "passed", "passed [period] [exam] [student] [page N]", "which exams were passed, newest first",
        Audience.KNOWN, "passed algebra", partial(answer_results, outcome="passed"), is_about_own_students=True,
    ),
    Command(
        "best", "best <exam> [page N]", "who did best in an exam, and who follows", Audience.KNOWN,
        "best algebra", partial(answer_title, show=_show_best, is_exam=True), is_about_own_students=True,
    ),
    Command(
        "inactive", "inactive [period] [page N]", "who of your students did nothing, this week or when you say",
        Audience.MENTORS, "inactive last week", answer_inactive, is_about_own_students=True,
    ),
)  # fmt: skip
