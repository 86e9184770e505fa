"""What the attempts of each student add up to, kept as they change, so that answers need not add them up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from lms_bot.core.activities import Activity
from lms_bot.store.statements import Statements, to_stored

if TYPE_CHECKING:
    import peewee

ADDED = ("student_id", "last_at", "scored", "percentage_total", "is_changed")
ADD = """(student_id) DO UPDATE SET
    last_at = CASE WHEN excluded.last_at > kept.last_at THEN excluded.last_at ELSE kept.last_at END,
    scored = kept.scored + excluded.scored, percentage_total = kept.percentage_total + excluded.percentage_total,
    is_changed = TRUE"""
NAME = """UPDATE lms_standings SET username = coalesce(?, username), display_name = coalesce(?, display_name)
WHERE student_id = ?"""
SHOWN = "FROM lms_attempts AS attempt WHERE attempt.student_id = lms_standings.student_id AND attempt.is_shown"
PERCENTAGE = "CASE WHEN attempt.is_exam THEN attempt.percentage END"
ADD_UP_ANEW = f"""UPDATE lms_standings SET last_at = (SELECT max(attempt.last_at) {SHOWN}),
    scored = (SELECT count({PERCENTAGE}) {SHOWN}),
    percentage_total = (SELECT coalesce(sum({PERCENTAGE}), 0) {SHOWN}), is_changed = TRUE
WHERE student_id = ?"""
LOCK = "SELECT pg_advisory_xact_lock(hashtext('lms_bot:standings'))"
HAS_NOTHING = f"DELETE FROM lms_standings WHERE student_id = ? AND NOT EXISTS (SELECT 1 {SHOWN})"


class Standing(NamedTuple):
    """What one attempt adds: whose it is, when it changed last, and its percentage where it is an exam's."""

    student_id: int
    last_at: datetime
    percentage: float | None


@dataclass
class _Sum:
    last_at: datetime
    scored: int = 0
    percentage_total: float = 0.0

    def add(self, one: Standing, sign: int) -> None:
        if one.percentage is not None:
            self.scored += sign
            self.percentage_total += sign * one.percentage


class TotalsBook:
    """The statements, within the caller's transaction."""

    def __init__(self, database: peewee.Database) -> None:
        self._statements = Statements(database)

    def follow(self, changes: Iterable[tuple[Standing | None, Standing | None]]) -> None:
        """Some attempts changed, each from what it added before to what it adds now; they are written already.

        One transaction at a time: adding up anew, it would not see what another one, of another stream, has not yet
        committed. SQLite's transactions take turns anyway.
        """
        changes = list(changes)
        if changes and self._statements.is_postgresql:
            self._statements.execute(LOCK)
        sums: dict[int, _Sum] = {}
        anew: set[int] = set()
        for before, after in changes:
            if after is not None:
                total = sums.setdefault(after.student_id, _Sum(after.last_at))
                total.last_at = max(total.last_at, after.last_at)
                total.add(after, 1)
            if before is None:
                continue
            if after is None or before.student_id != after.student_id or after.last_at < before.last_at:
                anew.add(before.student_id)
            else:
                sums[before.student_id].add(before, -1)
        rows = [
            (student_id, to_stored(one.last_at), one.scored, one.percentage_total, True)
            for student_id, one in sorted(sums.items())
        ]
        self._statements.merge("lms_standings", ADDED, rows, ADD)
        one_by_one = [(student_id,) for student_id in sorted(anew)]
        self._statements.execute_many(HAS_NOTHING, one_by_one)
        self._statements.execute_many(ADD_UP_ANEW, one_by_one)

    def name_students(self, activities: Sequence[Activity]) -> None:
        """What the students of these activities are called now."""
        names: dict[int, tuple[str | None, str | None]] = {}
        for one in activities:
            said_before = names.get(one.student_id, (None, None))
            names[one.student_id] = (
                one.student_username or said_before[0],
                one.student_display_name or said_before[1],
            )
        condition, parameters = self._statements.among("student_id", list(names))
        sql = f"SELECT student_id, username, display_name FROM lms_standings WHERE {condition}"
        before = {student_id: tuple(called) for student_id, *called in self._statements.execute(sql, parameters)}
        changed = [
            (*called, student_id)
            for student_id, called in sorted(names.items())
            if student_id in before
            and any(new not in (None, old) for new, old in zip(called, before[student_id], strict=True))
        ]
        self._statements.execute_many(NAME, changed)
