"""What is held back from people by what they chose, and until when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from itertools import groupby

from lms_bot.core.clock import UTC
from lms_bot.insight.reports.outgoing import Unwritten
from lms_bot.notify.preference_book import PreferenceBook
from lms_bot.notify.preferences import FAR_FUTURE, Pace, Preferences, Told


@dataclass
class HeldBack:
    """One person's deliveries in no message yet: how many are due, and how many are held until when.

    Those held until the person says so are held until FAR_FUTURE.
    """

    recipient: str
    since: datetime
    due: int = 0
    held: Counter[datetime] = field(default_factory=Counter)


def get_held_back(
    unwritten: Iterable[Unwritten],
    preferences: PreferenceBook,
    get_zone: Callable[[int], tzinfo | None],
    now: datetime,
) -> Iterator[HeldBack]:
    """By person. What they want not to be told is left out."""
    in_order = sorted(unwritten, key=lambda one: one.zulip_user_id)  # stable: oldest first for each
    for person, theirs in groupby(in_order, key=lambda one: one.zulip_user_id):
        held_back = _add_up(list(theirs), preferences.get(person), get_zone(person) or UTC, now)
        if held_back.due or held_back.held:
            yield held_back


def _add_up(unwritten: list[Unwritten], preferences: Preferences, zone: tzinfo, now: datetime) -> HeldBack:
    held_back = HeldBack(unwritten[0].recipient, unwritten[0].created_at)
    for one in unwritten:
        plan = preferences.make_plan(Told(one.event_type, one.student_id), one.created_at, zone, now)
        if plan is None or plan.pace is Pace.SUMMED:
            continue
        if plan.due_at > now:
            held_back.held[min(plan.due_at, FAR_FUTURE)] += 1
        else:
            held_back.due += 1
    return held_back
