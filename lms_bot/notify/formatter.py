"""Events in, Zulip markdown out. Pure: no database, no network, no clock.

To change what mentors read, subclass `MessageFormatter`, override the method of one event type and name the
class in the setting `LMS_MESSAGE_FORMATTER`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from lms_bot.core.activities import ActivityType
from lms_bot.core.markdown import disarm, event_ref, fit_lines, one_line, table_head, table_row, time_tag
from lms_bot.notify.group_message import format_pages
from lms_bot.notify.wording import (
    EMOJI,
    LABELS,
    UNKNOWN_TYPE_EMOJI,
    correction_of,
    count_of,
    emoji_of,
    format_result,
    kind_of,
    label_of,
    metadata_of,
    percentage_of,
    title_of,
    type_of,
    value_of,
)

__all__ = ["EMOJI", "LABELS", "UNKNOWN_TYPE_EMOJI", "WORST_FIRST", "MessageFormatter"]

WORST_FIRST: tuple[str, ...] = (
    ActivityType.EXAM_FAILED.value,
    ActivityType.EXAM_STARTED.value,
    ActivityType.EXAM_COMPLETED.value,
    ActivityType.CONTENT_STARTED.value,
    ActivityType.CONTENT_COMPLETED.value,
    ActivityType.CONTENT_WATCHED.value,
    ActivityType.EXAM_PASSED.value,
)

_NAME_LENGTH = 200
_VALUE_LENGTH = 200
_REASON_LENGTH = 300
_REFS_IN_A_ROW = 12
_DURATION = re.compile(r"(?:(\d{1,4}) days?,? )?(\d{1,4}):(\d{1,2}):(\d{1,2})(?:\.\d*)?")


class MessageFormatter:
    """Turns events into messages: one method per event type, each safe to override.

    An event is anything with the attributes of `LMSActivityEvent`; `student_display_name` may be absent.
    """

    def format_notification_message(self, event: Any) -> str:
        """The message about one event. A type nobody knows gets a plain one; it never raises for that."""
        return self._word(event, self.format_student_name(event))

    def _word(self, event: Any, student_name: str) -> str:
        """The same with that name of the student, disarmed."""
        event_type = type_of(event)
        kind = event_type if event_type in EMOJI else "other"
        kind = kind if correction_of(event) is None else "correction"
        return str(getattr(self, f"format_{kind}_message")(event, emoji_of(event_type), student_name))

    # One method per event type. `student_name` is disarmed and complete; texts of the event are not.

    def format_exam_started_message(self, event: Any, emoji: str, student_name: str) -> str:
        return _compose(
            event,
            f"{emoji} **Student Activity Alert**",
            f"**{student_name}** has started the exam: {_title(event)}",
            _when(event, "Started"),
        )

    def format_exam_completed_message(self, event: Any, emoji: str, student_name: str) -> str:
        return _compose(
            event,
            f"{emoji} **Exam Completed**",
            f"**{student_name}** has completed the exam: {_title(event)}",
            _score_line(event),
            _when(event, "Completed"),
        )

    def format_exam_passed_message(self, event: Any, emoji: str, student_name: str) -> str:
        return _compose(
            event,
            f"{emoji} **Exam Passed!**",
            f"**{student_name}** has passed: {_title(event)}",
            _score_line(event),
            "🎉 Congratulations to the student!",
        )

    def format_exam_failed_message(self, event: Any, emoji: str, student_name: str) -> str:
        return _compose(
            event,
            f"{emoji} **Exam Failed**",
            f"**{student_name}** did not pass: {_title(event)}",
            _score_line(event),
            "💡 Consider providing additional support.",
        )

    def format_content_started_message(self, event: Any, emoji: str, student_name: str) -> str:
        return _compose(
            event,
            f"{emoji} **Content Started**",
            f"**{student_name}** has started: {_title(event)}",
            _content_line(event),
            _when(event, "Started"),
        )

    def format_content_completed_message(self, event: Any, emoji: str, student_name: str) -> str:
        return _compose(
            event,
            f"{emoji} **Content Completed**",
            f"**{student_name}** has completed: {_title(event)}",
            _content_line(event),
            _when(event, "Completed"),
        )

    def format_content_watched_message(self, event: Any, emoji: str, student_name: str) -> str:
        return _compose(
            event,
            f"{emoji} **Content Viewed**",
            f"**{student_name}** has watched: {_title(event)}",
            _content_line(event),
            _when(event, "Viewed"),
        )

    def format_correction_message(self, event: Any, emoji: str, student_name: str) -> str:
        """For a result that the LMS turned after it was told: failed is passed now, or the other way round."""
        correction = correction_of(event)
        now = format_result(correction.event_type, correction.percentage)
        was = format_result(correction.was_type, correction.was_percentage)
        return _compose(
            event,
            f"{emoji} **Result Corrected**",
            f"**{student_name}**: {_title(event)} is now {now} (was {was})",
        )

    def format_other_message(self, event: Any, emoji: str, student_name: str) -> str:
        """For an event type this version does not know, stored by a newer one or by hand."""
        return _compose(
            event,
            f"{emoji} **Student Activity**",
            f"**{student_name}**: {label_of(str(event.event_type))}, {_title(event)}",
            _when(event, "Happened"),
        )

    def format_student_name(self, event: Any) -> str:
        """`Jane Smith (jane_smith)`, `jane_smith`, or `Student 17` where the LMS has no name. Disarmed."""
        username = disarm(event.student_username, max_length=_NAME_LENGTH)
        display_name = disarm(getattr(event, "student_display_name", None), max_length=_NAME_LENGTH)
        if not username:
            return display_name or f"Student {event.student_id}"
        return f"{display_name} ({username})" if display_name and display_name != username else username

    def format_group_messages(self, events: Iterable[Any]) -> list[tuple[str, list[int]]]:
        """All that is told to one person at a time, in as few messages as the length limit allows.

        Each message comes with the ids of the events it carries; each event is in exactly one of them, named in
        its text. One row per student and exam or content, worst first. A single event gets its own message,
        no events get none.
        """
        all_events = list(events)
        if len(all_events) == 1:
            return [(self.format_notification_message(all_events[0]), [all_events[0].event_id])]
        return format_pages(all_events, self.format_student_name)

    def format_summary_message(self, events: Iterable[Any], time_period: str = "recent") -> str:
        """Totals by type, then a row per student, worst first: with failures, without results, with passes.

        Never longer than one message; rows that do not fit are counted in a last line.
        """
        all_events = list(events)
        head = [f"📊 **Activity Summary** ({disarm(time_period, max_length=_VALUE_LENGTH)})", ""]
        if not all_events:
            return "\n".join([*head, "No activities to report."])
        students = sorted(_by_student(all_events), key=_worst_first)
        head.append(
            f"{count_of(len(all_events), 'activity', 'activities')} of "
            f"{count_of(len(students), 'student', 'students')}"
        )
        head += [_totals(all_events), "", *table_head(["Student", "Activities", "Events"])]
        return fit_lines(head, [self._summary_row(student_events) for student_events in students])

    def format_alarm_message(self, reasons: Mapping[str, int]) -> str:
        """For admins, when deliveries start failing: why (one reason at least), and how many for each reason."""
        head = [f"⚠️ **Deliveries are failing** · {sum(reasons.values())} so far", ""]
        head += table_head(["Reason", "How many"])
        most_first = sorted(reasons.items(), key=lambda reason: -reason[1])
        rows = [table_row([disarm(reason, max_length=_REASON_LENGTH), many]) for reason, many in most_first]
        return fit_lines(head, rows, ["", "`errors` shows them, `retry` sends them again."])

    def format_recovery_message(self) -> str:
        """For admins, when deliveries work again."""
        return (
            "✅ **Deliveries work again**\n\n"
            "`errors` shows what could not be delivered meanwhile, if anything; `retry` sends it again."
        )

    def _summary_row(self, student_events: Sequence[Any]) -> str:
        activities = " ".join(f"{emoji_of(name)} {count}" for name, count in _counted(student_events))
        worst_first = sorted(student_events, key=_severity)
        refs = [event_ref(event.event_id) for event in worst_first[:_REFS_IN_A_ROW]]
        left_out = len(student_events) - len(refs)
        more = [f"… and {left_out} more"] if left_out else []
        return table_row([self.format_student_name(student_events[0]), activities, " ".join(refs + more)])


def _compose(event: Any, *lines: str) -> str:
    """Title, empty line, what happened, and what is known about it; last, the event's number."""
    title, *rest = lines
    ref = event_ref(event.event_id) if event.event_id is not None else ""
    return "\n".join([title, "", *filter(None, [*rest, ref])])


def _title(event: Any) -> str:
    """The activity's title in bold."""
    title = title_of(event)
    return f"**{title}**" if title else f"an untitled {kind_of(event).lower()}"


def _when(event: Any, happened: str) -> str:
    return f"📅 {happened} at: {time_tag(event.timestamp)}" if isinstance(event.timestamp, datetime) else ""


def _score_line(event: Any) -> str:
    return _labelled(
        "📊",
        ("Score", value_of(event, "score")),
        ("Percentage", percentage_of(event)),
        ("Result", value_of(event, "result")),
        ("Time Taken", _duration(one_line(metadata_of(event).get("time_taken")))),
    )


def _content_line(event: Any) -> str:
    return _labelled(
        "📚",
        ("Course", value_of(event, "course_title")),
        ("Chapter", value_of(event, "chapter_name")),
        ("Type", value_of(event, "content_type")),
    )


def _labelled(emoji: str, *parts: tuple[str, str]) -> str:
    """`📊 **Score:** 85 | **Result:** pass` of the parts that are known; "" if none is."""
    known = " | ".join(f"**{label}:** {value}" for label, value in parts if value)
    return f"{emoji} {known}" if known else ""


def _duration(text: str) -> str:
    """'0:45:00' in words: "45 minutes". A text of any other shape is only disarmed."""
    match = _DURATION.fullmatch(text)
    if match is None:
        return disarm(text, max_length=_VALUE_LENGTH)
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    if total < 60:
        return count_of(total, "second", "seconds")
    hours, minutes = divmod(total // 60, 60)
    parts = [count_of(hours, "hour", "hours")] if hours else []
    return " ".join([*parts, count_of(minutes, "minute", "minutes")] if minutes else parts)


def _by_student(events: Iterable[Any]) -> list[list[Any]]:
    """The events of each student, both in the order they came in."""
    students: dict[Any, list[Any]] = {}
    for event in events:
        students.setdefault(event.student_id, []).append(event)
    return list(students.values())


def _worst_first(student_events: Sequence[Any]) -> tuple[int, int]:
    """Sorts students: most failures first, then those without a result, then those who passed."""
    counts = Counter(str(event.event_type) for event in student_events)
    passed = counts[ActivityType.EXAM_PASSED.value]
    return -counts[ActivityType.EXAM_FAILED.value], passed


def _severity(event: Any) -> int:
    event_type = str(event.event_type)
    return WORST_FIRST.index(event_type) if event_type in WORST_FIRST else len(WORST_FIRST)


def _counted(events: Sequence[Any]) -> list[tuple[str, int]]:
    """How many there are of each event type, worst first."""
    ordered = sorted(events, key=_severity)
    return list(Counter(str(event.event_type) for event in ordered).items())


def _totals(events: Sequence[Any]) -> str:
    known = (f"{emoji_of(name)} {label_of(name)}: {count}" for name, count in _counted(events))
    return " | ".join(known)
