"""Answers about many students at once, as markdown. As in `replies`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple

from lms_bot.chat.commands.replies import NO_ACTIVITY, count, format_mark, format_page, format_title, list_counts
from lms_bot.core.markdown import time_tag
from lms_bot.insight.reports import Attention, Flag, LastResult, StudentSummary, SummaryPage, Totals

CONTENT = "content"
RESULT_WORDS = ("failed", "left open", "passed", "completed", CONTENT)
SUMMARY_HEADERS = (
    "Student", "❌ Failed", "📝 Left open", "🎉 Passed", "✅ Completed", "📚 Contents", "Last",
)  # fmt: skip
FLAGS = {Flag.FAILED: "❌", Flag.LEFT_OPEN: "📝", Flag.SILENT: "💤"}
FLAG_WORDS = {
    Flag.FAILED: "failed their last exam",
    Flag.LEFT_OPEN: "left an exam open",
    Flag.SILENT: "silent",
}


def format_summary(
    page: SummaryPage,
    names: Mapping[int, str],
    period: str,
    before: tuple[str, Totals],
    students: int | None,
    note: str,
) -> str:
    """Who did what in a period: `names` are disarmed, `before` is the period before, with what it is called.

    `students` is how many there are, None where everybody is asked about; `note` says which page this is.
    """
    label, earlier = before
    title = f"📊 **Summary** · {period}"
    silent = students - page.students if students is not None else 0
    silence = f"{count(silent, 'student')} without activity." if silent else ""
    if not page.students:
        known = ", ".join(_say(*each) for each in zip(RESULT_WORDS, astuple(earlier), strict=True) if each[1])
        compared = f"Compare {label}: {known}." if known else ""
        return "\n".join([title, "", *filter(None, (NO_ACTIVITY, silence, compared))])
    of_all = f"{page.students:,} of " if silent else ""
    who = f"{of_all}{count(page.students + silent, 'student')}"
    totals = format_changes(page.totals, earlier)
    changes = f"▲ ▼ against {label}." if totals else ""
    rows = [_summary_row(names[one.student_id], one) for one in page.rows]
    first_line = f"{title} · {who}{': ' if totals else ''}{totals}"
    return format_page(first_line, SUMMARY_HEADERS, rows, [" ".join(filter(None, (silence, changes))), note])


def format_changes(totals: Totals, before: Totals) -> str:
    """`3 failed (▲ 1), 9 passed (=)`: what there is, or was, any of."""
    pairs = zip(RESULT_WORDS, astuple(totals), astuple(before), strict=True)
    return ", ".join(f"{_say(word, now)} ({_change(now - then)})" for word, now, then in pairs if now or then)


def _say(word: str, number: int) -> str:
    return count(number, word) if word == CONTENT else f"{number:,} {word}"


def _change(difference: int) -> str:
    return "=" if not difference else f"{'▲' if difference > 0 else '▼'} {abs(difference):,}"


def _summary_row(name: str, one: StudentSummary) -> list[object]:
    numbers = (one.failed, one.left_open, one.passed, one.completed, one.contents)
    return [name, *(number or None for number in numbers), time_tag(one.last_at)]


def format_students(
    whose: str, names: Mapping[int, str], page: Sequence[Attention], flags: Mapping[Flag, int], note: str
) -> str:
    """A row for each student of this page; `flags` says how many of all there are raised. `names` are disarmed."""
    flagged = list_counts({FLAG_WORDS[flag]: flags.get(flag, 0) for flag in Flag})
    legend = " · ".join(f"{FLAGS[flag]} {flag.value}" for flag in Flag if flags.get(flag))
    rows = [_student_row(names[one.student_id], one) for one in page]
    first_line = f"👥 **{whose}** · {flagged or 'nobody needs attention'}"
    return format_page(first_line, ("", "Student", "Last activity", "Last result"), rows, [legend, note])


def _student_row(name: str, one: Attention) -> list[object]:
    flags = " ".join(FLAGS[flag] for flag in one.flags)
    seen = time_tag(one.last_at) if one.last_at else "none known"
    return [flags, name, seen, _format_last_result(one.last_result)]


def _format_last_result(result: LastResult | None) -> str:
    if result is None:
        return ""
    return f"{format_mark(result.outcome, result.percentage)} {format_title(result.title, result.activity_id)}"
