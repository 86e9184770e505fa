"""Concerns of students in the small world of `chat_world`, opened by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lms_bot.store.concerns import Concern, ConcernKind, ConcernTelling
from tests.worlds.chat_world import NOW, World

if TYPE_CHECKING:
    from lms_bot.lms.people import Student
    from lms_bot.store.messages import Message

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FACTS: dict[ConcernKind, dict[str, Any]] = {
    ConcernKind.FAILING: {
        "in_row": 3, "exams": ["Algebra", "Physics", "Latin"], "percentages": [40, 35, None], "of_exam": 1,
    },
    ConcernKind.FALLING: {"recent": 58.2, "before": 77.0},
    ConcernKind.SILENT: {"last_at": "2026-03-06T10:00:00+00:00", "school_days": 7},
    ConcernKind.LEFT_OPEN: {"exams": [["Algebra", "2026-03-16T10:00:00+00:00"]], "count": 1},
    ConcernKind.RUSHING: {"day": "2026-03-17", "count": 12},
    ConcernKind.NEVER_STARTED: {"since": "2026-03-06", "school_days": 7},
}  # fmt: skip
"""An example of what is known of each kind."""


def open_concern(world: World, student: Student, kind: ConcernKind, **columns: Any) -> int:
    """Its id. Open since Tuesday of last week, where nothing else is said."""
    usual = {
        "facts": FACTS[kind],
        "since_at": NOW - 8 * DAY,
        "opened_at": NOW - 8 * DAY,
        "changed_at": NOW - 8 * DAY,
    }
    with world.store.transaction():
        concern = Concern.create(student_id=student.student_id, kind=kind, **usual | columns)
    return int(concern.concern_id)


def change_concern(world: World, concern_id: int, **columns: Any) -> None:
    with world.store.transaction():
        Concern.update(**columns).where(Concern.concern_id == concern_id).execute()


def tell_of(world: World, concern_id: int, message: Message) -> None:
    """The message told its reader of the concern."""
    with world.store.transaction():
        ConcernTelling.create(concern=concern_id, number=0, zulip_user_id=message.zulip_user_id, message=message)


def get_seen_by(world: World, concern_id: int) -> int | None:
    """Who has seen to it."""
    with world.store.session():
        seen_by: int | None = Concern.get_by_id(concern_id).seen_by
    return seen_by
