"""What is held back from people by what they chose, and until when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from itertools import groupby
from typing import TYPE_CHECKING

from lms_bot.core.clock import UTC
from lms_bot.insight.reports import Unwritten, get_unwritten
from lms_bot.notify.preferences import FAR_FUTURE, Preferences

if TYPE_CHECKING:
    from lms_bot.app import App
    from lms_bot.chat.language.question import Question


@dataclass
class HeldBack:
    """One person's deliveries in no message yet: how many are due, and how many are held until when.

    Those held until the person says so are held until FAR_FUTURE.
    """

    recipient: str
    since: datetime
    due: int = 0
    held: Counter[datetime] = field(default_factory=Counter)


def get_held_back(question: Question) -> HeldBack | None:
    """The asker's own."""
    unwritten = get_unwritten(question.zulip_user_id)
    return next(get_everybodys_held_back(question.app, unwritten, question.now), None)


def get_everybodys_held_back(app: App, unwritten: Iterable[Unwritten], now: datetime) -> Iterator[HeldBack]:
    """By person. What they want not to be told is left out."""
    in_order = sorted(unwritten, key=lambda one: one.zulip_user_id)  # stable: oldest first for each
    for person, theirs in groupby(in_order, key=lambda one: one.zulip_user_id):
        holding = _hold(list(theirs), app.preferences.get(person), app.composer.get_zone(person) or UTC, now)
        if holding.due or holding.held:
            yield holding


def _hold(unwritten: list[Unwritten], preferences: Preferences, zone: tzinfo, now: datetime) -> HeldBack:
    holding = HeldBack(unwritten[0].recipient, unwritten[0].created_at)
    for one in unwritten:
        due_at = preferences.get_due(one.event_type, one.student_id, one.created_at, zone, now)
        if due_at is not None and due_at > now:
            holding.held[min(due_at, FAR_FUTURE)] += 1
        elif due_at is not None:
            holding.due += 1
    return holding
