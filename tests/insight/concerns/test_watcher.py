"""Concerns follow the record: opened and cleared once, whatever comes late, ends in between or runs beside."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import pytest

from lms_bot.core.activities import Activity, ActivityType
from lms_bot.core.errors import LMSBotError, LMSRefused, LMSUnavailable
from lms_bot.insight.concerns import daily, reads, watcher
from lms_bot.insight.concerns.rules import Thresholds
from lms_bot.insight.concerns.watcher import ConcernWatch
from lms_bot.store.attempts import AttemptBook
from lms_bot.store.concerns import Concern, ConcernKind, Newcomer
from lms_bot.store.database import Store, open_store
from lms_bot.store.models import Cursor, KeyValue
from lms_bot.store.totals import StudentTotals
from tests.insight.concerns.records import DAY, HOUR, MINUTE, MONDAY, WeekdayCalendar

EARLY = datetime(2025, 9, 1, tzinfo=MONDAY.tzinfo)
ADA, BEN, EVE = 1, 2, 3
TYPES = {kind.value: kind for kind in ActivityType}
STATE = ("opened_at", "since_at", "facts", "number", "is_old", "changed_at", "cleared_at", "cleared_facts", "is_owed")


@dataclass
class Enrolment:
    """Who is enrolled, as the LMS says; `trouble` is raised where it would have to be asked."""

    students: dict[int, datetime | None] = field(default_factory=dict)
    trouble: LMSBotError | None = None
    asked: int = 0

    def get_enrolled(self) -> dict[int, datetime | None]:
        self.asked += 1
        if self.trouble is not None:
            raise self.trouble
        return dict(self.students)


@dataclass
class School:
    """A store with what was recorded, and somebody who looks at it."""

    store: Store
    users: Enrolment = field(default_factory=lambda: Enrolment({ADA: None}))
    calendar: WeekdayCalendar = field(default_factory=WeekdayCalendar)
    rows: int = 0
    watch: ConcernWatch = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self, thresholds: Thresholds | None = None) -> None:
        self.watch = ConcernWatch(self.store, self.users, self.calendar, thresholds or Thresholds())

    def record(
        self,
        kind: str,
        at: datetime,
        student: int = ADA,
        *,
        of: int | None = None,
        row: str | None = None,
        percentage: float | None = None,
        seconds: float | None = None,
    ) -> str:
        """What a poll records; returns the row's key. All but Eve are enrolled."""
        if student != EVE:
            self.users.students.setdefault(student, None)
        self.rows += 1
        key, event_type = row or str(self.rows), TYPES[kind]
        stream = "attempts" if event_type.is_exam else "content_attempts"
        number = self.rows if of is None else of
        began_at = at if event_type.is_start else None if seconds is None else at - MINUTE * (seconds / 60)
        about = (student, f"s{student}", None, number, f"Title {number}", {"percentage": percentage}, at)
        activity = Activity(stream, key, event_type, *about, started_at=began_at)
        with self.store.transaction():
            AttemptBook(self.store.database).follow(stream, [activity], at)
        return key

    def fail(self, at: datetime, times: int = 3, student: int = ADA) -> None:
        for number in range(times):
            self.record("exam_failed", at + number * MINUTE, student)

    def lose(self, *keys: str, stream: str = "attempts") -> None:
        with self.store.transaction():
            AttemptBook(self.store.database).mark_gone(stream, keys, MONDAY)

    def look(self, now: datetime) -> None:
        """All there is to do at that moment."""
        for _ in range(1000):
            if not self.watch.step(now):
                return
        pytest.fail("it never comes to an end")

    def begin(self, now: datetime = MONDAY) -> None:
        """The bot has read the LMS, and looked at what was there."""
        with self.store.transaction():
            Cursor.insert(stream="attempts", position={"baseline_at": None}).on_conflict_ignore().execute()
        self.look(now)

    def concerns(self, kind: ConcernKind | None = None) -> list[Concern]:
        with self.store.session():
            found = Concern.select().order_by(Concern.concern_id)
            return list(found if kind is None else found.where(Concern.kind == kind.value))

    def kinds(self) -> list[tuple[int, str]]:
        """What is open."""
        return [(one.student_id, one.kind) for one in reads.get_open_concerns()]

    def state(self) -> list[tuple[Any, ...]]:
        return [tuple(getattr(one, name) for name in STATE) for one in self.concerns()]


def before_each_statement(monkeypatch: pytest.MonkeyPatch, store: Store, do: Callable[[str], object]) -> None:
    execute: Callable[..., Any] = store.database.execute_sql

    def do_and_execute(sql: str, *rest: Any, **named: Any) -> Any:
        do(sql)
        return execute(sql, *rest, **named)

    monkeypatch.setattr(store.database, "execute_sql", do_and_execute)


def note_statements(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is executed from now on."""
    executed: list[str] = []
    before_each_statement(monkeypatch, store, executed.append)
    return executed


@pytest.fixture
def school(store_url: str) -> Iterator[School]:
    store = open_store(store_url)
    yield School(store)
    store.close_thread()


def thursday_after(weeks: int = 1) -> datetime:
    """Seven full school days after that Monday, and a week more for each further one."""
    return MONDAY + 10 * DAY + (weeks - 1) * 7 * DAY


# ---- what changed ----


def test_the_third_failure_opens_and_a_pass_clears(school: School) -> None:
    school.begin()
    school.fail(MONDAY + HOUR, 2)
    school.look(MONDAY + 2 * HOUR)
    assert school.kinds() == []
    school.record("exam_failed", MONDAY + 2 * HOUR)
    school.look(MONDAY + 3 * HOUR)
    (one,) = school.concerns()
    assert (one.is_owed, one.is_old, one.number, one.opened_at) == (True, False, 0, MONDAY + 3 * HOUR)
    assert one.facts["exams"] == ["Title 3", "Title 2", "Title 1"]
    school.record("exam_passed", MONDAY + 4 * HOUR, of=50)
    school.look(MONDAY + 5 * HOUR)
    (one,) = school.concerns()
    assert (one.cleared_at, one.cleared_facts, one.is_owed) == (MONDAY + 5 * HOUR, {"by": "Title 50"}, False)


def test_worsening_is_told_anew_and_nobody_has_seen_to_it(school: School) -> None:
    school.begin()
    school.fail(MONDAY + HOUR)
    school.look(MONDAY + 2 * HOUR)
    with school.store.transaction():
        Concern.update(is_owed=False, seen_at=MONDAY, seen_by=9).execute()
    school.fail(MONDAY + 2 * HOUR, 2)
    school.look(MONDAY + 3 * HOUR)
    (one,) = school.concerns()
    assert (one.facts["in_row"], one.number, one.seen_by, one.is_owed) == (5, 0, 9, False)
    school.fail(MONDAY + 3 * HOUR, 1)
    school.look(MONDAY + 4 * HOUR)
    (one,) = school.concerns()
    assert (one.facts["in_row"], one.number, one.seen_by, one.is_owed) == (6, 1, None, True)
    assert one.changed_at == MONDAY + 4 * HOUR


def test_a_concern_that_comes_again_is_another(school: School) -> None:
    school.begin()
    school.fail(MONDAY)
    school.look(MONDAY + HOUR)
    school.record("exam_passed", MONDAY + HOUR)
    school.look(MONDAY + 2 * HOUR)
    school.fail(MONDAY + 2 * HOUR)
    school.look(MONDAY + 3 * HOUR)
    assert [one.cleared_at is None for one in school.concerns()] == [False, True]


def test_a_late_pass_that_came_before_does_not_clear(school: School) -> None:
    school.begin()
    school.fail(MONDAY)
    school.look(MONDAY + HOUR)
    school.record("exam_passed", MONDAY - DAY)
    school.look(MONDAY + HOUR)
    assert school.kinds() == [(ADA, "failing")]


def test_results_that_fall_are_seen(school: School) -> None:
    school.begin()
    for number, percentage in enumerate([80] * 10 + [50] * 5):
        school.record("exam_completed", MONDAY + number * MINUTE, percentage=percentage)
    school.look(MONDAY + HOUR)
    (one,) = school.concerns()
    assert (one.kind, one.facts) == ("falling", {"recent": 50.0, "before": 80.0, "severity": 1})


def test_contents_in_a_fifth_of_the_time_others_take_are_seen(school: School) -> None:
    school.begin()
    for student in range(10, 15):
        for number in range(10):
            school.record("content_completed", MONDAY, student, of=100 + number, seconds=600)
    for number in range(10):
        school.record("content_completed", MONDAY + HOUR, of=100 + number, seconds=60)
        school.record("content_completed", MONDAY + HOUR, BEN, of=100 + number, seconds=120)
    school.look(MONDAY + 2 * HOUR)
    assert [(one.student_id, one.kind) for one in school.concerns()] == [(ADA, "rushing")]
    school.record("content_completed", MONDAY + DAY, of=100, seconds=300)
    school.look(MONDAY + DAY + HOUR)
    assert [one.cleared_facts for one in school.concerns()] == [{"day": "2026-03-03"}]


def test_a_record_that_did_not_change_writes_nothing(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    school.begin()
    school.fail(MONDAY)
    school.look(MONDAY + HOUR)
    before = school.state()
    with school.store.transaction():
        StudentTotals.update(is_changed=True).execute()
    executed = note_statements(school.store, monkeypatch)
    school.look(MONDAY + 2 * HOUR)
    assert school.state() == before
    school.look(MONDAY + 3 * HOUR)
    written = [sql for sql in executed if sql.lstrip().startswith(("INSERT", "UPDATE"))]
    assert len(written) == 1  # that it was looked at


def test_whose_change_was_not_looked_at_yet_is_known(school: School) -> None:
    school.fail(MONDAY)
    assert not school.watch.has_unlooked([ADA])  # what the first look finds is told as old
    school.begin()
    assert not school.watch.has_unlooked([ADA])
    school.fail(MONDAY)
    assert school.watch.has_unlooked([BEN, ADA])
    assert not school.watch.has_unlooked([BEN])
    assert not school.watch.has_unlooked([])
    school.look(MONDAY)
    assert not school.watch.has_unlooked([ADA])


# ---- what did not happen ----


def test_silence_opens_on_the_day_and_ends_with_its_school_days(school: School) -> None:
    school.begin()
    school.record("content_completed", MONDAY)
    school.record("content_completed", thursday_after() - DAY, BEN)
    school.look(thursday_after() - DAY)
    assert school.kinds() == []
    school.look(thursday_after())
    assert school.kinds() == [(ADA, "silent")]
    school.look(thursday_after() + DAY)
    (one,) = school.concerns()
    assert (one.facts["school_days"], one.number, one.is_owed) == (8, 0, False)
    school.record("content_started", thursday_after() + 4 * DAY)
    school.record("content_completed", thursday_after() + 4 * DAY + HOUR)
    school.look(thursday_after() + 4 * DAY + 2 * HOUR)
    (one,) = school.concerns()
    assert one.cleared_facts == {"school_days": 9}


def test_what_is_learned_late_of_a_silent_student_moves_the_silence(school: School) -> None:
    school.begin()
    school.record("content_completed", MONDAY - 7 * DAY)
    school.look(thursday_after())
    school.record("content_completed", MONDAY)
    school.look(thursday_after())
    (one,) = school.concerns()
    assert (one.since_at, one.facts["school_days"], one.cleared_at) == (MONDAY, 7, None)


def test_a_holiday_that_is_declared_late_ends_the_silence(school: School) -> None:
    school.begin()
    school.record("content_completed", MONDAY)
    school.look(thursday_after())
    school.calendar.holidays = [date(2026, 3, 4)]
    school.look(thursday_after() + HOUR)
    assert [one.cleared_facts for one in school.concerns()] == [{"why": "holidays"}]
    school.look(thursday_after() + DAY)
    assert school.kinds() == [(ADA, "silent")]


def test_who_is_enrolled_no_more_is_no_concern_by_silence(school: School) -> None:
    school.begin()
    school.record("content_completed", MONDAY)
    school.record("content_completed", MONDAY, EVE)  # who is not enrolled
    school.look(thursday_after())
    assert school.kinds() == [(ADA, "silent")]
    del school.users.students[ADA]
    school.look(thursday_after() + DAY)
    assert [one.cleared_facts for one in school.concerns()] == [{"why": "left"}]


def test_who_never_starts_is_seen_and_cleared_by_anything(school: School) -> None:
    school.users.students = {ADA: MONDAY, BEN: None, EVE: MONDAY + 365 * DAY}
    school.begin(MONDAY + DAY)
    with school.store.session():
        assert {one.student_id: one.since_at for one in Newcomer.select()} == {
            ADA: MONDAY,
            BEN: MONDAY + DAY,
            EVE: MONDAY + DAY,
        }
    school.look(thursday_after())
    assert school.kinds() == [(ADA, "never_started")]
    school.look(thursday_after() + DAY)
    assert school.kinds() == [(ADA, "never_started"), (BEN, "never_started"), (EVE, "never_started")]
    school.record("content_started", thursday_after() + DAY)
    del school.users.students[EVE]
    school.look(thursday_after() + 4 * DAY)
    assert school.kinds() == [(BEN, "never_started")]
    endings = {one.student_id: one.cleared_facts for one in school.concerns() if one.cleared_at}
    assert endings == {ADA: {"by": "activity"}, EVE: {"why": "left"}}
    with school.store.session():
        assert [one.student_id for one in Newcomer.select()] == [BEN]


def test_an_exam_that_is_left_open_is_seen_within_minutes_and_not_again_and_again(school: School) -> None:
    school.begin()
    school.record("exam_started", MONDAY + 10 * HOUR, of=7)
    school.record("exam_started", MONDAY + 11 * HOUR, of=8, student=BEN)
    school.look(MONDAY + 23 * HOUR)
    school.look(MONDAY + DAY + HOUR)  # the pass of Tuesday
    school.look(MONDAY + DAY + 10 * HOUR - MINUTE)
    assert school.kinds() == []
    school.look(MONDAY + DAY + 10 * HOUR + 6 * MINUTE)
    assert school.kinds() == [(ADA, "left_open")]
    school.restart()
    school.look(MONDAY + DAY + 11 * HOUR + 6 * MINUTE)
    assert school.kinds() == [(ADA, "left_open"), (BEN, "left_open")]
    assert [one.number for one in school.concerns()] == [0, 0]


def test_an_exam_that_is_left_open_is_seen_the_next_day_and_ends(school: School) -> None:
    school.begin()
    row = school.record("exam_started", MONDAY, of=7)
    school.look(MONDAY + 20 * HOUR)
    assert school.kinds() == []
    school.look(MONDAY + 2 * DAY)
    (one,) = school.concerns()
    assert one.facts == {"exams": [["Title 7", MONDAY.isoformat()]], "count": 1, "severity": 1}
    school.record("exam_started", MONDAY + DAY, of=8)
    school.look(MONDAY + 3 * DAY)
    (one,) = school.concerns()
    assert (one.number, one.facts["count"], one.is_owed) == (1, 2, False)
    school.record("exam_passed", MONDAY + 3 * DAY, of=7, row=row)
    school.record("exam_passed", MONDAY + 3 * DAY, of=8, row="2")
    school.look(MONDAY + 3 * DAY + HOUR)
    (one,) = school.concerns()
    assert one.cleared_facts == {"by": "Title 8"}


def test_thresholds_that_change_are_gone_by_at_once(school: School) -> None:
    school.begin()
    school.record("content_completed", MONDAY)
    school.look(MONDAY + 4 * DAY)
    assert school.kinds() == []
    school.restart(Thresholds(silent_days=3))
    school.look(MONDAY + 4 * DAY)
    assert school.kinds() == [(ADA, "silent")]


def test_whose_attempts_are_all_gone_is_no_concern_but_one_who_never_started(school: School) -> None:
    school.users.students[ADA] = EARLY
    school.begin()
    school.fail(MONDAY)
    school.record("content_completed", MONDAY, BEN)
    school.look(thursday_after())
    assert school.kinds() == [(ADA, "failing"), (BEN, "silent"), (ADA, "silent")]
    school.lose("1", "2", "3")
    school.look(thursday_after() + DAY)
    assert school.kinds() == [(BEN, "silent"), (ADA, "never_started")]
    assert school.concerns(ConcernKind.FAILING)[-1].cleared_facts == {"why": "corrected"}
    endings = {one.student_id: one.cleared_facts for one in school.concerns(ConcernKind.SILENT)}
    assert endings[ADA] == {"why": "corrected"}


@pytest.mark.parametrize("trouble", [LMSUnavailable("away"), LMSRefused("no")])
def test_while_the_lms_is_away_only_the_record_is_looked_at(school: School, trouble: LMSBotError) -> None:
    school.begin()
    school.record("content_completed", MONDAY, BEN)
    school.users.trouble, school.users.asked = trouble, 0
    school.fail(MONDAY)
    for seconds in range(0, 60, 10):
        school.look(thursday_after() + seconds / 60 * MINUTE)
    assert school.kinds() == [(ADA, "failing")]
    assert school.users.asked == 1
    school.users.trouble = None
    school.look(thursday_after() + MINUTE)
    assert school.kinds() == [(ADA, "failing"), (BEN, "silent"), (ADA, "silent")]


def test_the_lms_is_asked_once_a_day(school: School) -> None:
    school.begin()
    school.users.asked = 0
    for hour in range(12):
        school.look(MONDAY + hour * HOUR)
        school.restart()
    assert school.users.asked == 0
    school.look(MONDAY + DAY)
    assert school.users.asked == 1


# ---- the beginning ----


def test_what_was_so_before_the_bot_is_old_and_owed_to_nobody(school: School) -> None:
    school.fail(MONDAY - 30 * DAY)
    school.record("content_completed", MONDAY - 30 * DAY, BEN)
    school.begin()
    assert {(one.student_id, one.kind, one.is_old, one.is_owed) for one in school.concerns()} == {
        (ADA, "failing", True, False),
        (ADA, "silent", True, False),
        (BEN, "silent", True, False),
    }
    school.fail(MONDAY, student=BEN)
    school.look(MONDAY + HOUR)
    (one,) = [one for one in school.concerns(ConcernKind.FAILING) if one.student_id == BEN]
    assert (one.is_old, one.is_owed) == (False, True)


def test_nothing_is_looked_at_until_the_lms_is_read(school: School) -> None:
    school.fail(MONDAY)
    school.look(MONDAY)
    with school.store.transaction():
        Cursor.insert(stream="attempts", position={"baseline_at": None}).execute()
        Cursor.insert(stream="content_attempts", position={"baseline_at": MONDAY.isoformat()}).execute()
    school.look(MONDAY)
    assert school.concerns() == []
    with school.store.transaction():
        Cursor.update(position={"baseline_at": None}).execute()
    school.look(MONDAY)
    assert len(school.concerns()) == 1


def test_a_stream_that_is_still_to_be_read_is_waited_for(school: School) -> None:
    school.watch = ConcernWatch(
        school.store, school.users, school.calendar, Thresholds(), streams=["attempts", "content_attempts"]
    )
    school.fail(MONDAY)
    school.begin()
    assert school.concerns() == []


def test_an_lms_that_is_away_at_the_beginning_does_not_hold_up_failures(school: School) -> None:
    school.users.trouble = LMSUnavailable("away")
    school.record("content_completed", MONDAY - 30 * DAY, BEN)
    school.begin()
    school.fail(MONDAY)
    school.look(MONDAY)
    school.users.trouble = None
    school.look(MONDAY + HOUR)
    assert {(one.student_id, one.kind, one.is_old) for one in school.concerns()} == {
        (ADA, "failing", False),
        (BEN, "silent", True),
    }


# ---- many students, and what ends in between ----


@pytest.fixture
def in_small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "CHANGED_AT_ONCE", 3)
    monkeypatch.setattr(daily, "STUDENTS_AT_ONCE", 3)


def fill(school: School) -> None:
    """Old concerns of 10 students, and 10 who have not started."""
    school.users.students = dict.fromkeys(range(1, 21), EARLY)
    for student in range(2, 21, 2):
        school.fail(MONDAY - 30 * DAY, student=student)


def expect_all_once(school: School) -> None:
    found = sorted((one.student_id, one.kind) for one in school.concerns())
    even, odd = range(2, 21, 2), range(1, 21, 2)
    expected = [(one, kind) for one in even for kind in ("failing", "silent")]
    assert found == sorted(expected + [(one, "never_started") for one in odd])


@pytest.mark.usefixtures("in_small_batches")
def test_who_is_killed_between_batches_goes_on_where_it_was(school: School) -> None:
    fill(school)
    with school.store.transaction():
        Cursor.insert(stream="attempts", position={"baseline_at": None}).execute()
    steps = 0
    while school.watch.step(MONDAY):
        school.restart()
        steps += 1
    assert 10 < steps < 20
    expect_all_once(school)
    assert all(one.is_old for one in school.concerns())


class Killed(BaseException):
    """Nothing catches it."""


def kill_at(monkeypatch: pytest.MonkeyPatch, store: Store, number: int) -> None:
    """The store's `number`th statement from now on is not executed, and none after it."""
    statements = itertools.count(1)

    def stop(_: str) -> None:
        if next(statements) >= number:
            raise Killed

    before_each_statement(monkeypatch, store, stop)


@pytest.mark.usefixtures("in_small_batches")
def test_who_is_killed_at_any_statement_leaves_nothing_undone_or_double(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(school)
    with school.store.transaction():
        Cursor.insert(stream="attempts", position={"baseline_at": None}).execute()
    for number in [*range(1, 60), 100, 200, 400]:
        with monkeypatch.context() as patched:
            kill_at(patched, school.store, number)
            with suppress(Killed):
                school.look(MONDAY)
        school.store.close_thread()
        school.restart()
    school.look(MONDAY)
    expect_all_once(school)


@pytest.mark.usefixtures("in_small_batches")
@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_several_processes_look_at_everything_once(school: School) -> None:
    fill(school)
    with school.store.transaction():
        Cursor.insert(stream="attempts", position={"baseline_at": None}).execute()

    def look(_: int) -> None:
        watch = ConcernWatch(school.store, school.users, school.calendar, Thresholds())
        while watch.step(MONDAY):
            pass
        school.store.close_thread()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(look, range(4)))
    expect_all_once(school)


def test_who_records_meanwhile_is_looked_at_after(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mark is taken away before the record is read."""
    school.begin()
    school.fail(MONDAY, 2)
    executed = note_statements(school.store, monkeypatch)
    school.look(MONDAY)
    taken = next(at for at, sql in enumerate(executed) if "SET is_changed" in sql)
    assert taken < next(at for at, sql in enumerate(executed) if "lms_attempts" in sql)


def orders() -> Sequence[Callable[[School], None]]:
    """The same facts; looked at in between, or not."""

    def at_once(school: School) -> None:
        school.fail(MONDAY)
        school.record("exam_passed", MONDAY + DAY)
        school.fail(MONDAY + 2 * DAY, 4)

    def backwards(school: School) -> None:
        for number in reversed(range(4)):
            school.record("exam_failed", MONDAY + 2 * DAY + number * MINUTE)
            school.look(MONDAY + 3 * DAY)
        school.record("exam_passed", MONDAY + DAY)
        school.look(MONDAY + 3 * DAY)
        school.fail(MONDAY)

    return [at_once, backwards]


@pytest.mark.parametrize("in_some_order", orders())
def test_what_is_open_in_the_end_is_what_the_record_says(
    school: School, in_some_order: Callable[[School], None]
) -> None:
    school.begin()
    in_some_order(school)
    school.look(MONDAY + 3 * DAY)
    (one,) = [one for one in school.concerns() if one.cleared_at is None]
    assert (one.kind, one.since_at, one.facts["in_row"]) == ("failing", MONDAY + 2 * DAY, 4)


# ---- reading them ----


def test_the_most_urgent_come_first_and_what_ended_is_history(school: School) -> None:
    school.begin()
    school.record("content_completed", MONDAY - DAY, BEN)
    school.fail(MONDAY, 6, student=BEN)
    school.fail(MONDAY - 2 * DAY)
    school.look(thursday_after())
    assert school.kinds() == [(BEN, "failing"), (ADA, "failing"), (ADA, "silent"), (BEN, "silent")]
    assert [one.kind for one in reads.get_open_concerns([ADA])] == ["failing", "silent"]
    school.record("exam_passed", thursday_after(), of=77)
    school.look(thursday_after() + HOUR)
    ended = reads.get_cleared_between(None, thursday_after(), thursday_after() + DAY)
    assert {one.kind for one in ended} == {"failing", "silent"}
    assert reads.get_cleared_between([BEN], thursday_after(), thursday_after() + DAY) == []
    assert reads.get_cleared_between([ADA], thursday_after(), thursday_after() + HOUR) == []
    assert [one.kind for one in reads.get_history(ADA)] == ["silent", "failing"]
    assert [one.kind for one in reads.get_history(ADA, limit=1, offset=1)] == ["failing"]


def test_the_beginning_is_written_down_once(school: School) -> None:
    school.begin()
    school.look(MONDAY + DAY)
    with school.store.session():
        assert KeyValue.find(watcher.BEGAN) == MONDAY.isoformat()
