"""How exam results stand among the others of their students."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from lms_bot.core.activities import ActivityType
from lms_bot.core.so_far import SoFar
from lms_bot.store.database import database
from lms_bot.store.models import LMSActivityEvent
from lms_bot.store.statements import Statements

RESULTS = frozenset(kind.value for kind in ActivityType if kind.is_exam and not kind.is_start)
RESULTS_SQL = """
SELECT student_id, stream, row_key, coursework_id, outcome, percentage FROM lms_attempts
WHERE is_shown AND is_exam AND outcome IN ('passed', 'failed', 'completed') AND {students}
ORDER BY student_id, last_at, row_key"""


class _Result(NamedTuple):
    stream: str
    row_key: str
    coursework_id: int | None
    outcome: str
    percentage: float | None


def get_so_far(events: Iterable[LMSActivityEvent]) -> dict[int, SoFar]:
    """By event id, of those that are results of exams which the LMS still has."""
    results = [one for one in events if one.event_type in RESULTS]
    if not results:
        return {}
    of_student = _get_results({one.student_id for one in results})
    found: dict[int, SoFar] = {}
    for event in results:
        known = of_student[event.student_id]
        place = next((at for at, one in enumerate(known) if one[:2] == (event.stream, event.row_key)), None)
        if place is not None:
            found[event.event_id] = _add_up(known[: place + 1])
    return found


def _get_results(student_ids: set[int]) -> dict[int, list[_Result]]:
    """Oldest first."""
    statements = Statements(database.obj)
    condition, parameters = statements.among("student_id", sorted(student_ids))
    found: dict[int, list[_Result]] = defaultdict(list)
    for student_id, *rest in statements.execute(RESULTS_SQL.format(students=condition), parameters):
        found[student_id].append(_Result(*rest))
    return found


def _add_up(results: Sequence[_Result]) -> SoFar:
    """The last of them, as it stands after the others."""
    last = results[-1]
    tries = [one for one in results if one.coursework_id == last.coursework_id and last.coursework_id is not None]
    before = tries[-2] if len(tries) > 1 else None
    return SoFar(
        tries=max(1, len(tries)),
        before=None if before is None else before.percentage,
        failures_in_row=_count_failures(one.outcome for one in reversed(results)),
        failures_of_exam=_count_failures(one.outcome for one in reversed(tries or [last])),
        is_recovery=last.outcome == "passed" and _was_failed(tries[:-1]),
    )


def _count_failures(newest_first: Iterable[str]) -> int:
    """How many were failed since one was passed; those that are not judged are passed over."""
    count = 0
    for outcome in newest_first:
        if outcome == "passed":
            break
        count += outcome == "failed"
    return count


def _was_failed(before: Sequence[Any]) -> bool:
    """Whether the judged try before was failed."""
    return next((one.outcome == "failed" for one in reversed(before) if one.outcome != "completed"), False)
