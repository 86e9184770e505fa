"""What mentors ask about all their students: each takes a Question and returns markdown.

All answers raise WrongArguments or LMSBotError, and those about a student what `asked.read_student` does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import timedelta

from lms_bot.chat.commands import replies
from lms_bot.chat.commands.overview_replies import format_students, format_summary
from lms_bot.chat.commands.paging import PAGE_ROWS, check_page, page_note
from lms_bot.chat.commands.preference_replies import format_held, name_of
from lms_bot.chat.language.arguments import read_listing, read_page
from lms_bot.chat.language.earlier_period import get_period_before
from lms_bot.chat.language.periods import UNCLEAR_PERIOD
from lms_bot.chat.language.question import Question, WrongArguments
from lms_bot.core.markdown import time_tag
from lms_bot.core.normalize import normalize
from lms_bot.insight import reports
from lms_bot.insight.reports import Attention, Flag
from lms_bot.lms.people import Student
from lms_bot.notify.held_back import get_held_back
from lms_bot.watch.monitor import LAST_GOOD_POLL

WEEK = timedelta(days=7)
LATE = timedelta(minutes=2)
POLLS_MISSED = 3


def answer_stats(question: Question) -> str:
    students = question.own_students
    if not students:
        return replies.NO_STUDENTS
    return format_stats(question, f"Your {replies.count(len(students), 'student')}", students.keys())


def format_stats(question: Question, whose: str, student_ids: Collection[int] | None) -> str:
    """Events by type, of some students or of all, in total and in the last two weeks."""
    now = question.now
    total = reports.get_counts_by_type(student_ids)
    week, before = reports.get_week_counts(student_ids, [(now - WEEK, None), (now - 2 * WEEK, now - WEEK)])
    events = replies.count(sum(total.values()), "event")
    if not total:
        return f"📊 **{whose}**\n\n{replies.NO_ACTIVITY}"
    first_line = f"📊 **{whose}** · {events}, {sum(week.values()):,} in the last 7 days"
    return replies.format_counts(first_line, {"In total": total, "Last 7 days": week, "The 7 before": before})


def answer_summary(question: Question) -> str:
    students = question.own_students
    return summarise(question, students.keys()) if students else replies.NO_STUDENTS


def summarise(question: Question, student_ids: Collection[int] | None) -> str:
    """What each of these students did in the period asked for, or today; None is everybody."""
    listing = read_listing(question, question.words)
    if listing is None or listing.is_exam is not None:
        raise WrongArguments(UNCLEAR_PERIOD)
    period = listing.period or question.read_period(("today",))
    assert period is not None
    first_row = (listing.page - 1) * PAGE_ROWS
    found = reports.get_summary(period.start, period.end, student_ids, limit=PAGE_ROWS, offset=first_row)
    check_page(listing.page, found.students)
    before = get_period_before(period, question.now, question.zone)
    earlier = reports.get_summary(before.start, before.end, student_ids, limit=0).totals
    names = get_names(question, [row.student_id for row in found.rows])
    students = None if student_ids is None else len(student_ids)
    note = page_note(listing.page, found.students, f"{question.command} {listing.said}".strip())
    return format_summary(found, names, period.label, (before.label, earlier), students, note)


def get_names(question: Question, student_ids: Collection[int]) -> dict[int, str]:
    """What these students are called, disarmed: one's own as the LMS says, others as their latest events do."""
    own = question.asker.students
    stored = reports.get_stored_students([one for one in student_ids if one not in own])
    names = {one.student_id: replies.format_name(one.student_id, one.username, one.display_name) for one in stored}
    return names | {one: name_of(own[one]) for one in student_ids if one in own}


def answer_students(question: Question) -> str:
    students = question.own_students
    if not students:
        return replies.NO_STUDENTS
    return list_students(question, f"Your {replies.count(len(students), 'student')}", students)


def list_students(question: Question, whose: str, students: Mapping[int, Student]) -> str:
    """One page of these students, who needs attention first."""
    page = read_page(question)
    check_page(page, len(students))
    attention = reports.get_attention(students.keys(), question.now)
    in_order = sorted(attention.values(), key=lambda one: (*_by_urgency(one), _by_name(students[one.student_id])))
    shown = in_order[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]
    names = {one.student_id: name_of(students[one.student_id]) for one in shown}
    flags = Counter(flag for one in in_order for flag in one.flags)
    return format_students(whose, names, shown, flags, page_note(page, len(students), question.command))


def _by_urgency(one: Attention) -> tuple[int, int]:
    return min(map(list(Flag).index, one.flags), default=len(Flag)), -len(one.flags)


def _by_name(student: Student) -> tuple[str, int]:
    return normalize(student.display_name or student.username), student.student_id


def answer_status(question: Question) -> str:
    """Whether the bot is watching, and what is on its way to the asker. Also when the LMS is away."""
    asker = question.asker
    lines = [format_watch(question)]
    if asker.is_mentor and asker.trouble is None:
        lines.append(f"👥 You have {replies.count(len(asker.students), 'student')}.")
    elif asker.is_mentor:
        lines.append("👥 Who your students are cannot be known now.")
    lines.append(_format_way(question))
    return "\n".join(lines)


def _format_way(question: Question) -> str:
    """What is on its way to the asker, and what is held back."""
    on_its_way = reports.count_unsent(question.zulip_user_id)
    holding = get_held_back(question)
    on_its_way += holding.due if holding else 0
    held = f" {format_held(holding)}" if holding and holding.held else ""
    if not on_its_way:
        return f"📬 You have been told all{' the rest' if held else ''}.{held}"
    return f"📬 {replies.count(on_its_way, 'event')} on the way to you.{held}"


def format_watch(question: Question) -> str:
    settings = question.app.settings
    last_at = reports.get_moment(LAST_GOOD_POLL)
    if not settings.lms_activity_monitor_enabled:
        return "⏸️ I am not watching the LMS: that is switched off."
    if last_at is None:
        return "⚠️ I have not been able to look into the LMS yet. I keep trying."
    if question.now - last_at > max(LATE, POLLS_MISSED * timedelta(seconds=settings.lms_activity_poll_interval)):
        return f"⚠️ I could last look into the LMS {time_tag(last_at)}. I keep trying."
    return f"👁️ I am watching the LMS, last {time_tag(last_at)}."
