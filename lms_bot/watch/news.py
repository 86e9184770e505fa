"""What of a page of LMS rows is news, and of that, what is told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from lms_bot.core.activities import JUDGED, Activity
from lms_bot.lms.stream import Changes
from lms_bot.store.attempts import AttemptBook

BOTH = sum(kind.bit for kind in JUDGED)


@dataclass(frozen=True)
class News:
    """What of a page is `fresh`; the rest is taken as known. `untold` are source keys of what is too old to be told.

    `turning` are activities of exams seen both passed and failed, which may say now what they said before last:
    somebody may have to be told that.
    """

    fresh: list[Activity]
    untold: set[str]
    turning: list[Activity]


@dataclass(frozen=True)
class NewsFinder:
    """`event_types` are watched. What happened more than `lookback` before the very first start is taken as known."""

    attempts: AttemptBook
    event_types: frozenset[str]
    lookback: timedelta

    def find(self, changes: Changes, since: datetime | None) -> News:
        """What happened before `since`, in rows never seen before, is too old to be told: imported, say. Of those we
        know, a change is news whatever their dates say, which may be of when they were begun."""
        activities = [one.activity for one in changes.readings if one.activity and not one.activity.is_withdrawn]
        if not activities:
            return News([], set(), [])
        seen = self.attempts.get_seen(changes.stream.name, [one.row_key for one in activities])
        first_start = changes.position.baseline_at  # null but on the pages of the very first look
        told_since = datetime.fromisoformat(first_start) - self.lookback if first_start else None
        fresh = [
            one
            for one in activities
            if not seen.get(one.row_key, 0) & one.event_type.bit
            and one.event_type.value in self.event_types
            and (told_since is None or (one.happened_at is not None and one.happened_at >= told_since))
        ]
        limit = None if first_start else since  # at the first look, the lookback decides
        old = (one for one in fresh if limit and one.happened_at is not None and one.happened_at < limit)
        untold = {one.source_key for one in old if one.row_key not in seen}
        judged = (one for one in activities if one.event_type in JUDGED)
        turning = [one for one in judged if (seen.get(one.row_key, 0) | one.event_type.bit) & BOTH == BOTH]
        return News(fresh, untold, turning)
