"""What an LMS row says, checked: the guards for ids, moments, names and titles, the same for every kind of LMS."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lms_bot.core.activities import UNREADABLE, Activity, ActivityType, Rejection
from lms_bot.core.errors import first_line
from lms_bot.lms.values import (
    TITLE_LENGTH,
    UNQUESTIONED,
    RowProblem,
    check_value,
    read_id,
    read_key,
    read_moment,
    read_plain,
    read_text,
)


@dataclass(frozen=True)
class RowFact:
    """What a kind of LMS says a row is a fact of; the values are as the LMS has them, unchecked.

    `activity_id` is the exam's or content's, None where the row names none that is there. `metadata` is what is
    kept beside the event: `percentage` and `score` are the result, `course_title` tells exams of one title apart.
    `is_echo` and `is_withdrawn` as in Activity; the type of a withdrawn one says whether it is an exam.
    """

    event_type: ActivityType
    student_id: Any
    student_username: Any = None
    student_display_name: Any = None
    activity_id: Any = None
    activity_title: Any = None
    happened_at: Any = None
    started_at: Any = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    is_echo: bool = False
    is_withdrawn: bool = False


@dataclass(frozen=True)
class Reading:
    """What one LMS row said when it was looked at: an activity, or why it gave none."""

    row_key: str
    activity: Activity | None = None
    rejection: Rejection | None = None

    @property
    def is_open(self) -> bool:
        """Whether the row will change again: started, not yet final."""
        one = self.activity
        return one is not None and one.event_type.is_start and not one.is_withdrawn


ReadRow = Callable[[dict[str, Any]], RowFact]


def read_row(
    stream: str, read: ReadRow, columns: Sequence[str], values: tuple[Any, ...], lms_now: datetime
) -> Reading:
    """Never raises: whatever is wrong with a row, be it a mistake in `read`, is that row's rejection."""
    key = read_key(values[0])
    try:
        row = dict(zip(columns, values, strict=True))
        for name, value in row.items():
            if type(value) not in UNQUESTIONED:
                check_value(name, value, lms_now)
        fact = read(row)
        return Reading(key, _check(stream, key, values[0], fact, lms_now))
    except RowProblem as problem:
        return Reading(key, rejection=Rejection(stream, key, problem.problem, str(problem)))
    except Exception as error:
        reason = f"it cannot be read: {first_line(error) or type(error).__name__}"
        return Reading(key, rejection=Rejection(stream, key, UNREADABLE, reason))


def _check(stream: str, key: str, raw_key: Any, fact: RowFact, lms_now: datetime) -> Activity:
    """Raises RowProblem for what cannot be kept."""
    if fact.student_id is None:
        raise RowProblem(UNREADABLE, "it names no student")
    kind, activity_id = fact.event_type, fact.activity_id
    happened_at = read_moment("when it happened", fact.happened_at, lms_now)
    is_start = kind.is_start and not fact.is_withdrawn
    started_at = happened_at if is_start else _read_start(fact.started_at, lms_now)
    return Activity(
        stream=stream,
        row_key=key,
        event_type=kind,
        student_id=read_id("the student's id", fact.student_id),
        student_username=read_text(fact.student_username),
        student_display_name=read_text(fact.student_display_name),
        activity_id=0 if activity_id is None else read_id("the exam's or content's id", activity_id),
        activity_title=read_text(fact.activity_title, TITLE_LENGTH),
        activity_metadata={name: _read_kept(name, value, lms_now) for name, value in fact.metadata.items()},
        happened_at=happened_at,
        is_echo=fact.is_echo,
        is_withdrawn=fact.is_withdrawn,
        attempt_id=_read_attempt_id(raw_key),
        started_at=started_at,
    )


def _read_kept(name: str, value: Any, lms_now: datetime) -> Any:
    """What `read` made of the row's values need not be one of them."""
    if type(value) in UNQUESTIONED:
        return value
    check_value(name, value, lms_now)
    return read_plain(value)


def _read_start(value: Any, lms_now: datetime) -> datetime | None:
    """When it began; of what has ended, that cannot be read costs nothing else."""
    try:
        return read_moment("when it began", value, lms_now)
    except RowProblem:
        return None


def _read_attempt_id(key: Any) -> int | None:
    """The row's key, where it is a number that can be kept; an LMS may have UUIDs."""
    if type(key) is int:
        return read_id("id", key)
    try:
        return read_id("id", key)
    except RowProblem:
        return None
