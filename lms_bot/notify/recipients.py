"""Who is to be told of a student: all mentors that could be found, and whoever stands in for those that could not."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from lms_bot.people.recipients import Owed, Recipients
from lms_bot.people.users import UserMapper


def find_recipients(users: UserMapper, student_ids: Collection[int]) -> dict[int, Recipients]:
    """By student. Asks the LMS and Zulip. Raises LMSUnavailable, LMSRefused."""
    users.prefetch(student_ids)
    return {student_id: _get_recipients(users, student_id) for student_id in student_ids}


def _get_recipients(users: UserMapper, student_id: int) -> Recipients:
    """Remembered for a while, as a backlog has many events of each student; but not who could not be found."""
    known = users.get_remembered_recipients(student_id)
    if known is None:
        known = _find_recipients(users, student_id)
        if all(one.zulip_user_id is not None for one in known.owed):
            users.remember_recipients(student_id, known)
    return known


def _find_recipients(users: UserMapper, student_id: int) -> Recipients:
    told = [_user_id(one) for one in users.get_notification_recipients(student_id)]
    missing = [Owed(recipient, None, why) for recipient, why in users.get_missing_recipients(student_id)]
    if missing:  # somebody should know, until a mentor can be told
        told += [one.user_id for one in users.get_fallback_recipients()]
    found = [Owed(f"zulip:{one}", one) for one in dict.fromkeys(told)]
    mentor_id, mentor_username = users.get_mentor_for_student(student_id) or (None, None)
    student = users.get_zulip_user_for_student(student_id)
    return Recipients((*found, *missing), mentor_id, mentor_username, student.user_id if student else None)


def _user_id(recipient: Any) -> int:
    """Recipients may be ZulipUser values, Zulip's own dicts, or plain user ids."""
    if isinstance(recipient, int):
        return recipient
    return int(recipient["user_id"] if isinstance(recipient, Mapping) else recipient.user_id)
