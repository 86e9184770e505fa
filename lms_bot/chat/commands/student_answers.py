"""What is asked about one student, or two. As in `answers`."""

from __future__ import annotations

from lms_bot.chat.commands.notes import count_notes, get_notes
from lms_bot.chat.commands.paging import PAGE_ROWS, check_page, page_note
from lms_bot.chat.commands.preference_replies import name_of, word_for
from lms_bot.chat.commands.student_replies import Card, Rank, format_card, format_comparison, format_history
from lms_bot.chat.language.arguments import Listing, read_listing, read_student, read_two_students
from lms_bot.chat.language.periods import UNCLEAR_TIME
from lms_bot.chat.language.question import Question, WrongArguments
from lms_bot.core.results import add_up
from lms_bot.insight import reports
from lms_bot.lms.people import Student

NOTES_SHOWN = 3
KINDS = {True: "exams", False: "contents", None: ""}


def answer_history(question: Question) -> str:
    student, listing = read_student(
        question,
        question.words,
        lambda words: read_listing(question, words),
        command=("history",),
        unclear=UNCLEAR_TIME,
    )
    question.audit(student.student_id)
    return _format_page(student, listing or Listing())


def _format_page(student: Student, listing: Listing) -> str:
    period = listing.period
    history = reports.get_history(
        student.student_id,
        period.start if period else None,
        period.end if period else None,
        is_exam=listing.is_exam,
        limit=PAGE_ROWS,
        offset=(listing.page - 1) * PAGE_ROWS,
    )
    check_page(listing.page, history.total)
    about = [period.label if period else "all that is known", *filter(None, [KINDS[listing.is_exam]])]
    note = page_note(listing.page, history.total, f"history {word_for(student)} {listing.said}".strip())
    return format_history(name_of(student), history, about, note)


def answer_student(question: Question) -> str:
    student, _ = read_student(question, question.words, command=("student",))
    question.audit(student.student_id)
    return format_card(_make_card(question, student, is_complete=True))


def answer_compare(question: Question) -> str:
    first, second = read_two_students(question, question.words, command=("compare",))
    if first.student_id == second.student_id:
        raise WrongArguments("That is the same student twice.")
    cards = []
    for student in (first, second):
        question.audit(student.student_id)
        cards.append(_make_card(question, student))
    return format_comparison(*cards)


def _make_card(question: Question, student: Student, is_complete: bool = False) -> Card:
    """Where it `is_complete`, with what only their mentors may know."""
    student_id = student.student_id
    for_mentors = is_complete and not question.asker.is_student
    week = question.read_period(("this", "week"))
    assert week is not None
    return Card(
        name_of(student),
        word_for(student),
        reports.get_last_events([student_id]).get(student_id),
        add_up(reports.get_attempts(student_id, is_exam=True)),
        contents=reports.get_summary(week.start, week.end, [student_id], limit=0).totals.contents,
        rank=_rank(question, student_id) if for_mentors else None,
        notes=get_notes(student_id, NOTES_SHOWN) if for_mentors else (),
        note_count=count_notes(student_id) if for_mentors else 0,
    )


def _rank(question: Question, student_id: int) -> Rank | None:
    """By average among the asker's own; None where the student is not one, or there is nobody to compare with."""
    if not question.asker.is_own(student_id):
        return None
    standings = reports.get_totals_of_students(question.asker.students.keys())
    averages = {key: one.percentage_total / one.scored for key, one in standings.items() if one.scored}
    average = averages.pop(student_id, None)
    if average is None or not averages:
        return None
    return Rank(sum(other < average for other in averages.values()), len(averages))
