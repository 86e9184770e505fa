"""`audit`: which admin looked at which student who is not theirs, and when."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress

from lms_bot.chat.commands.paging import PAGE_ROWS, check_page, page_note
from lms_bot.chat.commands.preference_replies import name_of
from lms_bot.chat.commands.replies import MAX_LENGTH, NAME_LENGTH, format_name
from lms_bot.chat.language.arguments import get_everybody, read_page
from lms_bot.chat.language.question import Question
from lms_bot.core.errors import LMSBotError
from lms_bot.core.markdown import code, disarm, fit_lines, table_head, table_row, time_tag
from lms_bot.lms.people import Student
from lms_bot.store.conversation import AuditEntry

ALL_STUDENTS = "all students"
NO_LOOKS = "🔎 No admin has looked at a student who is not theirs."


def answer_audit(question: Question) -> str:
    page = read_page(question)
    total = AuditEntry.select().count()
    check_page(page, total)
    looks = AuditEntry.get_newest(PAGE_ROWS, offset=(page - 1) * PAGE_ROWS)
    if not looks:
        return NO_LOOKS
    people = _people_names(question, {look.zulip_user_id for look in looks})
    students = get_everybody(question)
    rows = [
        table_row([time_tag(one.looked_at), people[one.zulip_user_id], _whom(one, students), code(one.command)])
        for one in looks
    ]
    head = [f"🔎 **Looks at students who are not theirs** · {total:,}", ""]
    head += table_head(["When", "Who", "Student", "Command"])
    note = page_note(page, total, "audit")
    return fit_lines(head, rows, ["", note] if note else [], limit=MAX_LENGTH)


def _whom(look: AuditEntry, students: Mapping[int, Student]) -> str:
    if look.student_id is None:
        return ALL_STUDENTS
    student = students.get(look.student_id)
    return name_of(student) if student else format_name(look.student_id, None, None)


def _people_names(question: Question, user_ids: Collection[int]) -> dict[int, str]:
    """Disarmed, as Zulip has them now; by id where it does not say."""
    names = {user_id: f"Zulip user {user_id}" for user_id in user_ids}
    with suppress(LMSBotError):
        for user_id in user_ids:
            user = question.app.users.get_zulip_user(user_id)
            if user is not None:
                names[user_id] = disarm(user.full_name, max_length=NAME_LENGTH)
    return names
