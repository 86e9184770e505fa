"""Looking at students whose record may say something else than before."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lms_bot.insight.concerns import rules
from lms_bot.insight.concerns.book import ConcernBook, Look, Open
from lms_bot.insight.concerns.record import RecordReader
from lms_bot.insight.concerns.rules import PASSED, Calendar, Finding, Thresholds, Try
from lms_bot.store.concerns import Concern, ConcernKind, Newcomer
from lms_bot.store.statements import Statements

if TYPE_CHECKING:
    import peewee

OF_RECORD = (ConcernKind.FAILING, ConcernKind.FALLING, ConcernKind.LEFT_OPEN, ConcernKind.RUSHING)
CORRECTED = {"why": "corrected"}
"""What ended a concern that the LMS's correction of its own record ended."""


class Looker:
    """Within the caller's transaction, which must be the only one that changes concerns."""

    def __init__(self, database: peewee.Database, calendar: Calendar, thresholds: Thresholds) -> None:
        self._statements = Statements(database)
        self._book = ConcernBook(database)
        self._reader = RecordReader(database, calendar)
        self._calendar = calendar
        self._thresholds = thresholds

    def look(self, last_at: Mapping[int, datetime], now: datetime, *, is_old: bool) -> None:
        """Opens and clears what these students' records say; `last_at` is when each was active last.

        Whether a student has become silent is not asked here, only whether one is no longer.
        """
        exams, days = self._reader.read_exams(last_at), self._reader.read_last_days(last_at)
        known = self._book.get_open(last_at)
        titles = self._read_titles(exams.values())
        looks = [
            look
            for student_id, moment in last_at.items()
            for look in (
                self._look_at_record(student_id, exams.get(student_id, []), days.get(student_id, []), titles, now),
                self._look_at_silence(student_id, moment, known.get(student_id, {}), now),
            )
        ]
        self._book.follow(looks, known, now, is_old=is_old)
        self._forget_newcomers(last_at)

    def _look_at_record(
        self,
        student_id: int,
        exams: Sequence[Try],
        day: Sequence[Try],
        titles: Mapping[int, str | None],
        now: datetime,
    ) -> Look:
        results = rules.get_results(exams)

        def get_title(coursework_id: int | None) -> str | None:
            return titles.get(coursework_id or 0)

        found = [
            rules.find_failing(results, get_title),
            rules.find_falling(results),
            rules.find_left_open(exams, get_title, now, self._thresholds.open_hours),
            self._find_rushing(student_id, day),
        ]
        endings = _name_endings(results, day, get_title, self._calendar)
        return Look(student_id, OF_RECORD, list(filter(None, found)), lambda one: endings[ConcernKind(one.kind)])

    def _find_rushing(self, student_id: int, day: Sequence[Try]) -> Finding | None:
        contents = rules.could_be_rushed(day)
        if not contents:
            return None
        return rules.find_rushing(day, self._calendar, self._reader.read_usual_seconds(student_id, contents))

    def _look_at_silence(self, student_id: int, last_at: datetime, known: Open, now: datetime) -> Look:
        """Of what is open: for a student who is not silent nothing is."""
        kinds = [kind for kind in (ConcernKind.SILENT, ConcernKind.NEVER_STARTED) if kind in known]
        silent = rules.find_silent(last_at, now, self._calendar, self._thresholds.silent_days) if kinds else None
        findings = [silent] if silent else []
        return Look(student_id, kinds, findings, lambda one: end_silence(one, self._reader, self._calendar))

    def _read_titles(self, of_students: Collection[Sequence[Try]]) -> Mapping[int, str | None]:
        ids = {one.coursework_id for tries in of_students for one in tries if one.coursework_id is not None}
        return self._reader.read_titles(sorted(ids))

    def _forget_newcomers(self, student_ids: Collection[int]) -> None:
        condition, parameters = self._statements.among("student_id", list(student_ids))
        self._statements.execute(f"DELETE FROM {Newcomer._meta.table_name} WHERE {condition}", parameters)


def end_silence(concern: Concern, reader: RecordReader, calendar: Calendar) -> dict[str, Any]:
    """What ended it, for a student who has done something after all: the school days of silence up to that."""
    began_at = concern.since_at
    if concern.kind == ConcernKind.NEVER_STARTED.value:
        return {"by": "activity"}
    ended_at = reader.find_next_activity(concern.student_id, began_at)
    if ended_at is None:
        return CORRECTED
    return {"school_days": calendar.count_school_days(calendar.get_date(began_at), calendar.get_date(ended_at))}


def _name_endings(
    results: Sequence[Try], day: Sequence[Try], get_title: rules.Title, calendar: Calendar
) -> dict[ConcernKind, dict[str, Any]]:
    passes = [one for one in results if one.judged == PASSED]

    def by(ended: Sequence[Try]) -> dict[str, Any]:
        return {"by": get_title(ended[-1].coursework_id)} if ended else CORRECTED

    return {
        ConcernKind.FAILING: by(passes),
        ConcernKind.FALLING: by(results),
        ConcernKind.LEFT_OPEN: by(results),
        ConcernKind.RUSHING: {"day": calendar.get_date(day[-1].last_at).isoformat()} if day else CORRECTED,
    }
