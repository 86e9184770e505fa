"""`history`: what one student did, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Any

from lms_bot.chat.commands.rendering import (
    NO_ACTIVITY,
    PAGE_ROWS,
    check_page,
    count,
    format_act,
    format_date,
    format_page,
    format_result,
    name_of,
    page_note,
)
from lms_bot.chat.language.arguments import Listing, read_listing, read_student
from lms_bot.chat.language.periods import UNCLEAR_TIME
from lms_bot.chat.language.question import Command, Question
from lms_bot.chat.language.student_index import word_for
from lms_bot.core.markdown import event_ref
from lms_bot.insight.reports.students import EventPage, get_history
from lms_bot.people.access import Audience

KINDS = {True: "exams", False: "contents", None: ""}


def answer_history(question: Question) -> str:
    student, listing = read_student(question, lambda words: read_listing(question, words), unclear=UNCLEAR_TIME)
    question.audit(student.student_id)
    listing = listing or Listing()
    period = listing.period
    history = get_history(
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
    return format_history(name_of(student), history, about, note, (question.zone, question.now))


def format_history(
    name: str, history: EventPage, about: Sequence[str], note: str, when: tuple[tzinfo, datetime]
) -> str:
    """One page of what a student did. `name` is disarmed; `about` says of which time and kind that is.

    `when` is where and at what time it is asked.
    """
    first_line = " · ".join([f"**{name}**", *about])
    if not history.total:
        return f"{first_line}\n\n{NO_ACTIVITY}"
    rows = [_history_row(event, when) for event in history.events]
    return format_page(f"{first_line} · {count(history.total, 'event')}", ("What", "When", "Event"), rows, [note])


def _history_row(event: Any, when: tuple[tzinfo, datetime]) -> list[object]:
    what = f"{format_act(event)} {format_result(event)}".rstrip()
    return [what, format_date(event.timestamp, *when), event_ref(event.event_id)]


COMMANDS = (
    Command(
        "history", "history <student> [period] [exams|content] [page N]", "what one student did, newest first",
        Audience.LEARNERS, "history {student} last week exams", answer_history, is_about_own_students=True,
    ),
)  # fmt: skip
