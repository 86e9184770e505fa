"""The pass of each school day: what students did not do."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from lms_bot.core.activities import STARTED
from lms_bot.core.clock import to_utc
from lms_bot.insight.concerns import rules
from lms_bot.insight.concerns.book import ConcernBook, Look, between
from lms_bot.insight.concerns.looks import CORRECTED, OF_RECORD, end_silence
from lms_bot.insight.concerns.record import RecordReader
from lms_bot.insight.concerns.rules import Calendar, Finding, Thresholds, Try
from lms_bot.store.concerns import Concern, ConcernKind
from lms_bot.store.statements import Statements, from_stored, to_stored

if TYPE_CHECKING:
    import peewee

STUDENTS_AT_ONCE = 500  # who writes waits meanwhile, where the store is SQLite
OF_TIME = (ConcernKind.SILENT, ConcernKind.NEVER_STARTED, ConcernKind.LEFT_OPEN)
LEFT_OPEN_SQL = """
SELECT student_id, coursework_id, row_key, started_at, last_at FROM lms_attempts
WHERE is_shown AND outcome = 'started' AND is_exam AND (started_at <= ? OR started_at IS NULL) AND {students}
"""

Enrolled = Mapping[int, datetime | None]
"""Who has a mentor, and since when they are known to the LMS where it says so."""


class _Active(NamedTuple):
    """When a student who has an attempt was active last; `is_changed`: that was not looked at yet."""

    last_at: datetime
    is_changed: bool


class DailyPass:
    """Within the caller's transaction, which must be the only one that changes concerns.

    A batch is of the students whose ids are above `after` and not above `upto`, where these are given.
    """

    def __init__(self, database: peewee.Database, calendar: Calendar, thresholds: Thresholds) -> None:
        self._statements = Statements(database)
        self._book = ConcernBook(database)
        self._reader = RecordReader(database, calendar)
        self._calendar = calendar
        self._thresholds = thresholds

    def find_end(self, after: int | None, enrolled: Sequence[int]) -> int | None:
        """Up to which student the batch after that one goes; None: it is the last. `enrolled` is in order."""
        condition, parameters = between("student_id", after, None)
        sql = f"SELECT student_id FROM lms_standings WHERE {condition} ORDER BY student_id LIMIT 1 OFFSET ?"
        ends = [one for (one,) in self._statements.execute(sql, (*parameters, STUDENTS_AT_ONCE - 1))]
        first = 0 if after is None else bisect_right(enrolled, after)
        ends += enrolled[first + STUDENTS_AT_ONCE - 1 : first + STUDENTS_AT_ONCE]
        return min(ends, default=None)

    def look(self, after: int | None, upto: int | None, enrolled: Enrolled, now: datetime, *, is_old: bool) -> None:
        """Opens and clears what time brings to a batch of students; `enrolled` are those of them that are."""
        active = self._read_active(after, upto)
        newcomers = self._follow_newcomers(after, upto, enrolled.keys() - active.keys(), enrolled, now)
        known = self._book.get_open_in_range(after, upto)
        found: dict[int, list[Finding]] = defaultdict(list)
        self._find_silent(active, enrolled, now, found)
        self._find_never_started(newcomers, now, found)
        self._find_left_open(after, upto, now, found)
        looks = (
            Look(
                student_id,
                _get_kinds(active.get(student_id)),
                found.get(student_id, ()),
                partial(self._get_ending, active.get(student_id), student_id in enrolled),
            )
            for student_id in sorted(known.keys() | found.keys())
        )
        self._book.follow(looks, known, now, is_old=is_old)

    def _find_silent(
        self, active: Mapping[int, _Active], enrolled: Enrolled, now: datetime, found: dict[int, list[Finding]]
    ) -> None:
        days = self._thresholds.silent_days
        since = rules.find_silent_since(self._calendar.get_date(now), self._calendar, days)
        if since is None:
            return
        before = self._calendar.get_midnight(since + timedelta(days=1))
        for student_id, one in active.items():
            if one.last_at < before and student_id in enrolled:
                found[student_id] += filter(None, [rules.find_silent(one.last_at, now, self._calendar, days)])

    def _find_never_started(
        self, newcomers: Mapping[int, datetime], now: datetime, found: dict[int, list[Finding]]
    ) -> None:
        for student_id, since_at in newcomers.items():
            finding = rules.find_never_started(since_at, now, self._calendar, self._thresholds.silent_days)
            found[student_id] += filter(None, [finding])

    def _find_left_open(
        self, after: int | None, upto: int | None, now: datetime, found: dict[int, list[Finding]]
    ) -> None:
        condition, parameters = between("student_id", after, upto)
        limit = to_stored(now - timedelta(hours=self._thresholds.open_hours))
        rows = self._statements.execute(LEFT_OPEN_SQL.format(students=condition), (limit, *parameters))
        left: dict[int, list[Try]] = defaultdict(list)
        for student_id, coursework_id, row_key, started_at, last_at in rows:
            began_at = None if started_at is None else from_stored(started_at)
            left[student_id].append(Try(True, coursework_id, row_key, STARTED, None, began_at, from_stored(last_at)))
        titles = self._reader.read_titles(sorted({row[1] for row in rows if row[1] is not None}))
        for student_id, tries in left.items():
            finding = rules.find_left_open(
                tries, lambda each: titles.get(each or 0), now, self._thresholds.open_hours
            )
            found[student_id] += filter(None, [finding])

    def _get_ending(self, active: _Active | None, is_enrolled: bool, concern: Concern) -> dict[str, Any]:
        kind = ConcernKind(concern.kind)
        if kind in OF_RECORD:
            return CORRECTED
        if active is not None and (kind is ConcernKind.NEVER_STARTED or active.last_at > concern.since_at):
            return end_silence(concern, self._reader, self._calendar)
        if not is_enrolled:
            return {"why": "left"}
        return {"why": "holidays"} if active or kind is ConcernKind.NEVER_STARTED else CORRECTED

    def _read_active(self, after: int | None, upto: int | None) -> dict[int, _Active]:
        condition, parameters = between("student_id", after, upto)
        sql = f"SELECT student_id, last_at, is_changed FROM lms_standings WHERE {condition}"
        rows = self._statements.execute(sql, parameters)
        return {one: _Active(from_stored(last_at), bool(is_changed)) for one, last_at, is_changed in rows}

    def _follow_newcomers(
        self, after: int | None, upto: int | None, idle: Collection[int], enrolled: Enrolled, now: datetime
    ) -> dict[int, datetime]:
        """Who is enrolled and has done nothing, since when: kept from the day on which it was seen first."""
        condition, parameters = between("student_id", after, upto)
        sql = f"SELECT student_id, since_at FROM lms_newcomers WHERE {condition}"
        before = {one: from_stored(since_at) for one, since_at in self._statements.execute(sql, parameters)}
        found = {one: before.get(one) or _choose_since(enrolled[one], now) for one in sorted(idle)}
        fresh = [(one, to_stored(since_at)) for one, since_at in found.items() if one not in before]
        self._statements.merge("lms_newcomers", ("student_id", "since_at"), fresh)
        gone = [(one,) for one in sorted(before.keys() - found.keys())]
        self._statements.execute_many("DELETE FROM lms_newcomers WHERE student_id = ?", gone)
        return found


def _get_kinds(active: _Active | None) -> Collection[ConcernKind]:
    """What is looked for. Of who has no attempt any more, nobody else looks at anything."""
    if active is None:
        return (*OF_RECORD, ConcernKind.SILENT, ConcernKind.NEVER_STARTED)
    return OF_TIME[:-1] if active.is_changed else OF_TIME


def _choose_since(created: datetime | None, now: datetime) -> datetime:
    return now if created is None else min(to_utc(created), now)
