"""The record of attempts: each row of the LMS as it says now, whatever was seen of it before."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from lms_bot.core.activities import ALL_TYPES, JUDGED, STARTED, WITHDRAWN, Activity, ActivityType, source_key
from lms_bot.store.coursework import CourseworkBook
from lms_bot.store.results import read_result
from lms_bot.store.statements import Statements, from_stored, to_stored
from lms_bot.store.student_totals import Standing, TotalsBook

if TYPE_CHECKING:
    import peewee

JUDGED_OUTCOMES = frozenset(kind.outcome for kind in JUDGED)


class Kept(NamedTuple):
    """The columns of an `Attempt` beside its key, in their order."""

    student_id: int | None
    is_exam: bool
    coursework_id: int | None
    outcome: str
    started_at: datetime | None
    last_at: datetime
    percentage: float | None
    score: float | None
    is_shown: bool
    seen_types: int
    changed_at: datetime
    judged: str | None = None
    judged_percentage: float | None = None

    @property
    def standing(self) -> Standing | None:
        """What it adds to the totals of its student."""
        if not self.is_shown or self.student_id is None:
            return None
        return Standing(self.student_id, self.last_at, self.percentage if self.is_exam else None)


KEY = ("stream", "row_key")
COLUMNS = Kept._fields
OLD = 1 << len(ActivityType)
"""Beside the bits of types: put together out of events by an earlier version, which did not know the exam."""

PLACES_OF_MOMENTS = [COLUMNS.index(name) for name in ("started_at", "last_at", "changed_at")]
PLACES_OF_FLAGS = [COLUMNS.index(name) for name in ("is_exam", "is_shown")]
REPLACE = f"({', '.join(KEY)}) DO UPDATE SET " + ", ".join(f"{name} = excluded.{name}" for name in COLUMNS)
INSERT_KNOWN = f"""
INSERT INTO lms_attempts (stream, row_key, is_exam, outcome, last_at, changed_at, is_shown, seen_types)
SELECT ?, wanted.value ->> 0, FALSE, '{STARTED}', {{moment}}, {{moment}}, FALSE, {ALL_TYPES} FROM {{wanted}}
WHERE 1 = 1 ON CONFLICT DO NOTHING
"""
FIX_ACTIVITY = """UPDATE lms_activity_events
SET activity_id = CAST(wanted.value ->> 0 AS BIGINT), is_old_id = FALSE
FROM {wanted} WHERE source_key = wanted.value ->> 1 AND is_old_id"""


@dataclass(frozen=True)
class Turn:
    """An exam that was passed is failed now, or the other way round: the LMS corrected it."""

    activity: Activity
    was_outcome: str
    was_percentage: float | None
    percentage: float | None

    @property
    def was_type(self) -> ActivityType:
        return ActivityType.EXAM_PASSED if self.was_outcome == "passed" else ActivityType.EXAM_FAILED


@dataclass(frozen=True)
class Followed:
    """What following some activities came to: the exams that turned, and titles by row key, as last known."""

    turns: list[Turn]
    titles: dict[str, str | None]


class AttemptBook:
    """The statements, within the caller's transaction. One process at a time follows a stream."""

    def __init__(self, database: peewee.Database) -> None:
        self._statements = Statements(database)
        self._coursework = CourseworkBook(database)
        self._totals = TotalsBook(database)

    def get_seen(self, stream: str, row_keys: Sequence[str]) -> dict[str, int]:
        """The types of events that these rows were seen as, told or not: bits by row key; none never seen."""
        condition, parameters = self._statements.among("row_key", row_keys)
        sql = f"SELECT row_key, seen_types FROM lms_attempts WHERE stream = ? AND {condition}"
        return dict(self._statements.execute(sql, (stream, *parameters)))

    def is_newer(self, activity: Activity) -> bool:
        """Whether it happened after what is known of its row, and is not known itself."""
        known = self._get(activity.stream, [activity.row_key]).get(activity.row_key)
        if known is None:
            return True
        is_known = known.seen_types & activity.event_type.bit
        return not is_known and activity.happened_at is not None and activity.happened_at > known.last_at

    def get_shown_keys(self, stream: str, after: str | None, limit: int) -> list[str]:
        """Keys of the stream's attempts which are in the LMS as far as we know, in some order, after one of them."""
        condition, parameters = ("row_key > ?", (after,)) if after is not None else ("1 = 1", ())
        sql = (
            f"SELECT row_key FROM lms_attempts WHERE stream = ? AND {condition} AND is_shown ORDER BY row_key LIMIT ?"
        )
        return [key for (key,) in self._statements.execute(sql, (stream, *parameters, limit))]

    def follow(self, stream: str, activities: Sequence[Activity], now: datetime) -> Followed:
        """Keeps these attempts as the LMS says they are now."""
        if not activities:
            return Followed([], {})
        before = self._get(stream, [one.row_key for one in activities])
        ids = [one.coursework_id for one in before.values() if one.coursework_id is not None]
        called = self._coursework.get_titles(ids) if ids else {}
        titles = {key: called.get(one.coursework_id or 0) for key, one in before.items()}
        coursework = self._coursework.follow(activities, titles)
        after: dict[str, Kept] = {}
        turns: list[Turn] = []
        for one in activities:
            old, about = before.get(one.row_key), coursework[one.row_key]
            if about is not None:
                titles[one.row_key] = about.title
            new = after[one.row_key] = _follow_one(one, old, about and about.coursework_id, now)
            if old is not None and _has_turned(old, new):
                turns.append(Turn(one, old.judged or "", old.judged_percentage, new.percentage))
        self._write(stream, before, after)
        self._totals.name_students(activities)
        self._fix_old_ids(activities, before)
        return Followed(turns, titles)

    def mark_gone(self, stream: str, row_keys: Sequence[str], now: datetime) -> None:
        """These rows are no more in the LMS: they count no longer. What was seen of them is not forgotten."""
        if not row_keys:
            return
        before = {key: one for key, one in self._get(stream, row_keys).items() if one.is_shown}
        self._write(
            stream, before, {key: one._replace(is_shown=False, changed_at=now) for key, one in before.items()}
        )

    def insert_known(self, stream: str, row_keys: Sequence[str], now: datetime) -> None:
        """Rows that were there before the bot and are never looked at again: nothing they say is news."""
        if not row_keys:
            return
        keys = json.dumps([[key] for key in row_keys])  # one parameter: they may be all of a log
        moment = "CAST(? AS timestamptz)" if self._statements.is_postgresql else "?"
        sql = INSERT_KNOWN.format(wanted=self._statements.wanted, moment=moment)
        self._statements.execute(sql, (stream, to_stored(now), to_stored(now), keys))

    def _get(self, stream: str, row_keys: Sequence[str]) -> dict[str, Kept]:
        condition, parameters = self._statements.among("row_key", row_keys)
        sql = f"SELECT row_key, {', '.join(COLUMNS)} FROM lms_attempts WHERE stream = ? AND {condition}"
        return {key: _to_kept(rest) for key, *rest in self._statements.execute(sql, (stream, *parameters))}

    def _write(self, stream: str, before: dict[str, Kept], after: dict[str, Kept]) -> None:
        changed = {key: one for key, one in after.items() if before.get(key) != one}
        rows = [(stream, key, *_to_row(one)) for key, one in changed.items()]
        self._statements.merge("lms_attempts", (*KEY, *COLUMNS), rows, REPLACE)
        pairs = ((before[key].standing if key in before else None, one.standing) for key, one in changed.items())
        self._totals.follow(pairs)

    def _fix_old_ids(self, activities: Sequence[Activity], before: dict[str, Kept]) -> None:
        """Events of earlier versions have the row's id in place of the exam's: it is known now."""
        fixed = [
            (one.activity_id, source_key(one.stream, one.row_key, kind.value))
            for one in activities
            if one.row_key in before and before[one.row_key].seen_types & OLD
            for kind in ActivityType
            if kind.bit & before[one.row_key].seen_types
        ]
        if fixed:
            self._statements.execute(FIX_ACTIVITY.format(wanted=self._statements.wanted), (json.dumps(fixed),))


def _follow_one(activity: Activity, old: Kept | None, coursework_id: int | None, now: datetime) -> Kept:
    outcome = activity.outcome
    is_ended = outcome not in (STARTED, WITHDRAWN)  # what a running attempt has so far is no result
    percentage, score = read_result(activity.activity_metadata) if is_ended else (None, None)
    is_same_outcome = old is not None and old.student_id is not None and old.outcome == outcome
    last_at = activity.happened_at or (old.last_at if old is not None and is_same_outcome else now)
    started_at = activity.started_at or (None if old is None else old.started_at)
    judged, judged_percentage = (outcome, percentage) if outcome in JUDGED_OUTCOMES else (None, None)
    if judged is None and old is not None and old.student_id == activity.student_id:
        # While it is regraded, an LMS may give it no result for a while.
        judged, judged_percentage = old.judged, old.judged_percentage
    seen = (0 if old is None else old.seen_types & ~OLD) | (0 if activity.is_withdrawn else activity.event_type.bit)
    new = Kept(
        student_id=activity.student_id,
        is_exam=activity.event_type.is_exam,
        coursework_id=coursework_id,
        outcome=outcome,
        started_at=last_at if started_at is None and outcome == STARTED else started_at,
        last_at=last_at,
        percentage=percentage,
        score=score,
        is_shown=not activity.is_echo,
        seen_types=seen,
        changed_at=now if old is None else old.changed_at,
        judged=judged,
        judged_percentage=judged_percentage,
    )
    if old is None or new == old._replace(seen_types=seen):
        return new
    return new._replace(changed_at=now)


def _has_turned(old: Kept, new: Kept) -> bool:
    is_told = new.is_shown and old.student_id == new.student_id and not old.seen_types & OLD
    return new.is_exam and is_told and new.outcome in JUDGED_OUTCOMES and old.judged not in (None, new.outcome)


def _to_row(kept: Kept) -> list[Any]:
    values: list[Any] = list(kept)
    for place in PLACES_OF_MOMENTS:
        if values[place] is not None:
            values[place] = to_stored(values[place])
    return values


def _to_kept(values: Sequence[Any]) -> Kept:
    known = list(values)
    for place in PLACES_OF_MOMENTS:
        if known[place] is not None:
            known[place] = from_stored(known[place])
    for place in PLACES_OF_FLAGS:
        known[place] = bool(known[place])
    return Kept(*known)
