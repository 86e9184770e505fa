"""Which of the things waiting for a person are told now, and which are gathered for later. Pure.

Failures and recoveries go out at once; what follows is gathered for some time. Other results are a message an hour
at most, and what is told as it comes is gathered for a short time, for longer where it is routine only. Whenever a
message goes out, all that waits goes with it: it interrupts anyway. While a message is on its way (or cannot be,
since Zulip is away) all that comes is gathered for the next, so that nobody gets a flood afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lms_bot.core.activities import ActivityType
from lms_bot.core.clock import UTC
from lms_bot.notify.preferences import Pace

ROUTINE_EVERY = timedelta(minutes=7)
RESULTS_EVERY = timedelta(hours=1)
URGENT_SECONDS = 900.0
SHORTEST_SECONDS = 120.0
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
ROUTINE_TYPES = frozenset(kind.value for kind in ActivityType if kind.is_start or not kind.is_exam)


@dataclass(frozen=True)
class Gathering:
    """How long news are gathered after a message: `urgent` news, and what is told as it comes; None: not at all."""

    urgent: timedelta
    at_once: timedelta

    @property
    def is_on(self) -> bool:
        return self.at_once > timedelta()


def make_gathering(group_seconds: float | None, poll_seconds: float) -> Gathering:
    """As the admin said, or (None) as suits the poll: what is gathered for less than a poll takes is not gathered."""
    if group_seconds == 0:
        return Gathering(timedelta(), timedelta())
    if group_seconds is None:
        return Gathering(
            timedelta(seconds=URGENT_SECONDS), timedelta(seconds=max(SHORTEST_SECONDS, 2 * poll_seconds))
        )
    seconds = timedelta(seconds=group_seconds)
    return Gathering(seconds, max(seconds, timedelta(seconds=poll_seconds)))


@dataclass(frozen=True)
class Recent:
    """When a person was told something last, of what pace, and whether a message is on its way to them."""

    last_at: datetime | None = None
    urgent_at: datetime | None = None
    results_at: datetime | None = None
    is_one_on_its_way: bool = False


@dataclass(frozen=True)
class Waiting:
    """One thing owed to the person; `due_at` is when their preferences let it be told."""

    key: object
    event_type: str
    pace: Pace
    due_at: datetime


@dataclass(frozen=True)
class Choice:
    """What to tell now, in one message if `is_gathered`, else each in its own; and when to look again, if known."""

    now: tuple[Waiting, ...] = ()
    is_gathered: bool = False
    look_again_at: datetime | None = None


def choose(waiting: Sequence[Waiting], recent: Recent, gathering: Gathering, now: datetime) -> Choice:
    due = tuple(one for one in waiting if one.due_at <= now)
    later = min((one.due_at for one in waiting if one.due_at > now), default=None)
    if not due:
        return Choice(look_again_at=later)
    if not gathering.is_on:
        return Choice(due, look_again_at=later)
    if recent.is_one_on_its_way:
        return Choice()
    hold_until = min(_hold_until(due, recent, gathering))
    if now >= hold_until:
        return Choice(due, is_gathered=True, look_again_at=later)
    return Choice(look_again_at=min(hold_until, later or hold_until))


def _hold_until(due: Sequence[Waiting], recent: Recent, gathering: Gathering) -> Iterable[datetime]:
    """Until when those of each pace are gathered."""
    paces = {one.pace for one in due}
    if Pace.URGENT in paces:
        yield (recent.urgent_at or _LONG_AGO) + gathering.urgent
    if Pace.RESULT in paces:
        yield (recent.results_at or _LONG_AGO) + RESULTS_EVERY
    if Pace.AT_ONCE in paces:
        is_routine = all(one.event_type in ROUTINE_TYPES for one in due if one.pace is Pace.AT_ONCE)
        wait = max(gathering.at_once, ROUTINE_EVERY) if is_routine else gathering.at_once
        yield (recent.last_at or _LONG_AGO) + wait
