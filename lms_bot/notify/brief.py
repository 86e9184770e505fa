"""The brief form of messages: what a mentor wants to know, in as few words as say it. Pure.

`❌ **John Doe** failed **Mathematics Final Exam** · 40 % · 2nd try (35 % before) · 3rd failure in a row · `#28``
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lms_bot.core.markdown import event_ref
from lms_bot.notify.brief_groups import SOME_IN_ROW, format_brief_pages
from lms_bot.notify.brief_wording import (
    FAILED,
    PASSED,
    TITLE_LENGTH,
    brief_name,
    brief_result,
    in_percent,
    ordinal,
    result_of,
)
from lms_bot.notify.formatter import MessageFormatter
from lms_bot.notify.wording import (
    correction_of,
    kind_of,
    label_of,
    title_of,
    type_of,
)


class BriefFormatter(MessageFormatter):
    """As `MessageFormatter`, in a line for each result; of many at once, those who passed an exam are one line.

    An event may have `so_far`, a `SoFar`: how the result stands among the student's others. Each method is as safe to
    override as there: what is told of one event comes from the method of its type, alone or among others, and names
    from `format_student_name`.
    """

    tells_failures_in_row = True
    """A failure says itself that it is the third in a row: no other line need say so."""

    def format_exam_started_message(self, event: Any, emoji: str, student_name: str) -> str:
        return _line(event, emoji, student_name, "started")

    def format_exam_completed_message(self, event: Any, emoji: str, student_name: str) -> str:
        return _line(event, emoji, student_name, "completed")

    def format_exam_passed_message(self, event: Any, emoji: str, student_name: str) -> str:
        return _line(event, emoji, student_name, "passed")

    def format_exam_failed_message(self, event: Any, emoji: str, student_name: str) -> str:
        return _line(event, emoji, student_name, "failed")

    def format_content_started_message(self, event: Any, emoji: str, student_name: str) -> str:
        return _line(event, emoji, student_name, "started")

    def format_content_completed_message(self, event: Any, emoji: str, student_name: str) -> str:
        return _line(event, emoji, student_name, "completed")

    def format_content_watched_message(self, event: Any, emoji: str, student_name: str) -> str:
        return _line(event, emoji, student_name, "watched")

    def format_correction_message(self, event: Any, emoji: str, student_name: str) -> str:
        """`✏️ **John Doe**: **Algebra** is now passed 75 % (was failed 30 %) · `#31``"""
        del emoji
        correction = correction_of(event)
        now = brief_result(correction.event_type, correction.percentage)
        was = brief_result(correction.was_type, correction.was_percentage)
        return f"✏️ **{student_name}**: {_title(event)} is now {now} (was {was}){_ref(event)}"

    def format_other_message(self, event: Any, emoji: str, student_name: str) -> str:
        """For an event type this version does not know."""
        return f"{emoji} **{student_name}**: {label_of(str(event.event_type))}, {_title(event)}{_ref(event)}"

    def format_student_name(self, event: Any) -> str:
        """`Jane Smith`, `jane_smith`, or `Student 17` where the LMS has no name. Disarmed.

        Where two are called alike in one message, each is told apart there by the username.
        """
        return brief_name(event)

    def format_group_messages(self, events: Iterable[Any]) -> list[tuple[str, list[int]]]:
        """All that is told to one person at a time: failures first, a line each, then corrections and recoveries,
        then a line for each exam that others passed, and how many lessons. Each event is in exactly one message.
        """
        all_events = list(events)
        if len(all_events) == 1:
            return [(self.format_notification_message(all_events[0]), [all_events[0].event_id])]
        return format_brief_pages(all_events, self.format_student_name, self._word)


def _line(event: Any, emoji: str, student_name: str, did: str) -> str:
    """What is to be acted upon has its number; for the rest, that would be a word too many."""
    kind = type_of(event)
    result = result_of(event) if kind.startswith("exam") and not kind.endswith("started") else ""
    parts = [f"{emoji} **{student_name}** {did} {_title(event)}", result, *_how_it_stands(event, kind)]
    return f"{' · '.join(filter(None, parts))}{_ref(event) if kind == FAILED else ''}"


def _title(event: Any) -> str:
    title = title_of(event, TITLE_LENGTH)
    return f"**{title}**" if title else f"an untitled {kind_of(event).lower()}"


def _ref(event: Any) -> str:
    return f" · {event_ref(event.event_id)}" if event.event_id is not None else ""


def _how_it_stands(event: Any, event_type: str) -> list[str]:
    """What the student's other results say of this one, no number twice."""
    so_far = getattr(event, "so_far", None)
    if so_far is None or event_type not in (FAILED, PASSED):
        return []
    before = f" ({in_percent(so_far.before)} before)" if so_far.before is not None else ""
    if event_type == PASSED:
        if so_far.is_recovery:
            return [f"recovered{before.replace('before', 'before it')}" if before else "recovered"]
        return [f"{ordinal(so_far.tries)} try{before}"] if so_far.tries > 1 else []
    is_same = so_far.failures_of_exam == so_far.tries == so_far.failures_in_row
    parts = []
    if so_far.failures_in_row >= SOME_IN_ROW and is_same:
        return [f"{ordinal(so_far.tries)} failure in a row{before}"]
    if so_far.tries > 1:
        parts.append(f"{ordinal(so_far.tries)} try{before}")
    if so_far.failures_in_row >= SOME_IN_ROW:
        parts.append(f"{ordinal(so_far.failures_in_row)} failure in a row")
    elif so_far.failures_of_exam >= SOME_IN_ROW:
        parts.append(f"failed {so_far.failures_of_exam} times")
    return [", ".join(parts)] if parts else []
