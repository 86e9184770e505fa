"""The emoji, the words and the texts of one event that every message uses alike. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from lms_bot.core.activities import ActivityType
from lms_bot.core.markdown import disarm
from lms_bot.core.results import percent

EMOJI: dict[str, str] = {
    ActivityType.EXAM_STARTED.value: "📝",
    ActivityType.EXAM_COMPLETED.value: "✅",
    ActivityType.EXAM_PASSED.value: "🎉",
    ActivityType.EXAM_FAILED.value: "❌",
    ActivityType.CONTENT_STARTED.value: "📖",
    ActivityType.CONTENT_COMPLETED.value: "📚",
    ActivityType.CONTENT_WATCHED.value: "👀",
}
LABELS: dict[str, str] = {
    ActivityType.EXAM_STARTED.value: "Exams started",
    ActivityType.EXAM_COMPLETED.value: "Exams completed",
    ActivityType.EXAM_PASSED.value: "Exams passed",
    ActivityType.EXAM_FAILED.value: "Exams failed",
    ActivityType.CONTENT_STARTED.value: "Contents started",
    ActivityType.CONTENT_COMPLETED.value: "Contents completed",
    ActivityType.CONTENT_WATCHED.value: "Contents viewed",
}
UNKNOWN_TYPE_EMOJI = "🔔"
MOST_CORRECTIONS = 5
"""More results than these corrected at once are told as one line."""

K = TypeVar("K")

_TITLE_LENGTH = 500
_VALUE_LENGTH = 200


def emoji_of(event_type: str) -> str:
    return EMOJI.get(event_type, UNKNOWN_TYPE_EMOJI)


def label_of(event_type: str) -> str:
    return LABELS.get(event_type) or disarm(event_type.replace("_", " "), max_length=_VALUE_LENGTH)


def count_of(number: int, one: str, many: str) -> str:
    """`1 student`, `2 students`."""
    return f"{number} {one if number == 1 else many}"


def title_of(event: Any, max_length: int = _TITLE_LENGTH) -> str:
    """The activity's title, disarmed; where the LMS has none, what it is and its number; "" without either."""
    title = disarm(event.activity_title, max_length=max_length)
    if title or event.activity_id is None:
        return title
    return f"{kind_of(event)} {disarm(event.activity_id)}"


def type_of(event: Any) -> str:
    """What it says now: of a corrected result, what that is now."""
    correction = correction_of(event)
    return str(event.event_type if correction is None else correction.event_type)


def correction_of(event: Any) -> Any:
    """The `Correction` that is told with this event, or None."""
    return getattr(event, "correction", None)


def format_result(event_type: str, percentage: float | None) -> str:
    """`passed 75%`, or `passed` where there is no percentage."""
    return f"{event_type.rpartition('_')[2]} {percent(percentage)}".rstrip()


def tell_apart(names: Mapping[K, tuple[str, str]]) -> dict[K, str]:
    """Of the short and the full name of each, the full one only where two are called alike."""
    called = Counter(short.casefold() for short, _ in names.values())
    return {key: full if called[short.casefold()] > 1 else short for key, (short, full) in names.items()}


def format_corrections(corrected: Sequence[Any]) -> str:
    """Many results that were corrected in one line: a regrade of a whole exam is one thing."""
    counts = Counter(type_of(event) for event in corrected)
    kinds = (ActivityType.EXAM_FAILED.value, ActivityType.EXAM_PASSED.value)
    what = ", ".join(f"{EMOJI[kind]} {counts[kind]} now {kind.rpartition('_')[2]}" for kind in kinds if counts[kind])
    whom = count_of(len({event.student_id for event in corrected}), "student", "students")
    return f"✏️ **{len(corrected)} results of {whom} were corrected**: {what}"


def kind_of(event: Any) -> str:
    return "Exam" if str(event.event_type).startswith("exam") else "Content"


def metadata_of(event: Any) -> dict[str, Any]:
    return event.activity_metadata if isinstance(event.activity_metadata, dict) else {}


def value_of(event: Any, key: str, max_length: int = _VALUE_LENGTH) -> str:
    """What the LMS said about the event, disarmed; "" where it said nothing. 85.0 is 85."""
    value = metadata_of(event).get(key)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return disarm(value, max_length=max_length)


def percentage_of(event: Any, max_length: int = _VALUE_LENGTH) -> str:
    """`85%`, however the LMS writes it; "" where it says nothing."""
    number = value_of(event, "percentage", max_length).removesuffix("%").rstrip()
    return f"{number}%" if number else ""
