"""What it costs to look for concerns: at all students once a day, and at each whose record changed.

Each of the students looked at has a year of attempts, 200 exams and 300 contents; the others have few, as the pass of
a day reads none of them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from benchmarks.measuring import Report, at_most, doing, rounded, seconds_of
from lms_bot.core.clock import UTC
from lms_bot.insight.concerns.rules import Thresholds
from lms_bot.insight.concerns.watcher import ConcernWatch
from lms_bot.insight.school_calendar import SchoolCalendar
from lms_bot.store.attempts import COLUMNS, KEY
from lms_bot.store.database import Store, open_store
from lms_bot.store.models import Cursor
from lms_bot.store.statements import Statements, to_stored

if TYPE_CHECKING:
    from benchmarks.world import StoreKind, World

STUDENTS, STUDENTS_SMOKE = 100_000, 300
LOOKED_AT, LOOKED_AT_SMOKE = 1000, 20
EXAMS, CONTENTS, FEW = 200, 300, 4
LOOKS_A_DAY = 5  # of each student: so many times something changes, each in a poll of its own
SILENT_PART, IDLE_PART, LEFT_PART = 0.05, 0.02, 0.01
DAY_SECONDS = 86_400
TARGET_RATIO = 0.01
NOW = datetime(2026, 3, 18, 12, 0, tzinfo=UTC)  # a Wednesday
WEEKDAYS = frozenset({"mon", "tue", "wed", "thu", "fri"})

STANDINGS_SQL = """
INSERT INTO lms_standings (student_id, last_at, scored, percentage_total, is_changed)
SELECT student_id, max(last_at), 0, 0, FALSE FROM lms_attempts GROUP BY student_id
"""


class Everybody:
    """All students have a mentor."""

    def __init__(self, students: int) -> None:
        self._students = dict.fromkeys(range(1, students + 1), NOW - timedelta(days=400))

    def get_enrolled(self) -> dict[int, datetime]:
        return self._students


def run(world: World, stores: Sequence[StoreKind], is_smoke: bool) -> Report:
    students, looked_at = (STUDENTS_SMOKE, LOOKED_AT_SMOKE) if is_smoke else (STUDENTS, LOOKED_AT)
    sizes = {"students": students, "attempts_of_each": EXAMS + CONTENTS, "looks_a_day": LOOKS_A_DAY}
    report = Report("concerns", sizes)
    for kind in stores:
        with world.new_store(kind) as url:
            store = open_store(url)
            report.figures[kind] = figures = _measure(store, kind, students, looked_at)
            store.close_thread()
        share = figures["core_for_100000_students_ratio"]
        report.targets.append(at_most(f"{kind}: of a core, for 100,000 students", share, TARGET_RATIO))
    return report


def _measure(store: Store, kind: StoreKind, students: int, looked_at: int) -> dict[str, Any]:
    doing(f"concerns, {kind}: writing the attempts of {students:,} students")
    _write(store, students, looked_at)
    calendar = SchoolCalendar(WEEKDAYS, UTC, (), store)
    watch = ConcernWatch(store, Everybody(students), calendar, Thresholds())
    doing(f"concerns, {kind}: the first look")
    first = seconds_of(lambda: _work_off(watch, NOW))
    doing(f"concerns, {kind}: the next day's, and {looked_at:,} students who changed")
    daily = seconds_of(lambda: _work_off(watch, NOW + timedelta(days=1)))
    _mark_changed(store, looked_at)
    look = seconds_of(lambda: _work_off(watch, NOW + timedelta(days=1, hours=1))) / looked_at
    share = (daily * STUDENTS / students + LOOKS_A_DAY * STUDENTS * look) / DAY_SECONDS
    return {
        "first_look_students_per_second": rounded(students / first),
        "daily_pass_milliseconds": rounded(1000 * daily),
        "look_milliseconds": rounded(1000 * look),
        "core_for_100000_students_ratio": rounded(share),
    }


def _work_off(watch: ConcernWatch, now: datetime) -> None:
    while watch.step(now):
        pass


def _mark_changed(store: Store, looked_at: int) -> None:
    with store.transaction():
        Statements(store.database).execute(
            "UPDATE lms_standings SET is_changed = TRUE WHERE student_id <= ?", (looked_at,)
        )


def _write(store: Store, students: int, looked_at: int) -> None:
    statements, chance = Statements(store.database), random.Random(students)
    idle = {one for one in range(looked_at + 1, students + 1) if chance.random() < IDLE_PART}
    for first in range(1, students + 1, 1000):
        some = [one for one in range(first, min(first + 1000, students + 1)) if one not in idle]
        rows = [row for one in some for row in _make_attempts(one, one <= looked_at, chance)]
        with store.transaction():
            statements.insert("lms_attempts", (*KEY, *COLUMNS), rows)
    with store.transaction():
        statements.execute(STANDINGS_SQL)
        Cursor.insert(stream="attempts", position={"baseline_at": None}).execute()
    if store.is_postgresql:  # as autovacuum has done to tables that are there for long
        with store.session():
            statements.execute("VACUUM ANALYZE")


def _make_attempts(student_id: int, is_looked_at: bool, chance: random.Random) -> Iterator[tuple[Any, ...]]:
    exams, contents = (EXAMS, CONTENTS) if is_looked_at else (FEW, FEW)
    is_silent = chance.random() < SILENT_PART
    last_at = NOW - timedelta(days=chance.randrange(12, 90) if is_silent else 0, minutes=chance.randrange(1, 5000))
    ages = sorted(chance.uniform(0, 365) for _ in range(exams + contents))
    for number, age in enumerate(ages):
        is_exam, at = chance.random() < exams / (exams + contents), last_at - timedelta(days=age - ages[0])
        yield _make_attempt(student_id, number, is_exam, at, chance)


def _make_attempt(
    student_id: int, number: int, is_exam: bool, at: datetime, chance: random.Random
) -> tuple[Any, ...]:
    percentage = min(100, max(0, round(chance.gauss(65, 18)))) if is_exam else None
    is_left = is_exam and chance.random() < LEFT_PART
    judged = None if percentage is None or is_left else "passed" if percentage >= 50 else "failed"
    outcome = "started" if is_left else judged or "completed"
    result = None if is_left else percentage
    moment, began = to_stored(at), to_stored(at - timedelta(minutes=chance.randrange(5, 60)))
    stream, about = ("attempts" if is_exam else "content_attempts"), chance.randrange(1, 2000)
    of_student = (student_id, is_exam, about, outcome, began, moment, result, result)
    return (stream, f"{student_id}-{number}", *of_student, True, 0, moment, judged, result)
