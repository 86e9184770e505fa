"""`health`, `poll now`, `unmapped`, `audit`: how the bot is, and who looked at whom."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress

from lms_bot.chat.commands.rendering import (
    MAX_LENGTH,
    NAME_LENGTH,
    PAGE_ROWS,
    check_page,
    count,
    format_name,
    format_page,
    name_of,
    page_note,
)
from lms_bot.chat.language.arguments import Listing, get_everybody, read_listing, read_page, read_student
from lms_bot.chat.language.question import Command, Question
from lms_bot.chat.language.student_index import word_for
from lms_bot.core.errors import LMSBotError
from lms_bot.core.markdown import code, disarm, fit_lines, time_tag
from lms_bot.lms.people import Mentor, Student
from lms_bot.people.access import Audience
from lms_bot.people.users import UnmappedMentor
from lms_bot.store.conversation import AuditEntry

NO_ENTRIES = "🔎 No admin has looked at a student who is not theirs."


def answer_health(question: Question) -> str:
    checks = question.context.get_checks()
    lines = [f"{'✅' if one.is_ok else '❌'} **{disarm(one.name)}**: {disarm(one.text)}" for one in checks]
    title = "✅ **All is well**" if all(one.is_ok for one in checks) else "❌ **Something is wrong**"
    return fit_lines([title, ""], lines, limit=MAX_LENGTH)


def answer_poll_now(question: Question) -> str:
    created = question.context.poll()
    return f"👁️ I looked into the LMS: {count(created, 'new event')}."


def answer_unmapped(question: Question) -> str:
    unmapped = question.context.users.get_unmapped_mentors()
    if not unmapped:
        return "✅ Every mentor is known in Zulip."
    head = [f"👤 **Not known in Zulip** · {count(len(unmapped), 'mentor')}", ""]
    return fit_lines(head, list(map(_format_unmapped, unmapped)), limit=MAX_LENGTH)


def _format_unmapped(one: UnmappedMentor) -> str:
    """`- **Chen Wei (chen.wei)** · chen.wei@example.com · no Zulip user has the e-mail address`"""
    known = (f"**{_name_mentor(one.mentor)}**", disarm(one.mentor.email), disarm(one.reason))
    return f"- {' · '.join(filter(None, known))}"


def _name_mentor(mentor: Mentor) -> str:
    name, login = disarm(mentor.name), disarm(mentor.username)
    return f"{name} ({login})" if name and name != login else login


def answer_audit(question: Question) -> str:
    student, page = _read_audit(question)
    student_id = student.student_id if student else None
    total, entries = AuditEntry.get_newest(PAGE_ROWS, offset=(page - 1) * PAGE_ROWS, student_id=student_id)
    check_page(page, total)
    if not entries:
        return NO_ENTRIES if student is None else f"🔎 No admin has looked at **{name_of(student)}**."
    people = _people_names(question, {entry.zulip_user_id for entry in entries})
    students = get_everybody(question)
    lines = [
        f"- {time_tag(one.looked_at)} {people[one.zulip_user_id]}: {_whom(one, students)}, {code(one.command)}"
        for one in entries
    ]
    whom = f"**Looks at {name_of(student)}**" if student else "**Looks at students who are not theirs**"
    head = [f"🔎 {whom} · {total:,}", ""]
    note = page_note(page, total, f"audit {word_for(student)}" if student else "audit")
    return fit_lines(head, lines, ["", note] if note else [], limit=MAX_LENGTH)


def _read_audit(question: Question) -> tuple[Student | None, int]:
    """Of whom, if of one, and which page."""
    listing = read_listing(question, question.words)
    if listing is not None and listing == Listing(page=listing.page):
        return None, listing.page
    student, listing = read_student(question, lambda words: read_listing(question, words))
    return student, (listing or Listing()).page


def answer_unmentored(question: Question) -> str:
    """Active students of the LMS whom it gives no mentor."""
    page, users = read_page(question), question.context.users
    enrolled = users.get_enrolled()
    alone = [one for one in users.get_all_students() if one.is_active and one.student_id not in enrolled]
    if not alone:
        return "✅ Every active student has a mentor."
    check_page(page, len(alone))
    question.audit(None)
    alone.sort(key=lambda one: (name_of(one).casefold(), one.student_id))
    rows = [[name_of(one)] for one in alone[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]]
    head = f"🧭 **Without a mentor** · {count(len(alone), 'student')}"
    return format_page(head, ("Student",), rows, [page_note(page, len(alone), "unmentored")])


def _whom(entry: AuditEntry, students: Mapping[int, Student]) -> str:
    if entry.student_id is None:
        return "all students"
    student = students.get(entry.student_id)
    return name_of(student) if student else format_name(entry.student_id, None, None)


def _people_names(question: Question, user_ids: Collection[int]) -> dict[int, str]:
    """Disarmed, as Zulip has them now; by id where it does not say."""
    names = {user_id: f"Zulip user {user_id}" for user_id in user_ids}
    with suppress(LMSBotError):
        for user_id in user_ids:
            user = question.context.users.get_zulip_user(user_id)
            if user is not None:
                names[user_id] = disarm(user.full_name, max_length=NAME_LENGTH)
    return names


COMMANDS = (
    Command(
        "health", "health", "how the LMS, Zulip and my own store are", Audience.ADMINS, "health", answer_health,
        needs_store=False,
    ),
    Command(
        "poll now", "poll now", "look into the LMS at once", Audience.ADMINS, "poll now", answer_poll_now,
        aliases=("poll",), changes=True,
    ),
    Command(
        "unmapped", "unmapped", "mentors whom I cannot find in Zulip", Audience.ADMINS, "unmapped", answer_unmapped,
    ),
    Command(
        "audit", "audit [student] [page N]", "which admin looked at students who are not theirs", Audience.ADMINS,
        "audit page 2", answer_audit,
    ),
    Command(
        "unmentored", "unmentored [page N]", "active students whom the LMS gives no mentor", Audience.ADMINS,
        "unmentored", answer_unmentored,
    ),
)  # fmt: skip
