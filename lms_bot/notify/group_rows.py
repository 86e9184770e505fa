"""The rows of a grouped message: what one student did with one exam or content, worst first."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from lms_bot.core.activities import ActivityType
from lms_bot.core.markdown import disarm
from lms_bot.notify.wording import correction_of, kind_of, metadata_of, tell_apart, title_of, type_of
from lms_bot.store.results import read_result

_FAILED, _PASSED = ActivityType.EXAM_FAILED.value, ActivityType.EXAM_PASSED.value
# A later step of one attempt may bear the time of an earlier one: the LMS does not always know when it ended.
_STEPS = {"started": 0, "watched": 1, "completed": 2}
_LAST_STEP = 3

_NAME_LENGTH = 80
_TITLE_LENGTH = 120
_NO_RESULT = 10_000.0
_LONG_AGO = datetime.min.replace(tzinfo=timezone.utc)


@dataclass(frozen=True)
class Row:
    """What one student did with one exam or content. `attempts` and the events in each are oldest first."""

    student_id: Any
    student: str
    title: str
    attempts: list[list[Any]]

    @property
    def events(self) -> list[Any]:
        return [event for attempt in self.attempts for event in attempt]

    @property
    def news(self) -> list[Any]:
        """The events that went furthest in their attempts."""
        return [event for attempt in self.attempts for event in get_furthest(attempt)]


def get_rows(events: Iterable[Any], name_of: Callable[[Any], str]) -> list[Row]:
    """The rows, worst first; equally bad ones by student."""
    events = list(events)
    names = _name_students(events, name_of)
    groups: dict[tuple[Any, str, Any], list[Any]] = {}
    for event in events:
        # Two exams of one title are two; one that was renamed meanwhile is one.
        tried = event.activity_id if _has_both_ids(event) else None
        groups.setdefault((event.student_id, kind_of(event), tried or title_of(event)), []).append(event)
    rows = []
    for (student, kind, _), group in groups.items():
        title = title_of(group[-1])
        shown_title = _shortened(title or f"untitled {kind.lower()}", _TITLE_LENGTH)
        rows.append(Row(student, names[student], shown_title, _attempts(group)))
    return sorted(rows, key=lambda row: (_rank(row), _lowest(row), row.student.casefold(), row.student_id))


def _name_students(events: Iterable[Any], name_of: Callable[[Any], str]) -> dict[Any, str]:
    """By student, as `name_of` has it; without the username where nobody else here is called alike."""
    known: dict[Any, Any] = {}
    for event in events:
        known.setdefault(event.student_id, event)
    names: dict[Any, tuple[str, str]] = {}
    for student, one in known.items():
        full, name = name_of(one), disarm(getattr(one, "student_display_name", None))
        is_ours = bool(name) and full == f"{name} ({disarm(one.student_username)})"  # a subclass may say otherwise
        names[student] = (name if is_ours else full, full)
    return {student: _shortened(name, _NAME_LENGTH) for student, name in tell_apart(names).items()}


def _attempts(events: Iterable[Any]) -> list[list[Any]]:
    """The events of each attempt in the order of its course; the attempt that ended last is last."""
    attempts: dict[Any, list[Any]] = {}
    for event in sorted(events, key=lambda event: (step_of(event), moment_of(event), event.event_id)):
        # Events that no attempt is known of are one each.
        attempt = _attempt_of(event)
        attempts.setdefault((event.event_id,) if attempt is None else attempt, []).append(event)
    return sorted(attempts.values(), key=lambda attempt: (max(map(moment_of, attempt)), attempt[-1].event_id))


def _has_both_ids(event: Any) -> bool:
    """Events of earlier versions have the attempt's id as the activity's."""
    return getattr(event, "attempt_id", None) is not None and not getattr(event, "is_old_id", False)


def _attempt_of(event: Any) -> Any:
    attempt = getattr(event, "attempt_id", None)
    return event.activity_id if attempt is None else attempt


def _rank(row: Row) -> int:
    """By how the last attempt stands: failed, started and nothing more, completed, passed."""
    last = type_of(_get_last(row))
    if last == _FAILED:
        return 0
    if last.endswith("_started"):
        return 1
    return 3 if last == _PASSED else 2


def _get_last(row: Row) -> Any:
    """The last result, also where another attempt was begun since; without any, the last step."""
    results = [attempt[-1] for attempt in row.attempts if step_of(attempt[-1]) == _LAST_STEP]
    return (results or [row.attempts[-1][-1]])[-1]


def _lowest(row: Row) -> float:
    """The last result in percent; what has none comes after those that have one."""
    last = _get_last(row)
    correction = correction_of(last)
    number = correction.percentage if correction is not None else read_result(metadata_of(last))[0]
    return _NO_RESULT if number is None else number


def get_furthest(attempt: list[Any]) -> list[Any]:
    furthest = max(map(step_of, attempt))
    return [event for event in attempt if step_of(event) == furthest]


def step_of(event: Any) -> int:
    return _STEPS.get(str(event.event_type).rpartition("_")[2], _LAST_STEP)


def moment_of(event: Any) -> datetime:
    return event.timestamp if isinstance(event.timestamp, datetime) else _LONG_AGO


def _shortened(text: str, max_length: int) -> str:
    return text if len(text) <= max_length else disarm(text, max_length=max_length)
