"""Which students need their mentor's attention, and why."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from lms_bot.insight.reports.counting import choose
from lms_bot.store.database import database
from lms_bot.store.statements import Statements, from_stored, to_stored

LEFT_AFTER = timedelta(days=1)
SILENT_AFTER = timedelta(days=7)


class Flag(Enum):
    """Why a student needs attention, the most urgent first."""

    FAILED = "failed their last exam"
    LEFT_OPEN = "left an exam open for more than a day"
    SILENT = "did nothing for more than 7 days"


@dataclass(frozen=True)
class LastResult:
    """The latest exam that is not open; `outcome` as in `Attempt`."""

    activity_id: int
    title: str | None
    outcome: str
    percentage: float | None


@dataclass(frozen=True)
class Attention:
    """How a student is doing; `last_at` is None for one of whom no event is counted."""

    student_id: int
    flags: tuple[Flag, ...]
    last_at: datetime | None = None
    last_result: LastResult | None = None


_NOW_SQL = """
SELECT student_id, last_at,
  (SELECT activity_id FROM lms_attempts AS ended
   WHERE ended.student_id = totals.student_id AND is_exam AND outcome <> 'started'
   ORDER BY ended.last_at DESC, activity_id DESC LIMIT 1),
  EXISTS (SELECT 1 FROM lms_attempts AS opened
   WHERE opened.student_id = totals.student_id AND is_exam AND outcome = 'started' AND started_at < ?)
FROM lms_standings AS totals WHERE 1 = 1{condition}
"""
_RESULT_KEY = {"student_id": "integer", "is_exam": "boolean", "activity_id": "integer"}
_RESULT_COLUMNS = ("student_id", "activity_id", "title", "outcome", "percentage")


def get_attention(student_ids: Collection[int], now: datetime) -> dict[int, Attention]:
    """How each of these students is doing, by id."""
    statements = Statements(database.obj)
    condition, ids = choose(statements, student_ids)
    opened_before = to_stored(now - LEFT_AFTER)
    found = statements.execute(_NOW_SQL.format(condition=condition), (opened_before, *ids))
    results = _get_results(statements, [(row[0], True, row[2]) for row in found if row[2] is not None])
    attention = {student_id: Attention(student_id, (Flag.SILENT,)) for student_id in student_ids}
    for student_id, last_at, _, has_left in found:
        last, result = from_stored(last_at), results.get(student_id)
        attention[student_id] = Attention(student_id, _raise_flags(result, bool(has_left), now - last), last, result)
    return attention


def _get_results(statements: Statements, keys: list[tuple[int, bool, int]]) -> dict[int, LastResult]:
    found = statements.find("lms_attempts", _RESULT_COLUMNS, _RESULT_KEY, keys) if keys else []
    return {student_id: LastResult(*rest) for student_id, *rest in found}


def _raise_flags(result: LastResult | None, has_left: bool, silence: timedelta) -> tuple[Flag, ...]:
    raised = {
        Flag.FAILED: result is not None and result.outcome == "failed",
        Flag.LEFT_OPEN: has_left,
        Flag.SILENT: silence > SILENT_AFTER,
    }
    return tuple(flag for flag, is_raised in raised.items() if is_raised)
