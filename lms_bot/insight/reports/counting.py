"""How many events: of each type, and of each student, in any period.

Whole days are taken from the counts that `Counters` keeps, in as few spans as will do; only what is left of a day
at either end is counted from the events. Each answer is one statement: what is counted meanwhile cannot tear it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from lms_bot.core.clock import UTC, to_utc
from lms_bot.store.counter_changes import ALL_TIME, COUNT_COLUMNS, COUNTED_TYPES, SPANS
from lms_bot.store.database import database
from lms_bot.store.statements import COUNTED_TO, Condition, Statements, from_stored, to_stored

Period = tuple[datetime | None, datetime | None]
"""From the first moment on and before the second; None is without limit."""

SplitPeriod = tuple[dict[int, list[int]], list[tuple[datetime, datetime]]]
"""A period taken apart: first days of whole spans, by span, and what is left of days."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DAY = timedelta(days=1) // _MICROSECOND

IS_COUNTED = f"NOT is_echo AND +event_id <= {COUNTED_TO}"  # the plus: not to be looked for by id
_ONE_OF_EACH = ", ".join(
    [
        *(f"CASE event_type WHEN '{name}' THEN 1 ELSE 0 END AS {name}" for name in COUNTED_TYPES),
        f"CASE WHEN event_type IN {COUNTED_TYPES} THEN 0 ELSE 1 END AS other",
    ]
)
_KEPT_SQL = f"SELECT student_id, {', '.join(COUNT_COLUMNS)} FROM lms_student_counts WHERE span = {{span}} AND "
_EVENTS_SQL = (
    f"SELECT student_id, {_ONE_OF_EACH} FROM lms_activity_events"
    f" WHERE timestamp >= ? AND timestamp < ? AND {IS_COUNTED}"
)
_SUMS = ", ".join(f"coalesce(sum({name}), 0)" for name in COUNT_COLUMNS)


@dataclass(frozen=True)
class Totals:
    """How many exams were failed, left open, passed and completed without a result, and contents done."""

    failed: int = 0
    left_open: int = 0
    passed: int = 0
    completed: int = 0
    contents: int = 0


@dataclass(frozen=True)
class StudentSummary:
    """What one student did in a period, and when last. `contents` are those completed or watched.

    `left_open` are the exams and contents started in it without anything after that, up to now.
    """

    student_id: int
    failed: int
    left_open: int
    passed: int
    completed: int
    contents: int
    last_at: datetime


@dataclass(frozen=True)
class SummaryPage:
    """`students` did something in the period, `totals` is of them all; `rows` are those asked for, worst first."""

    students: int
    totals: Totals
    rows: list[StudentSummary]


def split_period(period: Period, first_day: int, end_day: int) -> SplitPeriod:
    """A period taken apart, as far as it is between two days; days are since 1970-01-01 in UTC."""
    start, end = first_day * _DAY, end_day * _DAY
    if period[0] is not None:
        start = max(start, _to_microseconds(period[0]))
    if period[1] is not None:
        end = min(end, _to_microseconds(period[1]))
    first, last = -(-start // _DAY), end // _DAY
    is_within_a_day = first > last
    bounds = [(start, end)] if is_within_a_day else [(start, first * _DAY), (last * _DAY, end)]
    rest = [(_to_moment(begin), _to_moment(stop)) for begin, stop in bounds if begin < stop]
    return _split_days(first, last), rest


def _split_days(first: int, end: int) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    while first < end:
        span = next(span for span in SPANS if first % span == 0 and first + span <= end)
        found.setdefault(span, []).append(first)
        first += span
    return found


def _to_microseconds(moment: datetime) -> int:
    return (to_utc(moment) - _EPOCH) // _MICROSECOND


def _to_moment(microseconds: int) -> datetime:
    return _EPOCH + microseconds * _MICROSECOND


def get_counts_by_type(
    student_ids: Collection[int] | None, start: datetime | None = None, end: datetime | None = None
) -> dict[str, int]:
    """How many events there are of each type that occurs; those of unknown types are `other`.

    Of some students if given, from `start` on and before `end` where given.
    """
    (counts,) = get_week_counts(student_ids, [(start, end)])
    return counts


def get_week_counts(student_ids: Collection[int] | None, weeks: Sequence[Period]) -> list[dict[str, int]]:
    """As `get_counts_by_type`, for each of several periods."""
    statements = Statements(database.obj)
    chosen = choose(statements, student_ids)
    parts = [_count_source(statements, week, chosen) for week in weeks]
    sql = " UNION ALL ".join(
        f"SELECT {number}, {_SUMS} FROM ({source}) AS counted" for number, (source, _) in enumerate(parts)
    )
    found = statements.execute(sql, [value for _, parameters in parts for value in parameters]) if parts else []
    return [
        {name: int(count) for name, count in zip(COUNT_COLUMNS, counts, strict=True) if count}
        for _, *counts in sorted(found)
    ]


def get_summary(
    start: datetime,
    end: datetime,
    student_ids: Collection[int] | None = None,
    *,
    limit: int = 20,
    offset: int = 0,
) -> SummaryPage:
    """Who did what at or after `start` and before `end`, of some students if given; those who did nothing are left
    out. Worst first: failed exams, then what was started and left, then passed exams."""
    statements = Statements(database.obj)
    chosen = choose(statements, student_ids)
    source, parameters = _count_source(statements, (start, end), chosen)
    period = (to_stored(start), to_stored(end))
    condition, ids = chosen
    found = statements.execute(
        _SUMMARY_SQL.format(source=source, condition=condition), (*parameters, *period, *ids, limit, offset, *period)
    )
    totals = Totals(*map(int, found[0][1:6]))
    shown = [row[6:] for row in found if row[6] is not None]
    rows = [replace(StudentSummary(*row), last_at=from_stored(row[-1])) for row in shown]
    return SummaryPage(found[0][0], totals, rows)


_ORDER = "failed DESC, left_open DESC, passed DESC, events DESC, student_id"
_SUMMARY_SQL = f"""
WITH done AS (
  SELECT student_id, sum(exam_failed) AS failed, sum(exam_passed) AS passed, sum(exam_completed) AS completed,
         sum(content_completed) + sum(content_watched) AS contents, sum({" + ".join(COUNT_COLUMNS)}) AS events
  FROM ({{source}}) AS counted GROUP BY student_id
), left_by AS (
  SELECT student_id, count(*) AS left_open FROM lms_attempts
  WHERE is_shown AND outcome = 'started' AND started_at >= ? AND started_at < ?{{condition}} GROUP BY student_id
), summary AS (
  SELECT done.student_id, failed, coalesce(left_open, 0) AS left_open, passed, completed, contents, events
  FROM done LEFT JOIN left_by ON left_by.student_id = done.student_id WHERE events > 0
), totals AS (
  SELECT count(*) AS students, coalesce(sum(failed), 0) AS failed, coalesce(sum(left_open), 0) AS left_open,
         coalesce(sum(passed), 0) AS passed, coalesce(sum(completed), 0) AS completed,
         coalesce(sum(contents), 0) AS contents
  FROM summary
), page AS (SELECT * FROM summary ORDER BY {_ORDER} LIMIT ? OFFSET ?)
SELECT totals.*, page.student_id, page.failed, page.left_open, page.passed, page.completed, page.contents,
  (SELECT timestamp FROM lms_activity_events WHERE student_id = page.student_id AND timestamp >= ? AND timestamp < ?
   AND {IS_COUNTED} ORDER BY timestamp DESC LIMIT 1)
FROM totals LEFT JOIN page ON 1 = 1 ORDER BY {", ".join(f"page.{each.strip()}" for each in _ORDER.split(","))}
"""


def choose(statements: Statements, student_ids: Collection[int] | None) -> Condition:
    """A further condition: that it is one of these students, if some are given."""
    if student_ids is None:
        return "", ()
    condition, parameters = statements.among("student_id", sorted(student_ids))
    return f" AND {condition}", parameters


def _count_source(statements: Statements, period: Period, chosen: Condition) -> tuple[str, list[Any]]:
    """SQL for rows of student_id and COUNT_COLUMNS which make up the period when added, and its parameters."""
    spans, rest = ({ALL_TIME: [0]}, []) if period == (None, None) else _split(statements, period)
    condition, ids = chosen
    parts: list[str] = []
    parameters: list[Any] = []
    for span, days in spans.items():
        is_one, listed = statements.among("day", days)
        parts.append(_KEPT_SQL.format(span=span) + is_one + condition)
        parameters += [*listed, *ids]
    for begin, stop in rest:
        parts.append(_EVENTS_SQL + condition)
        parameters += [to_stored(begin), to_stored(stop), *ids]
    nothing = _KEPT_SQL.format(span=ALL_TIME) + "1 = 0"
    return " UNION ALL ".join(parts or [nothing]), parameters


def _split(statements: Statements, period: Period) -> SplitPeriod:
    largest = f"FROM lms_student_counts WHERE span = {SPANS[0]}"
    ((first, last),) = statements.execute(f"SELECT (SELECT min(day) {largest}), (SELECT max(day) {largest})")
    return split_period(period, first or 0, 0 if last is None else last + SPANS[0])
