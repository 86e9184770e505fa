"""Which of the things waiting for a person are told now, and which are gathered for later. Pure.

The first news goes out at once. What follows within the gathering time is gathered, and one message carries it
when that time is over. A message of routine events only waits longer. While a message is on its way (or cannot be,
since Zulip is away) all that comes is gathered for the next, so that nobody gets a flood afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lms_bot.core.activities import ActivityType
from lms_bot.core.clock import UTC
from lms_bot.outbox.outbox import Recent

ROUTINE_EVERY = timedelta(minutes=5)
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
ROUTINE_TYPES = frozenset(
    one.value for one in (ActivityType.EXAM_STARTED, ActivityType.CONTENT_STARTED, ActivityType.CONTENT_WATCHED)
)


@dataclass(frozen=True)
class Waiting:
    """One event owed to the person; `due_at` is when their preferences let it be told."""

    delivery_id: int
    event_type: str
    due_at: datetime


@dataclass(frozen=True)
class Choice:
    """What to tell now, in one message if `is_gathered`, else each in its own; and when to look again, if known."""

    now: tuple[Waiting, ...] = ()
    is_gathered: bool = False
    look_again_at: datetime | None = None


def choose(waiting: Sequence[Waiting], recent: Recent, group_seconds: float, now: datetime) -> Choice:
    due = tuple(one for one in waiting if one.due_at <= now)
    if not due:
        return Choice(look_again_at=min((one.due_at for one in waiting), default=None))
    if group_seconds <= 0:
        return Choice(due)
    if recent.is_one_on_its_way:
        return Choice()
    gathering = timedelta(seconds=group_seconds)
    if _is_first_news(due, recent, gathering):
        return _first_news(due, recent, now)
    hold_until = _hold_until(due, recent, gathering)
    if now < hold_until:
        return Choice(look_again_at=hold_until)
    return Choice(due, is_gathered=True)


def _is_first_news(due: Sequence[Waiting], recent: Recent, gathering: timedelta) -> bool:
    """Whether all of it came after a silence."""
    return recent.last_at is None or min(one.due_at for one in due) >= recent.last_at + gathering


def _first_news(due: tuple[Waiting, ...], recent: Recent, now: datetime) -> Choice:
    """All of it at once; but of routine events only one, where the last gathered message is not long ago."""
    if len(due) > 1 and _is_routine(due) and now < _next_routine(recent):
        return Choice(due[:1], look_again_at=now)
    return Choice(due, is_gathered=len(due) > 1)


def _hold_until(due: Sequence[Waiting], recent: Recent, gathering: timedelta) -> datetime:
    """Until when these are gathered."""
    end = (recent.last_at or _LONG_AGO) + gathering
    return max(end, _next_routine(recent)) if _is_routine(due) else end


def _is_routine(due: Sequence[Waiting]) -> bool:
    return all(one.event_type in ROUTINE_TYPES for one in due)


def _next_routine(recent: Recent) -> datetime:
    """When a message of gathered routine events may be written again."""
    return _LONG_AGO if recent.last_gathered_at is None else recent.last_gathered_at + ROUTINE_EVERY
