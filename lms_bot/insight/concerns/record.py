"""Students' records as the rules go by them, of many students at a time, within the caller's session."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lms_bot.core.activities import STARTED
from lms_bot.insight.concerns.rules import DONE, Calendar, Try, get_last_day
from lms_bot.store.statements import Statements, from_stored, to_stored

if TYPE_CHECKING:
    import peewee

LEAST_OTHERS = 5
MOST_OTHERS = 200  # of whom the usual time is taken: a look must not cost more as the school grows

COLUMNS = "student_id, is_exam, coursework_id, row_key, outcome, judged"
# When an exam that has ended was started says nothing, and would take time to read.
EXAMS_SQL = f"""
SELECT {COLUMNS}, CASE WHEN outcome = '{STARTED}' THEN started_at END, last_at,
    coalesce(percentage, judged_percentage) FROM lms_attempts
WHERE is_shown AND is_exam AND {{students}}
"""
IS_DONE = f"is_shown AND NOT is_exam AND outcome IN {DONE}"
LAST_DONE_SQL = f"""
SELECT student_id, (SELECT done.last_at FROM lms_attempts AS done
    WHERE done.student_id = standing.student_id AND {IS_DONE} ORDER BY done.last_at DESC LIMIT 1)
FROM lms_standings AS standing WHERE {{students}}
"""
DONE_SINCE_SQL = f"""
SELECT {COLUMNS}, started_at, last_at FROM {{wanted}} CROSS JOIN lms_attempts
WHERE student_id = CAST(wanted.value ->> 0 AS BIGINT) AND last_at >= wanted.value ->> 1 AND {IS_DONE}
"""
# OFFSET 0: PostgreSQL shall look for each student's, not read all that anybody did.
DONE_SINCE_POSTGRESQL = f"""
SELECT done.* FROM {{wanted}} CROSS JOIN LATERAL (
    SELECT {COLUMNS}, started_at, last_at FROM lms_attempts WHERE student_id = CAST(wanted.value ->> 0 AS BIGINT)
    AND last_at >= CAST(wanted.value ->> 1 AS timestamptz) AND {IS_DONE} OFFSET 0) AS done
"""
OTHERS_SQL = f"""
SELECT started_at, last_at FROM lms_attempts
WHERE coursework_id = ? AND student_id <> ? AND {IS_DONE} AND started_at < last_at
ORDER BY student_id LIMIT {MOST_OTHERS}
"""
AFTER_SQL = "SELECT started_at, last_at FROM lms_attempts WHERE is_shown AND student_id = ? AND last_at > ?"


class RecordReader:
    def __init__(self, database: peewee.Database, calendar: Calendar) -> None:
        self._statements = Statements(database)
        self._calendar = calendar

    def read_exams(self, student_ids: Collection[int]) -> dict[int, list[Try]]:
        """All that each of these students tried; who tried none is left out."""
        condition, parameters = self._statements.among("student_id", list(student_ids))
        return _by_student(self._statements.execute(EXAMS_SQL.format(students=condition), parameters))

    def read_last_days(self, student_ids: Collection[int]) -> dict[int, list[Try]]:
        """The contents that each of these students did on the last day on which they did any."""
        condition, parameters = self._statements.among("student_id", list(student_ids))
        since = []
        for student_id, last_at in self._statements.execute(LAST_DONE_SQL.format(students=condition), parameters):
            if last_at is not None:
                day = self._calendar.get_date(from_stored(last_at))
                since.append((student_id, to_stored(self._calendar.get_midnight(day))))
        if not since:
            return {}
        sql = DONE_SINCE_POSTGRESQL if self._statements.is_postgresql else DONE_SINCE_SQL
        sql = sql.format(wanted=self._statements.wanted)
        found = _by_student(self._statements.execute(sql, (json.dumps(since),)))
        return {student_id: get_last_day(tries, self._calendar) for student_id, tries in found.items()}

    def read_usual_seconds(self, student_id: int, coursework_ids: Collection[int]) -> dict[int, float]:
        """How long each of these contents took the others, as their median; without those that few have done.

        Of a content that many have done, some of them say so for all.
        """
        usual: dict[int, float] = {}
        for one in sorted(coursework_ids):
            times = [
                (from_stored(last_at) - from_stored(started_at)) / timedelta(seconds=1)
                for started_at, last_at in self._statements.execute(OTHERS_SQL, (one, student_id))
            ]
            if len(times) >= LEAST_OTHERS:
                usual[one] = statistics.median(times)
        return usual

    def read_titles(self, coursework_ids: Collection[int]) -> Mapping[int, str | None]:
        condition, parameters = self._statements.among("coursework_id", list(coursework_ids))
        sql = f"SELECT coursework_id, title FROM lms_coursework WHERE {condition}"
        return dict(self._statements.execute(sql, parameters))

    def find_next_activity(self, student_id: int, after: datetime) -> datetime | None:
        """When the student first did something after that moment, as far as the attempts say."""
        found = self._statements.execute(AFTER_SQL, (student_id, to_stored(after)))
        moments = [from_stored(one) for row in found for one in row if one is not None]
        return min((one for one in moments if one > after), default=None)


def _by_student(rows: Sequence[Sequence[Any]]) -> dict[int, list[Try]]:
    found: dict[int, list[Try]] = defaultdict(list)
    for student_id, is_exam, coursework_id, row_key, outcome, judged, started_at, last_at, *percentage in rows:
        began_at = None if started_at is None else from_stored(started_at)
        what = (bool(is_exam), coursework_id, row_key, outcome, judged)
        found[student_id].append(Try(*what, began_at, from_stored(last_at), *percentage))
    return found
