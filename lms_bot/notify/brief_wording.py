"""The words that brief messages are made of. Pure."""

from __future__ import annotations

from typing import Any

from lms_bot.core.activities import ActivityType
from lms_bot.core.markdown import disarm
from lms_bot.core.results import percent
from lms_bot.notify.wording import metadata_of, percentage_of, value_of
from lms_bot.store.results import read_result

FAILED, PASSED = ActivityType.EXAM_FAILED.value, ActivityType.EXAM_PASSED.value
TITLE_LENGTH = 100
NAME_LENGTH = 80
RESULT_LENGTH = 20
_TEENS = (11, 12, 13)
_ENDINGS = {1: "st", 2: "nd", 3: "rd"}


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `11th`"""
    return f"{number}{'th' if number % 100 in _TEENS else _ENDINGS.get(number % 10, 'th')}"


def brief_name(event: Any) -> str:
    """What the student is called; the username only where there is no name. Disarmed."""
    name = disarm(getattr(event, "student_display_name", None), max_length=NAME_LENGTH)
    return name or disarm(event.student_username, max_length=NAME_LENGTH) or f"Student {event.student_id}"


def full_name(event: Any) -> str:
    """With the username, to tell those apart who are called alike."""
    name, login = brief_name(event), disarm(event.student_username, max_length=NAME_LENGTH)
    return f"{name} ({login})" if login and login != name else f"{name} ({event.student_id})"


def result_of(event: Any) -> str:
    """`40 %`, else the score, else nothing."""
    number = read_result(metadata_of(event))[0]
    if number is not None:
        return in_percent(number)
    percentage = percentage_of(event, RESULT_LENGTH)  # no number, and shown as it is
    if percentage:
        return percentage.removesuffix("%").rstrip() + " %"
    score = value_of(event, "score", RESULT_LENGTH)
    return f"score {score}" if score else ""


def in_percent(number: float | None) -> str:
    """`40 %`, or "" where it is not known."""
    return percent(number).replace("%", " %")


def brief_result(event_type: str, percentage: float | None) -> str:
    """`passed 75 %`"""
    return f"{event_type.rpartition('_')[2]} {in_percent(percentage)}".rstrip()
