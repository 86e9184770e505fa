"""The tables under charts, as markdown. As in `replies`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo

from lms_bot.chat.commands.preference_replies import name_of, word_for
from lms_bot.chat.commands.replies import NO_ACTIVITY, count, format_mark, format_title, narrow_table
from lms_bot.chat.language.dates import MONTH_NAMES, format_day
from lms_bot.core.activities import ActivityType
from lms_bot.core.markdown import code, table_head, table_row, time_tag
from lms_bot.core.results import Attempt
from lms_bot.insight.charts import Span
from lms_bot.lms.people import Student
from lms_bot.notify.formatter import EMOJI

EXTRA = code('pip install "lms-bot[charts]"')
HOW_TO_GET_PICTURES = f"🖼️ There is no picture: who runs me can add pictures with {EXTRA}."
NOT_DRAWN = "🖼️ The picture could not be drawn; these are its figures."
RESULTS_SHOWN = 20
"""So many results are in the table, the newest; `history` has pages for all."""

COUNTED: dict[str, tuple[str, ...]] = {
    f"{EMOJI['exam_failed']} Failed": (ActivityType.EXAM_FAILED.value,),
    f"{EMOJI['exam_passed']} Passed": (ActivityType.EXAM_PASSED.value,),
    f"{EMOJI['exam_completed']} Completed": (ActivityType.EXAM_COMPLETED.value,),
    f"{EMOJI['exam_started']} Started": (ActivityType.EXAM_STARTED.value,),
    f"{EMOJI['content_completed']} Contents": tuple(kind.value for kind in ActivityType if not kind.is_exam),
}
"""The same kinds as in the picture: see `charts.KINDS`."""


def format_chart_head(student: Student, period: str) -> str:
    return f"📈 **{name_of(student)}** · {period}"


def format_nothing(student: Student, period: str) -> str:
    return f"{format_chart_head(student, period)}\n\n{NO_ACTIVITY}"


def format_whose(is_student: bool, students: int | None) -> str:
    """`students` is how many there are, None where everybody is asked about."""
    if students is None:
        return "All students"
    return "You" if is_student else f"Your {count(students, 'student')}"


def format_results(attempts: Sequence[Attempt], student: Student) -> str:
    """Exam results, newest first; "" where there are none."""
    rows = [
        table_row([time_tag(one.last_at), format_title(one.title, one.activity_id), _format_result(one)])
        for one in attempts[:RESULTS_SHOWN]
    ]
    if not rows:
        return ""
    lines = [*table_head(["When", "Exam", "Result"]), *rows]
    if len(attempts) > RESULTS_SHOWN:
        older = f"… and {len(attempts) - RESULTS_SHOWN:,} older: {code(f'history {word_for(student)} exams')}"
        lines += ["", older]
    return "\n".join(lines)


def _format_result(attempt: Attempt) -> str:
    return format_mark(attempt.outcome, attempt.percentage)


def format_spans(unit: str, spans: Sequence[Span], zone: tzinfo) -> str:
    """How much of what there was in each day, week, month or year; the latest first."""
    rows = [[_format_start(unit, span, zone), *_count_cells(span)] for span in reversed(spans)]
    head, lines = narrow_table([unit.capitalize() if unit != "week" else "Week from", *COUNTED], rows)
    return "\n".join([*head, *lines])


def format_days(spans: Sequence[Span], zone: tzinfo) -> str:
    """As `format_spans`, for the days of a week, the first first; and of all days together."""
    if not any(span.counts for span in spans):
        return NO_ACTIVITY
    rows = [[f"{span.start.astimezone(zone):%a}", *_count_cells(span)] for span in spans]
    totals = [sum(cell or 0 for cell in column) or None for column in zip(*map(_count_cells, spans), strict=True)]
    head, lines = narrow_table(["Day", *COUNTED], [*rows, ["**All**", *totals]])
    return "\n".join([*head, *lines])


def _count_cells(span: Span) -> list[int | None]:
    return [sum(span.counts.get(kind, 0) for kind in kinds) or None for kinds in COUNTED.values()]


def _format_start(unit: str, span: Span, zone: tzinfo) -> str:
    day = span.start.astimezone(zone).date()
    if unit == "month":
        return f"{MONTH_NAMES[day.month - 1].capitalize()} {day.year}"
    return str(day.year) if unit == "year" else format_day(day)
