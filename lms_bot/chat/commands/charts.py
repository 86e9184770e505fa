"""`chart`: figures as a picture, with the same figures as a table under it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from functools import partial

from lms_bot.chat.commands.rendering import (
    NO_ACTIVITY,
    NO_STUDENTS,
    count,
    format_date,
    format_titled,
    format_try,
    name_of,
)
from lms_bot.chat.commands.titles import Scope, answer_title, show_takers, sort_worst_first
from lms_bot.chat.language.arguments import read_student
from lms_bot.chat.language.dates import MONTH_NAMES, Interval, get_calendar_units, get_week
from lms_bot.chat.language.periods import UNCLEAR_TIME, Period
from lms_bot.chat.language.question import Command, Question, WithFiles, WrongArguments
from lms_bot.chat.language.student_index import word_for
from lms_bot.chat.language.words import strip_fillers
from lms_bot.core.markdown import code, glue, spoiler, table_head, table_row
from lms_bot.core.results import Attempt
from lms_bot.insight import charts
from lms_bot.insight.reports.counting import get_week_counts
from lms_bot.insight.reports.students import StoredStudent, StudentAttempt, get_attempts, get_stored_students
from lms_bot.insight.reports.titles import FoundTitle, Taker, get_activity_id, get_labels_among, get_takers
from lms_bot.lms.people import Student
from lms_bot.outbox.draft import File
from lms_bot.people.access import Audience

logger = logging.getLogger(__name__)

DEFAULT_WEEKS = 12
PICTURE = "chart.png"
FIGURES = "The figures"

HOW_TO_GET_PICTURES = '🖼️ There is no picture: who runs me can add pictures with `pip install "lms-bot[charts]"`.'
NOT_DRAWN = "🖼️ The picture could not be drawn; these are its figures."

RESULTS_SHOWN = 20
"""So many results are in the table, the newest; `history` has pages for all."""

_TITLES = ("❌ Failed", "🎉 Passed", "✅ Completed", "📝 Started", "📚 Contents")
COUNTED = dict(zip(_TITLES, charts.KINDS.values(), strict=True))
"""The same kinds as in the picture."""


def answer_chart(question: Question) -> str | WithFiles:
    student, said = read_student(question, question.read_period, unclear=UNCLEAR_TIME)
    question.audit(student.student_id)
    period = said or _get_last_weeks(question)
    head = f"📈 **{name_of(student)}** · {period.label}"
    attempts = get_attempts(student.student_id, period.start, period.end, is_exam=True)
    ended = [one for one in attempts if one.outcome != "started"]
    unit, spans = _get_spans(question, student.student_id, period, ended, is_chosen=said is not None)
    if not ended and not any(span.counts for span in spans):
        return f"{head}\n\n{NO_ACTIVITY}"
    what = f"Exam results, and activity by {unit}: {period.label}"
    labels = get_labels_among(ended, question.students_in_sight)
    results = _get_results(question, ended, labels)
    picture = _draw(lambda: charts.draw_student(_names_of(student), what, results, spans, question.zone))
    when = question.zone, question.now
    tables = _format_results(ended, student, labels, when), _format_spans(unit, spans, when)
    return _put_together(head, picture, tables)


def _get_last_weeks(question: Question) -> Period:
    start, _ = get_week(question.now - timedelta(weeks=DEFAULT_WEEKS - 1), question.zone)
    _, end = get_week(question.now, question.zone)
    return Period(start, end, f"the last {DEFAULT_WEEKS} weeks")


def _get_spans(
    question: Question, student_id: int, period: Period, ended: Sequence[Attempt], *, is_chosen: bool
) -> tuple[str, list[charts.Span]]:
    """What there is in each day, week, month or year, from the first in which there is anything; and which it is.

    Of a period that nobody chose it is what suits the time since then.
    """
    seen_until = max(period.start + timedelta(hours=1), min(period.end, question.now))

    def count_from(start: datetime) -> tuple[str, list[charts.Span]]:
        unit, intervals = get_calendar_units(start, seen_until, question.zone)
        spans = _count(intervals, period, [student_id])
        is_any = (span.counts or any(span.start <= one.last_at < span.end for one in ended) for span in spans)
        first = next((at for at, is_one in enumerate(is_any) if is_one), 0)
        return unit, spans[first:]

    unit, spans = count_from(period.start)
    return (unit, spans) if is_chosen else count_from(max(period.start, spans[0].start))


def _get_results(
    question: Question, ended: Sequence[StudentAttempt], labels: Mapping[int, str]
) -> list[charts.Result]:
    """Those that have a percentage, with what their exams are called."""
    scored = [(one, one.percentage) for one in ended if one.percentage is not None]
    pass_marks = question.context.get_pass_marks({one.activity_id for one, _ in scored if one.activity_id})
    return [
        charts.Result(
            one.last_at,
            percentage,
            one.outcome,
            one.coursework_id,
            _titles_of(one.title, labels.get(one.coursework_id or 0, ""), one.activity_id),
            pass_marks.get(one.activity_id),
        )
        for one, percentage in scored
    ]


def _titles_of(title: str | None, label: str, activity_id: int) -> list[str]:
    """What an exam may be called in a picture, the best first."""
    called = [f"{title} · {label}" if label else title] if title else []
    return [*called, f"Exam {activity_id}" if activity_id else "Exam"]


def _count(intervals: Sequence[Interval], period: Period, student_ids: Collection[int] | None) -> list[charts.Span]:
    """What there is in each of these; of the first and the last, in as much of it as is asked about."""
    asked = [(max(start, period.start), min(end, period.end)) for start, end in intervals]
    counts = get_week_counts(student_ids, asked)
    return [charts.Span(start, end, number) for (start, end), number in zip(intervals, counts, strict=True)]


def _show_exam(question: Question, found: FoundTitle, scope: Scope, page: int) -> str | WithFiles:
    answer = show_takers(question, found, scope, page)
    takers = sort_worst_first(get_takers(found.coursework_id, scope))
    if all(one.best is None for one in takers):
        return answer
    called = _get_called(question, takers) if len(takers) <= charts.MOST_BARS else {}
    scores = [charts.Scores(called.get(one.student_id, ()), one.best, one.last, _get_outcome(one)) for one in takers]
    exam_id = get_activity_id(found.coursework_id)
    pass_mark = question.context.get_pass_marks({exam_id}).get(exam_id)
    picture = _draw(lambda: charts.draw_exam((found.called, "Exam"), scores, pass_mark))
    head, _, table = answer.partition("\n\n")
    return _put_together(head, picture, [table])


def _get_called(question: Question, takers: Sequence[Taker]) -> dict[int, Sequence[str]]:
    own = question.asker.students
    stored = get_stored_students([one.student_id for one in takers if one.student_id not in own])
    people: list[Student | StoredStudent] = [*own.values(), *stored]
    return {one.student_id: _names_of(one) for one in people}


def _names_of(student: Student | StoredStudent) -> list[str]:
    """What a student may be called in a picture, the best first; the last one can always be drawn."""
    return [*filter(None, (student.display_name, student.username)), f"Student {student.student_id}"]


def _get_outcome(taker: Taker) -> str:
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
    _, days = get_calendar_units(start, end, question.zone)
    spans = _count(days, Period(start, end, "this week"), scope)
    whose = "All students" if scope is None else f"Your {count(len(scope), 'student')}"
    whose = "You" if asker.is_student else whose
    picture = None
    if any(span.counts for span in spans):
        picture = _draw(lambda: charts.draw_week((whose,), "This week's activity by day", spans, question.zone))
    return _put_together(f"📈 **{whose}** · this week", picture, [_format_days(spans, question.zone)])


def _draw(draw: Callable[[], bytes]) -> bytes | str:
    """The picture, or what to say in its place."""
    if not charts.is_available():
        return HOW_TO_GET_PICTURES
    try:
        return draw()
    except Exception as error:  # the figures are what matters, and they need no matplotlib
        logger.error("a chart could not be drawn: %s", type(error).__name__)
        return NOT_DRAWN


def _put_together(head: str, picture: bytes | str | None, tables: Sequence[str]) -> str | WithFiles:
    """The figures as tables are folded up where there is a picture of them."""
    if isinstance(picture, bytes):
        figures = spoiler(FIGURES, "\n\n".join(filter(None, tables)))
        text = "\n\n".join([head, f"[{PICTURE}](attachment:0)", figures])
        return WithFiles(text, (File(PICTURE, picture),))
    return "\n\n".join(filter(None, [head, picture or "", *tables]))


def _format_results(
    attempts: Sequence[Attempt], student: Student, labels: Mapping[int, str], when: tuple[tzinfo, datetime]
) -> str:
    """Exam results, newest first; "" where there are none. `labels` and `when` as in Card."""
    shown = attempts[:RESULTS_SHOWN]
    titles = [format_titled(one.title, labels.get(one.coursework_id or 0, ""), one.activity_id) for one in shown]
    rows = [
        table_row([title, format_try(one), format_date(one.last_at, *when)])
        for one, title in zip(shown, titles, strict=True)
    ]
    if not rows:
        return ""
    lines = [*table_head(["Exam", "Result", "When"]), *rows]
    if len(attempts) > RESULTS_SHOWN:
        older = f"… and {len(attempts) - RESULTS_SHOWN:,} older: {code(f'history {word_for(student)} exams')}"
        lines += ["", older]
    return "\n".join(lines)


def _format_spans(unit: str, spans: Sequence[charts.Span], when: tuple[tzinfo, datetime]) -> str:
    """How much of what there was in each day, week, month or year; the latest first."""
    rows = [(_format_start(unit, span, when), _count_kinds([span])) for span in reversed(spans)]
    return _tabulate("Week from" if unit == "week" else unit.capitalize(), rows)


def _format_days(spans: Sequence[charts.Span], zone: tzinfo) -> str:
    """As `_format_spans`, for the days of a week, the first first; and of all days together."""
    if not any(span.counts for span in spans):
        return NO_ACTIVITY
    rows = [(f"{span.start.astimezone(zone):%a}", _count_kinds([span])) for span in spans]
    return _tabulate("Day", [*rows, ("**All**", _count_kinds(spans))])


def _count_kinds(spans: Sequence[charts.Span]) -> dict[str, int]:
    """How many there are of what `COUNTED` names, of each of which there is any."""
    counts = {
        title: sum(span.counts.get(kind, 0) for span in spans for kind in kinds) for title, kinds in COUNTED.items()
    }
    return {title: number for title, number in counts.items() if number}


def _tabulate(unit: str, rows: Sequence[tuple[str, Mapping[str, int]]]) -> str:
    """In two columns, as many kinds as there are: `| 9 March 2026 | ❌ 1 🎉 2 |`, named in the head."""
    titles = " ".join(glue(*title.split()) for title in COUNTED if any(title in counts for _, counts in rows))
    lines = [
        table_row([start, " ".join(glue(title.split()[0], f"{number:,}") for title, number in counts.items())])
        for start, counts in rows
    ]
    return "\n".join([*table_head([unit, titles]), *lines])


def _format_start(unit: str, span: charts.Span, when: tuple[tzinfo, datetime]) -> str:
    day = span.start.astimezone(when[0]).date()
    if unit == "month":
        return f"{MONTH_NAMES[day.month - 1].capitalize()} {day.year}"
    return str(day.year) if unit == "year" else format_date(span.start, *when)


COMMANDS = (
    Command(
        "chart", "chart <student> [period]", "a picture of one student's results and activity", Audience.LEARNERS,
        "chart {student} 3 months", answer_chart, aliases=("graph", "plot"), is_about_own_students=True,
    ),
    Command(
        "chart exam", "chart exam <title> [page N]", "a picture of the results of one exam", Audience.KNOWN,
        "chart exam algebra", partial(answer_title, show=_show_exam, is_exam=True), is_about_own_students=True,
        aliases=("graph exam", "plot exam"),
    ),
    Command(
        "chart week", "chart week", "a picture of what your students did this week, day by day", Audience.LEARNERS,
        "chart week", answer_chart_week, aliases=("chart this week", "graph week", "graph this week", "plot week"),
        is_about_own_students=True,
    ),
)  # fmt: skip
