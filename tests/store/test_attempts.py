"""The record of attempts says what the LMS says now, in whatever order it was read, and what they add up to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lms_bot.core.activities import ALL_TYPES, Activity, ActivityType
from lms_bot.core.clock import UTC
from lms_bot.core.normalize import normalize
from lms_bot.store.attempts import OLD, AttemptBook, Followed
from lms_bot.store.database import Store, open_store, rows
from lms_bot.store.totals import Attempt, Coursework, StudentTotals

NOON = datetime(2026, 3, 18, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
STREAMS = ("attempts", "content_attempts")
JUDGED = {"passed", "failed"}

RESULTS: list[tuple[dict[str, Any], float | None, float | None]] = [
    ({"percentage": 85, "score": 40}, 85.0, 40.0),
    ({"percentage": 62.5, "score": "12,5"}, 62.5, 12.5),
    ({"percentage": 66.67, "score": 33.3}, 66.67, 33.3),
    ({"percentage": "70"}, 70.0, None),
    ({"percentage": " 55,5 %"}, 55.5, None),
    ({"percentage": "-5%"}, -5.0, None),
    ({"percentage": 0, "score": 0}, 0.0, 0.0),
    ({"percentage": "nan", "score": "inf"}, None, None),
    ({"percentage": "1e999"}, None, None),
    ({"percentage": 10**400}, None, None),
    ({"percentage": 1e308, "score": 1e300}, None, 1e300),
    ({"percentage": 1000.5}, None, None),
    ({"percentage": "absent"}, None, None),
    ({"percentage": [85]}, None, None),
    ({"percentage": True, "score": False}, None, None),
    ({"percentage": None}, None, None),
    ({}, None, None),
]
"""What the LMS says of a result, and the percentage and the score in it."""

MOMENTS = [None, *(NOON + days * DAY for days in (-9000, -1, 0, 1, 9)), datetime(2104, 2, 29, 3, 4, 5, 6, tzinfo=UTC)]
TITLES = [None, "", "Algebra", "algèbra", "ALGEBRA", "Weimar \t Republic\\", "\ufdfa" * 500]
COURSES = [None, "", "Maths", "Maths II", 5]
NAMES = [(None, None), ("ada", None), ("ada", "Ada"), ("ada_l", "Ada\tL\\"), (None, "Ada L")]


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    store = open_store(store_url)
    with store.session():
        yield store
    store.close_thread()


def follow(store: Store, *activities: Activity, now: datetime = NOON) -> Followed:
    with store.transaction() as db:
        return AttemptBook(db).follow(activities[0].stream, activities, now)


def mark_gone(store: Store, *row_keys: str, stream: str = "attempts", now: datetime = NOON) -> None:
    with store.transaction() as db:
        AttemptBook(db).mark_gone(stream, row_keys, now)


# ---------------------------------------------------------------- the same, in the plainest way


class Lost(NamedTuple):
    """What tells exams and contents apart: their ids, or, where these are 0, their titles."""

    stream: str
    is_exam: bool
    activity_id: int
    title_key: str


@dataclass(frozen=True)
class Try:
    student_id: int | None
    is_exam: bool
    about: Lost | None
    outcome: str
    started_at: datetime | None
    last_at: datetime
    percentage: float | None
    score: float | None
    is_shown: bool
    seen: frozenset[ActivityType]
    changed_at: datetime


@dataclass
class Model:
    tries: dict[tuple[str, str], Try] = field(default_factory=dict)
    called: dict[Lost, tuple[str | None, str | None]] = field(default_factory=dict)
    names: dict[int, tuple[str | None, str | None]] = field(default_factory=dict)
    judged: dict[tuple[str, str], tuple[int | None, str]] = field(default_factory=dict)

    def follow(self, page: list[tuple[Activity, float | None, float | None]], now: datetime) -> set[tuple[str, str]]:
        """Returns the keys of the rows that turned."""
        titles = {key: self.called[one.about][0] if one.about else None for key, one in self.tries.items()}
        turned = set()
        for activity, percentage, score in page:
            key = (activity.stream, activity.row_key)
            old = self.tries.get(key)
            new = self.tries[key] = self.make(activity, percentage, score, old, titles.get(key), now)
            judged = self.judged.get(key)
            if new.outcome in JUDGED:
                self.judged[key] = (new.student_id, new.outcome)
            if new.is_exam and new.is_shown and judged and judged[0] == new.student_id:
                turned |= {key} if {judged[1], new.outcome} == JUDGED else set()
            elif old is not None and old.student_id != new.student_id and new.outcome not in JUDGED:
                self.judged.pop(key, None)
        self.forget_names()
        for one, *_ in page:
            if one.student_id in self.get_standings():
                before = self.names.get(one.student_id, (None, None))
                names = (one.student_username or before[0], one.student_display_name or before[1])
                self.names[one.student_id] = names
        return turned

    def make(
        self,
        activity: Activity,
        percentage: float | None,
        score: float | None,
        old: Try | None,
        title_before: str | None,
        now: datetime,
    ) -> Try:
        is_known = old is not None and old.student_id is not None
        kind = activity.event_type
        outcome = "withdrawn" if activity.is_withdrawn else kind.value.split("_")[1]
        has_result = outcome not in ("started", "withdrawn")
        last_at = activity.happened_at or (old.last_at if old and is_known and old.outcome == outcome else now)
        started_at = activity.started_at or (old.started_at if old else None)
        new = Try(
            student_id=activity.student_id,
            is_exam=kind.value.startswith("exam"),
            about=self.call(activity, title_before),
            outcome=outcome,
            started_at=last_at if started_at is None and outcome == "started" else started_at,
            last_at=last_at,
            percentage=percentage if has_result else None,
            score=score if has_result else None,
            is_shown=not activity.is_echo,
            seen=(old.seen if old else frozenset()) | ({kind} if not activity.is_withdrawn else set()),
            changed_at=now,
        )
        if old is not None and replace(new, seen=old.seen, changed_at=old.changed_at) == old:
            return replace(new, changed_at=old.changed_at)
        return new

    def call(self, activity: Activity, title_before: str | None) -> Lost | None:
        title = activity.activity_title or (title_before if activity.activity_id == 0 else None)
        if activity.activity_id == 0 and not title:
            return None
        is_exam = activity.event_type.value.startswith("exam")
        title_key = "" if activity.activity_id else normalize(title)[:400]
        key = Lost(activity.stream, is_exam, activity.activity_id, title_key)
        before = self.called.get(key, (None, None))
        course = activity.activity_metadata.get("course_title")
        self.called[key] = (title or before[0], (course if isinstance(course, str) else None) or before[1])
        return key

    def mark_gone(self, stream: str, row_keys: list[str], now: datetime) -> None:
        for key in row_keys:
            old = self.tries.get((stream, key))
            if old is not None and old.is_shown:
                self.tries[stream, key] = replace(old, is_shown=False, changed_at=now)
        self.forget_names()

    def insert_known(self, stream: str, row_keys: list[str], now: datetime) -> None:
        nothing = Try(None, False, None, "started", None, now, None, None, False, frozenset(ActivityType), now)
        for key in row_keys:
            self.tries.setdefault((stream, key), nothing)

    def forget_names(self) -> None:
        """Of who has nothing any more, nothing is kept."""
        standing = self.get_standings()
        self.names = {student_id: names for student_id, names in self.names.items() if student_id in standing}

    def get_standings(self) -> dict[int, tuple[datetime, int, float]]:
        standings = {}
        shown = [one for one in self.tries.values() if one.is_shown]
        for student_id in {one.student_id for one in shown if one.student_id is not None}:
            own = [one for one in shown if one.student_id == student_id]
            percentages = [one.percentage for one in own if one.is_exam and one.percentage is not None]
            last_at = max(one.last_at for one in own)
            standings[student_id] = (last_at, len(percentages), round(sum(percentages), 6) + 0.0)
        return standings

    def as_kept(self) -> dict[str, Any]:
        attempts = {
            key: (
                one.student_id, one.is_exam, one.outcome, one.started_at, one.last_at, one.percentage, one.score,
                one.is_shown, sum(1 << list(ActivityType).index(kind) for kind in one.seen), one.changed_at,
            )
            for key, one in self.tries.items()
        }  # fmt: skip
        about = {}
        for key, one in self.tries.items():
            title, course = self.called[one.about] if one.about else (None, None)
            about[key] = one.about and (*one.about, title, normalize(title or "")[:400], course)
        standings = {key: (*self.names.get(key, (None, None)), *one) for key, one in self.get_standings().items()}
        return {"attempts": attempts, "about": about, "standings": standings}


def get_kept() -> dict[str, Any]:
    """All that is kept; sums of percentages to six digits, as they may be added in any order."""
    coursework = {
        one.coursework_id: (
            one.stream, one.is_exam, one.activity_id, one.lost_key, one.title, one.title_key, one.course_title,
        )
        for one in Coursework.select()
    }  # fmt: skip
    attempts, about = {}, {}
    for one in Attempt.select():
        key = (one.stream, one.row_key)
        about[key] = None if one.coursework_id is None else coursework[one.coursework_id]
        attempts[key] = (
            one.student_id, one.is_exam, one.outcome, one.started_at, one.last_at, one.percentage, one.score,
            one.is_shown, one.seen_types, one.changed_at,
        )  # fmt: skip
    standings = {row[0]: (*row[1:5], round(row[5], 6) + 0.0) for row in rows(StudentTotals.select())}
    return {"attempts": attempts, "about": about, "standings": standings}


ROWS = st.fixed_dictionaries(
    {
        "event_type": st.sampled_from([*ActivityType, ActivityType.EXAM_PASSED, ActivityType.EXAM_FAILED]),
        "student_id": st.integers(1, 3),
        "names": st.sampled_from(NAMES),
        "activity_id": st.sampled_from([0, 0, 1, 2, 2**62]),
        "activity_title": st.sampled_from(TITLES),
        "course": st.sampled_from(COURSES),
        "happened_at": st.sampled_from(MOMENTS),
        "started_at": st.sampled_from(MOMENTS),
        "is_echo": st.sampled_from([False, False, False, True]),
        "is_withdrawn": st.sampled_from([False, False, False, True]),
        "result": st.sampled_from(RESULTS),
    }
)
KEYS = st.sampled_from(["1", "2", "3", "a\tb\\"])
STEPS = st.one_of(
    st.tuples(st.just("follow"), st.sampled_from(STREAMS), st.dictionaries(KEYS, ROWS, max_size=4)),
    st.tuples(st.just("follow"), st.sampled_from(STREAMS), st.dictionaries(KEYS, ROWS, min_size=2, max_size=4)),
    st.tuples(st.just("mark_gone"), st.sampled_from(STREAMS), st.lists(KEYS, unique=True)),
    st.tuples(st.just("insert_known"), st.sampled_from(STREAMS), st.lists(KEYS, unique=True, max_size=2)),
)


def draw_page(stream: str, drawn: dict[str, dict[str, Any]]) -> list[tuple[Activity, float | None, float | None]]:
    """Activities with the percentages and scores in them."""
    page = []
    for key, one in drawn.items():
        metadata, percentage, score = one["result"]
        kind = one["event_type"]
        if one["is_withdrawn"]:
            kind = ActivityType.EXAM_STARTED if kind.is_exam else ActivityType.CONTENT_STARTED
        same = {name: one[name] for name in ("student_id", "activity_id", "activity_title", "happened_at",
                                             "started_at", "is_echo", "is_withdrawn")}  # fmt: skip
        activity = Activity(
            stream=stream, row_key=key, event_type=kind, student_username=one["names"][0],
            student_display_name=one["names"][1],
            activity_metadata={**metadata, "course_title": one["course"]}, **same,
        )  # fmt: skip
        page.append((activity, percentage, score))
    return page


def empty(store: Store) -> None:
    with store.transaction():
        for model in (Attempt, Coursework, StudentTotals):
            model.delete().execute()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=1, max_size=7))
def test_what_is_kept_is_what_the_lms_says_now(store: Store, steps: list[tuple[str, str, Any]]) -> None:
    empty(store)
    book, model = AttemptBook(store.database), Model()
    for number, (action, stream, drawn) in enumerate(steps):
        now = NOON + number * MINUTE
        with store.transaction():
            if action == "follow":
                page = draw_page(stream, drawn)
                followed = book.follow(stream, [one for one, *_ in page], now)
                turned = model.follow(page, now)
                assert {(one.activity.stream, one.activity.row_key) for one in followed.turns} == turned
            else:
                getattr(book, action)(stream, drawn, now)
                getattr(model, action)(stream, drawn, now)
        assert get_kept() == model.as_kept()


# ---------------------------------------------------------------- in words


def an_exam(event_type: str = "exam_passed", percentage: Any = None, **changes: Any) -> Activity:
    metadata = {} if percentage is None else {"percentage": percentage}
    usual = Activity(
        "attempts", "1", ActivityType(event_type), 1, "ada", "Ada", 7, "Algebra", metadata, NOON, attempt_id=1
    )
    return replace(usual, **changes)


def a_content(event_type: str = "content_watched", **changes: Any) -> Activity:
    return an_exam(event_type, stream="content_attempts", **changes)


def get_attempt(row_key: str = "1", stream: str = "attempts") -> Attempt:
    return Attempt.get(Attempt.stream == stream, Attempt.row_key == row_key)


def get_outcome(row_key: str = "1") -> tuple[str, float | None]:
    attempt = get_attempt(row_key)
    return attempt.outcome, attempt.percentage


def get_about(row_key: str = "1", stream: str = "attempts") -> tuple[int, str | None]:
    about = Coursework.get_by_id(get_attempt(row_key, stream).coursework_id)
    return about.activity_id, about.title


def get_totals() -> dict[int, tuple[int, float]]:
    """How many exams of each student have a percentage, and the sum of these."""
    return {one.student_id: (one.scored, one.percentage_total) for one in StudentTotals.select()}


@pytest.mark.parametrize(
    ("outcomes", "last"),
    [
        ([("exam_passed", 70), ("exam_failed", 30), ("exam_passed", 75)], ("passed", 75.0)),
        ([("exam_failed", 30), ("exam_passed", 75), ("exam_failed", 40)], ("failed", 40.0)),
        ([("exam_passed", 60), ("exam_passed", 85)], ("passed", 85.0)),
        ([("exam_completed", None), ("exam_passed", None), ("exam_passed", 80)], ("passed", 80.0)),
        ([("exam_passed", 80), ("exam_completed", None)], ("completed", None)),
        ([("exam_passed", 80), ("exam_started", None)], ("started", None)),
    ],
)
def test_an_attempt_is_as_the_lms_says_now_whatever_was_said_before(
    store: Store, outcomes: list[tuple[str, int | None]], last: tuple[str, float | None]
) -> None:
    for event_type, percentage in outcomes:
        follow(store, an_exam(event_type, percentage))
    assert get_outcome() == last
    assert get_totals() == {1: (0, 0.0) if last[1] is None else (1, last[1])}


def test_what_a_running_attempt_has_so_far_is_no_result(store: Store) -> None:
    follow(store, an_exam("exam_started", activity_metadata={"percentage": 20, "score": 4}))
    attempt = get_attempt()
    assert (attempt.outcome, attempt.percentage, attempt.score) == ("started", None, None)
    assert get_totals() == {1: (0, 0.0)}


def test_an_attempt_that_moves_to_another_student_counts_for_that_one(store: Store) -> None:
    follow(store, an_exam("exam_passed", 70, row_key="1"), an_exam("exam_failed", 20, row_key="2"))
    follow(store, an_exam("exam_passed", 70, row_key="1", student_id=2))
    assert get_totals() == {1: (1, 20.0), 2: (1, 70.0)}

    follow(store, an_exam("exam_failed", 20, row_key="2", student_id=2))
    assert get_totals() == {2: (2, 90.0)}, "of the first nothing remains"
    assert rows(Attempt.select(Attempt.row_key, Attempt.student_id).order_by(Attempt.row_key)) == [("1", 2), ("2", 2)]


def test_two_attempts_that_change_places_leave_both_students_with_one(store: Store) -> None:
    one, two = an_exam("exam_passed", 70, row_key="1"), an_exam("exam_passed", 90, row_key="2", student_id=2)
    follow(store, one, two)
    follow(store, replace(one, student_id=2), replace(two, student_id=1))
    assert get_totals() == {1: (1, 90.0), 2: (1, 70.0)}


def test_what_was_withdrawn_is_over_and_has_no_result(store: Store) -> None:
    follow(store, an_exam("exam_started"))
    follow(store, an_exam("exam_started", 40, is_withdrawn=True, happened_at=NOON + DAY))
    attempt = get_attempt()
    assert (attempt.outcome, attempt.percentage) == ("withdrawn", None)
    assert (attempt.started_at, attempt.last_at) == (NOON, NOON + DAY)
    assert attempt.seen_types == ActivityType.EXAM_STARTED.bit


def test_only_a_row_seen_started_was_seen_so(store: Store) -> None:
    """One that was given up before we first saw it was never seen started."""
    follow(store, an_exam("exam_started", is_withdrawn=True))
    assert get_attempt().seen_types == 0


def test_a_row_that_is_gone_counts_no_longer_and_comes_back_when_it_is_seen_again(store: Store) -> None:
    follow(store, an_exam("exam_started"), an_exam("exam_passed", 50, row_key="2"))
    follow(store, an_exam("exam_failed", 30))
    mark_gone(store, "1", "unheard of", now=NOON + MINUTE)
    attempt = get_attempt()
    assert (attempt.is_shown, attempt.changed_at) == (False, NOON + MINUTE)
    assert get_totals() == {1: (1, 50.0)}
    assert AttemptBook(store.database).get_shown_keys("attempts", None, 10) == ["2"]

    mark_gone(store, "1", now=NOON + DAY)
    assert get_attempt().changed_at == NOON + MINUTE, "it was gone before"

    follow(store, an_exam("exam_passed", 80))
    seen = (ActivityType.EXAM_STARTED, ActivityType.EXAM_FAILED, ActivityType.EXAM_PASSED)
    assert get_attempt().is_shown
    assert get_attempt().seen_types == sum(kind.bit for kind in seen)
    assert get_totals() == {1: (2, 130.0)}


def test_who_has_nothing_left_stands_nowhere(store: Store) -> None:
    follow(store, an_exam("exam_passed", 50), an_exam("exam_passed", 60, row_key="2", student_id=2))
    mark_gone(store, "1")
    assert get_totals() == {2: (1, 60.0)}


def test_when_a_student_did_something_last_may_be_earlier_than_was_said(store: Store) -> None:
    follow(store, an_exam(happened_at=NOON + 3 * DAY), an_exam(row_key="2", happened_at=NOON + DAY))
    follow(store, an_exam(happened_at=NOON))
    assert StudentTotals.get().last_at == NOON + DAY


def test_a_row_whose_exam_is_gone_is_called_as_last_known(store: Store) -> None:
    follow(store, an_exam("exam_started"))
    followed = follow(store, an_exam("exam_passed", activity_id=0, activity_title=None))
    assert followed.titles == {"1": "Algebra"}
    assert get_about() == (0, "Algebra")

    follow(store, an_exam("exam_passed", activity_id=0, activity_title=None))
    assert get_about() == (0, "Algebra")


def test_a_row_about_nothing_that_was_ever_called_anything_is_about_nothing(store: Store) -> None:
    followed = follow(store, an_exam(activity_id=0, activity_title=None))
    assert followed.titles.get("1") is None
    assert get_attempt().coursework_id is None


def test_two_exams_of_one_title_are_two(store: Store) -> None:
    follow(store, an_exam(activity_id=7), an_exam(row_key="2", activity_id=8))
    follow(store, a_content(activity_id=7))
    assert get_about("1") == (7, "Algebra")
    assert get_about("2") == (8, "Algebra")
    assert len({one.coursework_id for one in Attempt.select()}) == 3, "a content with the id of an exam is no exam"


def test_a_renamed_exam_is_one_with_its_present_title(store: Store) -> None:
    follow(store, an_exam("exam_started"), an_exam(row_key="2"))
    follow(store, an_exam("exam_passed", activity_title="Algebra I"))
    assert get_about("1") == get_about("2") == (7, "Algebra I")
    assert rows(Coursework.select(Coursework.title, Coursework.title_key)) == [("Algebra I", "algebra i")]


def test_an_exam_that_has_no_title_now_keeps_the_one_it_had(store: Store) -> None:
    follow(store, a_content(activity_metadata={"course_title": "Maths"}))
    followed = follow(store, a_content(activity_title=None))
    assert followed.titles == {"1": "Algebra"}
    assert rows(Coursework.select(Coursework.title, Coursework.course_title)) == [("Algebra", "Maths")]


def test_when_an_attempt_changed_is_when_what_it_says_did(store: Store) -> None:
    """Also where its percentage is none that 4 bytes could keep."""
    follow(store, an_exam("exam_passed", 66.67), now=NOON)
    follow(store, an_exam("exam_passed", 66.67), now=NOON + MINUTE)
    follow(store, an_exam("exam_passed", "66,67 %", student_username="countess"), now=NOON + 2 * MINUTE)
    assert get_attempt().changed_at == NOON

    follow(store, an_exam("exam_passed", 66.7), now=NOON + 3 * MINUTE)
    assert get_attempt().changed_at == NOON + 3 * MINUTE


def test_what_has_no_date_is_of_when_it_was_first_seen_so(store: Store) -> None:
    undated = an_exam("exam_started", happened_at=None)
    for minutes in (0, 1):
        follow(store, undated, now=NOON + minutes * MINUTE)
    assert (get_attempt().started_at, get_attempt().last_at) == (NOON, NOON)

    for minutes in (2, 3):
        follow(store, an_exam("exam_passed", happened_at=None), now=NOON + minutes * MINUTE)
    assert (get_attempt().started_at, get_attempt().last_at) == (NOON, NOON + 2 * MINUTE)


def test_an_exam_that_was_passed_and_is_failed_has_turned_and_the_other_way_round(store: Store) -> None:
    assert follow(store, an_exam("exam_passed", 70), an_exam("exam_passed", 70, row_key="2")).turns == []
    failed = an_exam("exam_failed", 30)
    (turn,) = follow(store, failed, an_exam("exam_passed", 85, row_key="2")).turns
    assert (turn.activity, turn.was_type) == (failed, ActivityType.EXAM_PASSED)
    assert (turn.was_percentage, turn.percentage) == (70.0, 30.0)

    (turn,) = follow(store, an_exam("exam_passed", None)).turns
    assert (turn.was_type, turn.was_percentage, turn.percentage) == (ActivityType.EXAM_FAILED, 30.0, None)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (an_exam("exam_completed"), an_exam("exam_passed")),
        (an_exam("exam_started"), an_exam("exam_failed")),
        (an_exam("exam_passed"), an_exam("exam_started")),
        (an_exam("exam_passed"), an_exam("exam_started", is_withdrawn=True)),
        (an_exam("exam_passed"), an_exam("exam_failed", is_echo=True)),
        (an_exam("exam_passed"), an_exam("exam_failed", student_id=2)),  # whose it is now never passed it
        (a_content("content_completed"), a_content("content_watched")),
    ],
)
def test_nothing_else_is_a_turn(store: Store, before: Activity, after: Activity) -> None:
    follow(store, before)
    assert follow(store, after).turns == []


def test_what_an_earlier_version_put_together_does_not_turn_but_what_was_read_since_does(store: Store) -> None:
    follow(store, an_exam("exam_passed"))
    Attempt.update(seen_types=Attempt.seen_types + OLD).execute()
    assert follow(store, an_exam("exam_failed")).turns == []
    assert not get_attempt().seen_types & OLD
    assert len(follow(store, an_exam("exam_passed")).turns) == 1


def test_ids_may_be_of_64_bits(store: Store) -> None:
    largest = 2**63 - 1
    follow(store, an_exam("exam_passed", 70, student_id=largest, activity_id=largest, row_key=str(largest)))
    follow(store, an_exam("exam_passed", 75, student_id=largest, activity_id=largest, row_key=str(largest)))
    assert get_about(str(largest)) == (largest, "Algebra")
    assert get_totals() == {largest: (1, 75.0)}


def test_rows_of_before_the_bot_are_never_shown_and_nothing_they_say_is_news(store: Store) -> None:
    book = AttemptBook(store.database)
    follow(store, an_exam("exam_passed", 70))
    with store.transaction():
        book.insert_known("attempts", ["1", "2"], NOON)
    assert book.get_seen("attempts", ["1", "2", "3"]) == {"1": ActivityType.EXAM_PASSED.bit, "2": ALL_TYPES}
    assert book.get_shown_keys("attempts", None, 10) == ["1"]
    assert get_outcome("1") == ("passed", 70.0), "it was read before"
    assert get_totals() == {1: (1, 70.0)}

    assert follow(store, an_exam("exam_failed", 30, row_key="2", happened_at=None), now=NOON + MINUTE).turns == []
    assert get_attempt("2").last_at == NOON + MINUTE, "when it was taken as known is not when it happened"


def test_what_is_in_the_lms_is_listed_page_by_page(store: Store) -> None:
    follow(store, *(an_exam(row_key=str(number)) for number in range(5)), an_exam(row_key="9", is_echo=True))
    book, found, after = AttemptBook(store.database), [], None
    while page := book.get_shown_keys("attempts", after, 2):
        found += page
        after = page[-1]
    assert sorted(found) == ["0", "1", "2", "3", "4"]


def test_students_are_called_as_the_lms_calls_them_now(store: Store) -> None:
    follow(store, an_exam("exam_started"))
    follow(store, an_exam("exam_started", student_username="countess", student_display_name=None))
    assert rows(StudentTotals.select(StudentTotals.username, StudentTotals.display_name)) == [("countess", "Ada")]
