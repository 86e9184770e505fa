"""`stats`: how many events there are of each type, of the asker's own students or of all."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta

from lms_bot.chat.commands.rendering import NO_ACTIVITY, NO_STUDENTS, count, format_change
from lms_bot.chat.language.question import Command, Question
from lms_bot.core.errors import LMSBotError
from lms_bot.core.markdown import disarm, table_head, table_row
from lms_bot.insight.reports.counting import get_counts_by_type, get_week_counts
from lms_bot.notify.formatter import EMOJI, LABELS, UNKNOWN_TYPE_EMOJI
from lms_bot.people.access import Audience

WEEK = timedelta(days=7)


def answer_stats(question: Question) -> str:
    students = question.own_students
    if not students:
        return NO_STUDENTS
    return _format_stats(question, f"Your {count(len(students), 'student')}", students.keys())


def answer_stats_all(question: Question) -> str:
    parts = [
        format_numbers("📊 **All events**", question.context.events.get_event_stats()),
        _format_stats(question, "By type", None),
        _format_mapping(question),
    ]
    return "\n\n".join(parts)


def _format_mapping(question: Question) -> str:
    try:
        return format_numbers("**People**", question.context.users.get_mapping_stats())
    except LMSBotError as error:
        return f"**People**: not known now, {disarm(error)}."


def _format_stats(question: Question, whose: str, student_ids: Collection[int] | None) -> str:
    """Events by type, of some students or of all, in total and in the last two weeks."""
    now = question.now
    total = get_counts_by_type(student_ids)
    days = question.read_period(("last", "7", "days"))  # as `summary last 7 days` has it
    start = days.start if days is not None else now - WEEK
    week, before = get_week_counts(student_ids, [(start, None), (start - WEEK, start)])
    events = count(sum(total.values()), "event")
    if not total:
        return f"📊 **{whose}**\n\n{NO_ACTIVITY}"
    first_line = f"📊 **{whose}** · {events}, {sum(week.values()):,} in the last 7 days"
    return format_counts(first_line, total, week, before)


def format_numbers(title: str, numbers: Mapping[str, object]) -> str:
    """A two-column table of named numbers; `total_events` reads "Total events"."""
    rows = [
        table_row([disarm(name.replace("_", " ").capitalize()), disarm(value)]) for name, value in numbers.items()
    ]
    return "\n".join([title, "", *table_head(["What", "How many"]), *rows])


def format_counts(title: str, total: Mapping[str, int], week: Mapping[str, int], before: Mapping[str, int]) -> str:
    """A table of events by type: in total, in a week, and how that compares with the week before."""
    kinds = [*LABELS, *sorted(kind for kind in total if kind not in LABELS)]
    rows = [
        _counts_row(f"{EMOJI.get(kind, UNKNOWN_TYPE_EMOJI)} {LABELS.get(kind) or disarm(kind)}", *numbers)
        for kind in kinds
        if any(numbers := [counts.get(kind, 0) for counts in (total, week, before)])
    ]
    rows.append(_counts_row("**All**", *(sum(counts.values()) for counts in (total, week, before))))
    head = table_head(["Events", "In total", "Last 7 days"])
    return "\n".join([title, "", *head, *rows, "", "▲ ▼ against the 7 days before."])


def _counts_row(what: str, total: int, week: int, before: int) -> str:
    return table_row([what, f"{total:,}", f"{week:,} ({format_change(week - before)})"])


COMMANDS = (
    Command(
        "stats", "stats", "how many events of your students there are, of each type", Audience.MENTORS, "stats",
        answer_stats, aliases=("statistics",), is_about_own_students=True,
    ),
)  # fmt: skip


ADMIN_COMMANDS = (
    Command(
        "stats all", "stats all", "how many events there are, told and not, and how many people I know",
        Audience.ADMINS, "stats all", answer_stats_all, aliases=("statistics all",),
    ),
)  # fmt: skip
