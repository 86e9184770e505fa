"""What answers are made of. Text of others is disarmed here, unless a docstring says it was."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any

from lms_bot.chat.language.question import Question, WrongArguments
from lms_bot.core.activities import ActivityType
from lms_bot.core.markdown import (
    MAX_MESSAGE_LENGTH,
    code,
    disarm,
    fit_lines,
    glue,
    table_head,
    table_row,
    time_tag,
)
from lms_bot.core.results import Attempt, percent
from lms_bot.insight.reports.students import get_stored_students, get_students_with_events
from lms_bot.lms.people import Student
from lms_bot.notify.concern_wording import format_day
from lms_bot.notify.digest_message import name_students
from lms_bot.notify.formatter import EMOJI, UNKNOWN_TYPE_EMOJI
from lms_bot.notify.wording import percentage_of, value_of

ROOM_FOR_NOTE = 200
MAX_LENGTH = MAX_MESSAGE_LENGTH - ROOM_FOR_NOTE
NAME_LENGTH = 100
TITLE_LENGTH = 120
RESULT_LENGTH = 40
"""With these, a page of rows fits a message whatever the LMS says."""

PAGE_ROWS = 20
NO_STUDENTS = "The LMS gives you no students."
NO_ACTIVITY = "No activity."
ANSWER_WITH_NUMBER = "Answer with the number."
HELP_SHOWS = "`help` shows what you can ask."

_VERBS = {
    ActivityType.EXAM_STARTED.value: "started",
    ActivityType.EXAM_COMPLETED.value: "completed",
    ActivityType.EXAM_PASSED.value: "passed",
    ActivityType.EXAM_FAILED.value: "did not pass",
    ActivityType.CONTENT_STARTED.value: "started",
    ActivityType.CONTENT_COMPLETED.value: "completed",
    ActivityType.CONTENT_WATCHED.value: "watched",
}
OUTCOMES = {
    "failed": ("❌", "failed"),
    "started": ("📝", "left open"),
    "completed": ("✅", "completed"),
    "passed": ("🎉", "passed"),
    "watched": ("👀", "watched"),
    "withdrawn": ("🚪", "withdrawn"),
}
"""What became of an attempt, worst first: how it is shown, and how it is said."""


def format_stale_note(as_of: datetime) -> str:
    """The line over an answer about students whom the LMS cannot confirm now. At most ROOM_FOR_NOTE long."""
    return f"⚠️ The LMS does not answer; whose students are whose is as of {time_tag(as_of)}."


def format_title(title: str | None, activity_id: int | None = None) -> str:
    """A title, disarmed, or the number of what has none."""
    return disarm(title, max_length=TITLE_LENGTH) or f"number {activity_id or '?'}"


def format_titled(title: str | None, label: str, activity_id: int | None = None) -> str:
    """A title with what tells it from others that are the same, `Midterm · Algebra`; disarmed."""
    return f"{format_title(title, activity_id)} · {disarm(label)}" if label else format_title(title, activity_id)


def format_act(event: Any) -> str:
    """`🎉 passed: Mathematics Final Exam`"""
    kind = str(event.event_type)
    verb = _VERBS.get(kind) or disarm(kind.replace("_", " "))
    emoji = EMOJI.get(kind, UNKNOWN_TYPE_EMOJI)
    return f"{glue(emoji, verb)}: {format_title(event.activity_title, event.activity_id)}"


def format_news(event: Any) -> str:
    """`❌ 48% Physics Midterm`, `👀 Linear Equations`: as `format_act` with its result, in the fewest words."""
    kind, score = str(event.event_type), value_of(event, "score", RESULT_LENGTH)
    emoji = EMOJI.get(kind) or f"{glue(UNKNOWN_TYPE_EMOJI, disarm(kind.replace('_', ' ')))}:"
    result = percentage_of(event, RESULT_LENGTH) or (score and f"score {score}")
    words = filter(None, (result, format_title(event.activity_title, event.activity_id)))
    return glue(emoji, " ".join(words))


def format_result(event: Any) -> str:
    """`17 (85%)`, or what is known of that, no number twice; empty for contents."""
    return _join_result(value_of(event, "score", RESULT_LENGTH), percentage_of(event, RESULT_LENGTH))


def _join_result(score: str, percentage: str) -> str:
    if not (score and percentage) or percentage == f"{score}%":
        return percentage or score
    return f"{score} ({percentage})"


def format_attempt(attempt: Attempt, label: str = "") -> str:
    """`🎉 passed: Mathematics Final Exam 85 (85%)`"""
    kind = f"{'exam' if attempt.is_exam else 'content'}_{attempt.outcome}"
    emoji, word = EMOJI.get(kind), _VERBS.get(kind)
    if emoji is None or word is None:
        emoji, word = OUTCOMES.get(attempt.outcome, (UNKNOWN_TYPE_EMOJI, disarm(attempt.outcome)))
    score = "" if attempt.score is None else f"{attempt.score:.1f}".removesuffix(".0")
    result = _join_result(score, percent(attempt.percentage))
    return f"{glue(emoji, word)}: {format_titled(attempt.title, label, attempt.activity_id)} {result}".rstrip()


def format_outcome(outcome: str, percentage: float | None = None) -> str:
    """`❌ failed 35%`"""
    emoji, word = OUTCOMES.get(outcome, (UNKNOWN_TYPE_EMOJI, disarm(outcome)))
    return f"{glue(emoji, word)} {percent(percentage)}".rstrip()


def format_mark(outcome: str, percentage: float | None) -> str:
    """`❌ 35%`: as short as it can be."""
    emoji, word = OUTCOMES.get(outcome, (UNKNOWN_TYPE_EMOJI, disarm(outcome)))
    return glue(emoji, percent(percentage) or word)


def format_try(attempt: Attempt) -> str:
    return format_mark(attempt.outcome, attempt.percentage)


def format_date(moment: datetime, zone: tzinfo, now: datetime) -> str:
    """`Fri 27 Nov`, with the year where it is another than now: narrower than a `<time:>`, which names the minute."""
    day = moment.astimezone(zone)
    return format_day(day) if day.year == now.astimezone(zone).year else f"{format_day(day)} {day.year}"


def format_clock(moment: datetime, zone: tzinfo) -> str:
    """`09:36`: for a moment of the day that the heading names."""
    return f"{moment.astimezone(zone):%H:%M}"


def format_change(difference: int) -> str:
    """`▲ 3`, `▼ 3`, `=`"""
    return "=" if not difference else f"{'▲' if difference > 0 else '▼'} {abs(difference):,}"


def count(number: int, thing: str) -> str:
    """`1 event`, `2 events`, `4,000 events`"""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def list_counts(counts: Mapping[str, int]) -> str:
    """`3 failed, 1 left open`: what there is any of."""
    return ", ".join(f"{number:,} {word}" for word, number in counts.items() if number)


def format_page(
    first_line: str, headers: Sequence[str], rows: Sequence[Sequence[object]], last_lines: Sequence[str] = ()
) -> str:
    """One page of a table, between what is said above and below it: of `last_lines`, what is not empty."""
    head, lines = narrow_table(headers, rows)
    tail = [part for line in last_lines if line for part in ("", line)]
    return fit_lines([first_line, "", *head], lines, tail, limit=MAX_LENGTH)


def narrow_table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> tuple[list[str], list[str]]:
    """Head and rows of a table without the columns that are empty in every row: phones are narrow."""
    kept = [at for at in range(len(headers)) if any(row[at] not in (None, "") for row in rows)]
    head = table_head([headers[at] for at in kept])
    return head, [table_row([row[at] for at in kept]) for row in rows]


def format_name(student_id: int, username: str | None, display_name: str | None) -> str:
    """`Jane Smith (jane_smith)`, or what is known of that. Disarmed."""
    login, name = disarm(username, max_length=NAME_LENGTH), disarm(display_name, max_length=NAME_LENGTH)
    if name and login and name != login:
        return f"{name} ({login})"
    return name or login or f"Student {student_id}"


def name_of(student: Student) -> str:
    """How a student is called in an answer. Disarmed."""
    return format_name(student.student_id, student.username, student.display_name)


def get_short_names(
    question: Question, student_ids: Collection[int], students: Mapping[int, Student] | None = None
) -> dict[int, str]:
    """What these students are called, disarmed; with the username only where two of them are called alike.

    `students` are known ones, by id; by default the asker's own. Others are as they were read last.
    """
    known = question.asker.students if students is None else students
    people: list[tuple[int, str | None, str | None]] = [
        (one, known[one].username, known[one].display_name) for one in student_ids if one in known
    ]
    for get_students in (get_stored_students, get_students_with_events):
        if missing := set(student_ids).difference(one for one, _, _ in people):
            people += [(one.student_id, one.username, one.display_name) for one in get_students(missing)]
    return {one: f"Student {one}" for one in student_ids} | dict(name_students(people))


def count_pages(rows_total: int) -> int:
    """How many pages the rows fill; one where there are none."""
    return max(1, -(-rows_total // PAGE_ROWS))


def check_page(page: int, rows_total: int) -> None:
    """Raises WrongArguments where there is no such page."""
    pages = count_pages(rows_total)
    if page > pages:
        raise WrongArguments("There is only one page." if pages == 1 else f"There are only {pages} pages.")


def page_note(page: int, rows_total: int, command: str) -> str:
    """Where one is and how to get on, for example with the command `history john_doe`; "" for a single page."""
    pages = count_pages(rows_total)
    if pages == 1:
        return ""
    if page == pages:
        return f"Page {page} of {pages}, the last."
    return f"Page {page} of {pages}. {code(f'{command} page {page + 1}')} shows the next."
