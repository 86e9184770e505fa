"""What is shown as a picture, with the same figures as a table under it. As in `answers`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta

from lms_bot.chat.commands import chart_replies as replies
from lms_bot.chat.commands.replies import NO_STUDENTS
from lms_bot.chat.commands.title_answers import Scope, answer_title, show_takers
from lms_bot.chat.commands.title_replies import sort_worst_first
from lms_bot.chat.language.arguments import read_student
from lms_bot.chat.language.calendar_units import Piece, get_week, split
from lms_bot.chat.language.periods import UNCLEAR_TIME, Period
from lms_bot.chat.language.question import File, Question, WithFiles, WrongArguments
from lms_bot.chat.language.words import strip_fillers
from lms_bot.insight import charts, reports
from lms_bot.insight.reports import FoundTitle, StoredStudent, Taker
from lms_bot.lms.people import Student

logger = logging.getLogger(__name__)

DEFAULT_WEEKS = 12
PICTURE = "chart.png"
STARTED = "started"


def answer_chart(question: Question) -> str | WithFiles:
    """A student's results over time, and what they did week by week."""
    student, said = read_student(
        question, question.words, question.read_period, command=("chart",), unclear=UNCLEAR_TIME
    )
    question.audit(student.student_id)
    period = said or _get_last_weeks(question)
    pieces = split(period.start, _get_end(period, question.now), question.zone)
    spans = _count(pieces.pieces, period, [student.student_id])
    attempts = reports.get_attempts(student.student_id, period.start, period.end, is_exam=True)
    ended = [one for one in attempts if one.outcome != STARTED]
    if not ended and not any(span.counts for span in spans):
        return replies.format_nothing(student, period.label)
    what = f"Exam results, and activity by {pieces.unit}: {period.label}"
    results = [charts.Result(one.last_at, one.percentage, one.outcome) for one in ended if one.percentage is not None]
    picture = _draw(lambda: charts.draw_student(_names_of(student), what, results, spans, question.zone))
    tables = replies.format_results(ended, student), replies.format_spans(pieces.unit, spans, question.zone)
    return _put_together(replies.format_chart_head(student, period.label), picture, tables)


def _get_last_weeks(question: Question) -> Period:
    """This week and those before it."""
    start, _ = get_week(question.now - timedelta(weeks=DEFAULT_WEEKS - 1), question.zone)
    _, end = get_week(question.now, question.zone)
    return Period(start, end, f"the last {DEFAULT_WEEKS} weeks")


def _get_end(period: Period, now: datetime) -> datetime:
    """Where there is something to be seen yet."""
    return max(period.start + timedelta(hours=1), min(period.end, now))


def _count(pieces: Sequence[Piece], period: Period, student_ids: Collection[int] | None) -> list[charts.Span]:
    """What there is in each piece; of the first and the last, in as much of it as is asked about."""
    asked = [(max(start, period.start), min(end, period.end)) for start, end in pieces]
    counts = reports.get_week_counts(student_ids, asked)
    return [charts.Span(start, end, count) for (start, end), count in zip(pieces, counts, strict=True)]


def _get_called(question: Question, takers: Sequence[Taker]) -> dict[int, Sequence[str]]:
    own = question.asker.students
    stored = reports.get_stored_students([one.student_id for one in takers if one.student_id not in own])
    people: list[Student | StoredStudent] = [*own.values(), *stored]
    return {one.student_id: _names_of(one) for one in people}


def _names_of(student: Student | StoredStudent) -> list[str]:
    """What a student may be called in a picture, the best first; the last one can always be drawn."""
    return [*filter(None, (student.display_name, student.username)), f"Student {student.student_id}"]


def answer_chart_exam(question: Question) -> str | WithFiles:
    """What students made of one exam."""
    return answer_title(question, _show_exam, is_exam=True)


def _show_exam(question: Question, found: FoundTitle, scope: Scope, page: int) -> str | WithFiles:
    answer = show_takers(question, found, scope, page)
    takers = sort_worst_first(reports.get_takers(found.title_key, scope))
    if all(one.best is None for one in takers):
        return answer
    called = _get_called(question, takers) if len(takers) <= charts.MOST_BARS else {}
    scores = [charts.Scores(called.get(one.student_id, ()), one.best, one.last, _get_outcome(one)) for one in takers]
    picture = _draw(lambda: charts.draw_exam((found.title, "Exam"), scores))
    head, _, table = answer.partition("\n\n")
    return _put_together(head, picture, [table])


def _get_outcome(taker: Taker) -> str:
    """What their tries come to."""
    if taker.passed:
        return "passed"
    return "failed" if taker.failed else taker.last_outcome


def answer_chart_week(question: Question) -> str | WithFiles:
    """What the asker's students did this week, day by day; what everybody did for an admin who mentors nobody."""
    asker = question.asker
    scope: Scope = None if asker.is_admin and not asker.is_mentor else question.own_students.keys()
    if strip_fillers(question.words):
        raise WrongArguments("I can only show this week of all your students.")
    if scope is None:
        question.audit(None)
    elif not scope:
        return NO_STUDENTS
    start, end = get_week(question.now, question.zone)
    spans = _count(split(start, end, question.zone).pieces, Period(start, end, "this week"), scope)
    whose = replies.format_whose(asker.is_student, None if scope is None else len(scope))
    picture = None
    if any(span.counts for span in spans):
        picture = _draw(lambda: charts.draw_week((whose,), "This week's activity by day", spans, question.zone))
    return _put_together(f"📈 **{whose}** · this week", picture, [replies.format_days(spans, question.zone)])


def _draw(draw: Callable[[], bytes]) -> bytes | str:
    """The picture, or what to say in its place."""
    if not charts.is_available():
        return replies.HOW_TO_GET_PICTURES
    try:
        return draw()
    except Exception as error:  # the figures are what matters, and they need no matplotlib
        logger.error("a chart could not be drawn: %s", type(error).__name__)
        return replies.NOT_DRAWN


def _put_together(head: str, picture: bytes | str | None, tables: Sequence[str]) -> str | WithFiles:
    if isinstance(picture, bytes):
        text = "\n\n".join(filter(None, [head, f"[{PICTURE}](attachment:0)", *tables]))
        return WithFiles(text, (File(PICTURE, picture),))
    return "\n\n".join(filter(None, [head, picture or "", *tables]))
