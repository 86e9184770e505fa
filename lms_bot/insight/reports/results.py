"""Results of exams, of one kind at a time: who failed, who passed, and who did nothing at all."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from lms_bot.insight.reports.counting import choose
from lms_bot.store.database import database
from lms_bot.store.statements import Statements, from_stored, to_stored

_RESULTS_SQL = """
FROM lms_attempts AS attempt LEFT JOIN lms_coursework AS about ON about.coursework_id = attempt.coursework_id
WHERE is_shown AND attempt.is_exam AND outcome = ?"""
_SEEN_SQL = """
SELECT student_id, max(last_at) FROM lms_attempts WHERE is_shown AND student_id IS NOT NULL{condition}
GROUP BY student_id"""
_ACTIVE_SQL = """
SELECT DISTINCT student_id FROM lms_attempts
WHERE is_shown AND ((last_at >= ? AND last_at < ?) OR (started_at >= ? AND started_at < ?)){condition}"""


@dataclass(frozen=True)
class Wanted:
    """Which results: of these students (None: anybody's), from `start` on, before `end`, of one exam, where said."""

    outcome: str
    student_ids: Collection[int] | None
    start: datetime | None = None
    end: datetime | None = None
    coursework_id: int | None = None


class Result(NamedTuple):
    """One exam that ended so, at `last_at`."""

    student_id: int
    coursework_id: int | None
    activity_id: int
    title: str | None
    percentage: float | None
    last_at: datetime


class ResultPage(NamedTuple):
    """How many results there are, of how many students, and one page of them, newest first."""

    total: int
    students: int
    results: list[Result]


def get_results(wanted: Wanted, *, limit: int, offset: int = 0) -> ResultPage:
    """The latest result of each attempt, as the LMS says now."""
    statements = Statements(database.obj)
    condition, ids = choose(statements, wanted.student_ids)
    sql, parameters = _RESULTS_SQL + condition, [wanted.outcome, *ids]
    for column, value in (
        ("last_at >= ?", wanted.start and to_stored(wanted.start)),
        ("last_at < ?", wanted.end and to_stored(wanted.end)),
        ("attempt.coursework_id = ?", wanted.coursework_id),
    ):
        if value is not None:
            sql += f" AND {column}"
            parameters.append(value)
    ((total, students),) = statements.execute(f"SELECT count(*), count(DISTINCT student_id) {sql}", parameters)
    columns = "student_id, attempt.coursework_id, activity_id, title, percentage, last_at"
    page = f"SELECT {columns} {sql} ORDER BY last_at DESC, row_key DESC LIMIT ? OFFSET ?"
    found = statements.execute(page, (*parameters, limit, offset))
    return ResultPage(total, students, [_make(row) for row in found])


def _make(row: tuple[Any, ...]) -> Result:
    student_id, coursework_id, activity_id, title, percentage, last_at = row
    return Result(student_id, coursework_id, activity_id, title, percentage, from_stored(last_at))


def get_last_seen(student_ids: Collection[int]) -> dict[int, datetime]:
    """When each of these students did something last; without those who never did."""
    statements = Statements(database.obj)
    condition, ids = choose(statements, student_ids)
    found = statements.execute(_SEEN_SQL.format(condition=condition), ids)
    return {student_id: from_stored(last_at) for student_id, last_at in found}


def get_active(student_ids: Collection[int], start: datetime, end: datetime) -> set[int]:
    """Who of these students began or ended something from `start` on and before `end`."""
    statements = Statements(database.obj)
    condition, ids = choose(statements, student_ids)
    times = (to_stored(start), to_stored(end))
    return {one for (one,) in statements.execute(_ACTIVE_SQL.format(condition=condition), (*times, *times, *ids))}
