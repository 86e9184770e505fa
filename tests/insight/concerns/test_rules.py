"""Each rule says what it is written to say, of any record, in whatever order that came."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from fractions import Fraction
from math import floor, log2
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lms_bot.insight.concerns.rules import (
    Finding,
    Try,
    could_be_rushed,
    find_failing,
    find_falling,
    find_left_open,
    find_never_started,
    find_rushing,
    find_silent,
    find_silent_since,
    get_last_day,
    get_results,
    is_worse,
)
from tests.insight.concerns.records import DAY, HOUR, MINUTE, MONDAY, WeekdayCalendar, content, exam, name_title

if TYPE_CHECKING:
    import random

CALENDAR = WeekdayCalendar()


def failing(*tries: Try) -> Finding | None:
    return find_failing(get_results(tries), name_title)


def in_a_row(outcomes: str, of: Sequence[int] | None = None) -> list[Try]:
    """`FFP`: failed, failed, passed, a day apart."""
    words = {"F": "failed", "P": "passed", "C": "completed"}
    return [
        exam(number, words[one], MONDAY + number * DAY, 10 * number, of=None if of is None else of[number])
        for number, one in enumerate(outcomes)
    ]


# ---- failing ----


@pytest.mark.parametrize(
    ("outcomes", "severity"),
    [
        ("FF", None),
        ("FFF", 0),
        ("PFFF", 0),
        ("FFFP", None),
        ("FFPF", None),
        ("F" * 5, 0),
        ("F" * 6, 1),
        ("F" * 12, 2),
    ],
)
def test_three_failures_in_a_row_are_a_concern_and_twice_as_many_are_worse(
    outcomes: str, severity: int | None
) -> None:
    found = failing(*in_a_row(outcomes))
    assert (found and found.severity) == severity


def test_a_row_of_three_is_worse_than_one_exam_failed_thrice_with_passes_between() -> None:
    outcomes, exams = "FPFPFPFFFPFFF", [1, 2, 1, 2, 1, 2, *range(3, 10)]
    found = [failing(*in_a_row(outcomes[:end], exams[:end])) for end in range(len(outcomes) + 1)]
    assert [one is None for one in found] == [*[True] * 5, *[False] * 9]
    worse = [end for end in range(6, 14) if is_worse(found[end], found[end - 1].facts)]  # type: ignore[arg-type,union-attr]
    assert worse == [9, 13]


def test_what_is_not_judged_neither_counts_nor_ends_a_row() -> None:
    found = failing(*in_a_row("FCFCF"))
    assert found is not None
    assert found.facts["in_row"] == 3


def test_one_exam_failed_three_times_is_a_concern_also_between_passes_of_others() -> None:
    found = failing(*in_a_row("FPFPFP", of=[7, 1, 7, 2, 7, 3]))
    assert found is not None
    assert found.facts == {"in_row": 0, "exams": [], "percentages": [], "exam": "Exam 7", "of_exam": 3}
    assert found.since_at == MONDAY
    assert failing(*in_a_row("FPFPFP", of=[7, 1, 7, 2, 7, 7])) is None


def test_the_facts_name_the_latest_five() -> None:
    found = failing(*in_a_row("PFFFFFF"))
    assert found is not None
    assert found.facts["exams"] == ["Exam 6", "Exam 5", "Exam 4", "Exam 3", "Exam 2"]
    assert found.facts["percentages"] == [60, 50, 40, 30, 20]
    assert found.since_at == MONDAY + DAY


def test_a_failure_that_is_judged_again_still_counts() -> None:
    tries = [*in_a_row("FF"), exam(3, "completed", MONDAY + 3 * DAY, judged="failed")]
    assert failing(*tries) is not None


def test_exams_that_are_gone_are_not_taken_as_one() -> None:
    gone = [one._replace(coursework_id=None) for one in in_a_row("FFF")]
    found = failing(*gone)
    assert found is not None
    assert (found.facts["exam"], found.facts["of_exam"]) == (None, 0)


RECORDS = st.lists(
    st.tuples(
        st.sampled_from(["failed", "failed", "failed", "passed", "completed", "started", "withdrawn"]),
        st.integers(0, 3),  # the exam
        st.integers(0, 30),  # the day
        st.one_of(st.none(), st.integers(0, 100)),
    ),
    max_size=40,
)


def make_tries(record: list[tuple[str, int, int, int | None]]) -> list[Try]:
    return [
        exam(number, outcome, MONDAY + day * DAY, percentage, of=of)
        for number, (outcome, of, day, percentage) in enumerate(record)
    ]


@given(RECORDS)
def test_failing_is_what_counting_says(record: list[tuple[str, int, int, int | None]]) -> None:
    tries = sorted(make_tries(record), key=lambda one: (one.last_at, one.row_key))
    judged = [one for one in tries if one.outcome in ("passed", "failed")]

    def count(some: list[Try]) -> int:
        return next((at for at, one in enumerate(reversed(some)) if one.outcome == "passed"), len(some))

    in_row = count(judged)
    of_exam = max(count([one for one in judged if one.coursework_id == of]) for of in range(4))
    found = failing(*tries)
    assert (found is not None) is (max(in_row, of_exam) >= 3)
    if found is not None:
        assert found.facts["in_row"] == in_row
        assert found.facts["of_exam"] == (of_exam if of_exam >= 3 else 0)
        assert found.severity == floor(log2(max(in_row, of_exam) / 3))


@given(RECORDS, st.randoms(use_true_random=False))
def test_no_order_of_arrival_makes_a_difference(
    record: list[tuple[str, int, int, int | None]], chance: random.Random
) -> None:
    tries, shuffled = make_tries(record), make_tries(record)
    chance.shuffle(shuffled)
    now = MONDAY + 30 * DAY
    assert failing(*tries) == failing(*shuffled)
    assert find_falling(get_results(tries)) == find_falling(get_results(shuffled))
    assert find_left_open(tries, name_title, now, 24) == find_left_open(shuffled, name_title, now, 24)


# ---- falling ----


def falling(*percentages: float) -> Finding | None:
    tries = [exam(number, "completed", MONDAY + number * HOUR, each) for number, each in enumerate(percentages)]
    return find_falling(get_results(tries))


def test_results_far_below_those_before_are_a_concern() -> None:
    assert falling(*[80] * 9, *[60] * 5) is None
    found = falling(*[80] * 10, *[65] * 5)
    assert found is not None
    assert found.facts == {"recent": 65.0, "before": 80.0}
    assert (found.severity, found.since_at) == (0, MONDAY + 14 * HOUR)
    assert falling(*[80] * 10, *[66] * 5) is None


def test_thirty_points_are_worse() -> None:
    found = falling(*[80] * 10, *[50] * 5)
    assert found is not None
    assert found.severity == 1


def test_it_lasts_until_they_are_as_good_again() -> None:
    fallen = [*[80] * 10, *[60] * 5]
    assert falling(*fallen, *[69] * 5) is not None  # no fall any more, but not as good as what was before
    assert falling(*fallen, *[70] * 5) is None
    assert falling(*fallen, *[70] * 5, *[60] * 5) is None


@given(st.lists(st.one_of(st.integers(0, 100), st.sampled_from([33.333, 66.667, 12.5])), max_size=60))
def test_falling_is_what_means_say(percentages: list[float]) -> None:
    is_open = False
    for end in range(15, len(percentages) + 1):
        exact = [Fraction(str(each)) for each in percentages[:end]]
        recent, before = sum(exact[-5:]) / 5, sum(exact[-15:-5]) / 10
        is_open = recent < before if is_open else recent <= before - 15
    assert (falling(*percentages) is not None) is is_open


# ---- left open ----


def test_exams_that_were_left_are_counted_and_named() -> None:
    now = MONDAY + 3 * DAY
    left = [exam(1, "started", MONDAY), exam(2, "started", MONDAY + DAY), exam(3, "started", now - 23 * HOUR)]
    found = find_left_open([*left, exam(4, "failed", MONDAY), content(1, MONDAY)], name_title, now, 24)
    assert found is not None
    assert found.facts["count"] == found.severity == 2
    assert [title for title, _ in found.facts["exams"]] == ["Exam 2", "Exam 1"]
    assert found.since_at == MONDAY


def test_none_is_left_before_the_hours_are_over() -> None:
    left = [exam(1, "started", MONDAY)]
    assert find_left_open(left, name_title, MONDAY + timedelta(hours=23, minutes=59), 24) is None
    assert find_left_open(left, name_title, MONDAY + 24 * HOUR, 24) is not None


# ---- rushing ----

USUAL = dict.fromkeys(range(100, 130), 301.0)


def rushing(*contents: Try) -> Finding | None:
    return find_rushing(get_last_day(contents, CALENDAR), CALENDAR, USUAL)


def test_ten_contents_of_one_day_in_less_than_a_fifth_of_their_time() -> None:
    day = [content(number, MONDAY + number * MINUTE) for number in range(10)]
    found = rushing(*day)
    assert found is not None
    assert found.facts == {"day": "2026-03-02", "count": 10}
    assert rushing(*day[:9]) is None
    assert rushing(*day[:9], content(10, seconds=61)) is None
    assert rushing(*day[:9], content(10, seconds=None)) is None
    assert rushing(*day[:9], content(10, seconds=0)) is None


def test_the_same_content_ten_times_is_one() -> None:
    day = [content(1, MONDAY + number * MINUTE) for number in range(10)]
    assert rushing(*day) is None


def test_the_next_day_with_contents_decides() -> None:
    day = [content(number) for number in range(12)]
    assert rushing(*day, content(20, MONDAY + DAY, 400)) is None
    assert rushing(*day, content(20, MONDAY - DAY, 400)) is not None
    assert rushing(*day, content(20, MONDAY + DAY, outcome="started")) is not None


def test_the_day_is_the_schools() -> None:
    calendar = WeekdayCalendar(ZoneInfo("Asia/Tokyo"))
    around_midnight = MONDAY.replace(hour=15)
    day = [content(number, around_midnight + (number - 5) * MINUTE) for number in range(12)]
    assert len(get_last_day(day, calendar)) == 7
    assert len(get_last_day(day, CALENDAR)) == 12


def test_where_few_are_timed_nothing_is_asked() -> None:
    assert could_be_rushed([content(number) for number in range(9)]) == set()
    assert len(could_be_rushed([content(number) for number in range(10)])) == 10


@given(st.lists(st.tuples(st.integers(0, 14), st.integers(0, 2), st.integers(-5, 120)), max_size=40))
def test_rushing_is_what_the_last_day_says(record: list[tuple[int, int, int]]) -> None:
    contents = [content(number, MONDAY + day * DAY, seconds) for number, day, seconds in record]
    last = max((day for _, day, _ in record), default=0)
    rushed = {number for number, day, seconds in record if day == last and 0 < seconds < 301 / 5}
    assert (rushing(*contents) is not None) is (len(rushed) >= 10)


# ---- silent, never started ----


def test_only_full_school_days_count() -> None:
    def days(now: datetime) -> int | None:
        found = find_silent(MONDAY, now, CALENDAR, 7)
        return None if found is None else found.facts["school_days"]

    wednesday_after = datetime(2026, 3, 11, tzinfo=MONDAY.tzinfo)
    assert days(wednesday_after) is None
    assert days(wednesday_after + DAY) == 7
    assert days(wednesday_after + 2 * DAY) == 8
    assert days(wednesday_after + 3 * DAY) == days(wednesday_after + 5 * DAY) == 9


def test_who_never_began_is_a_concern_by_the_same_count() -> None:
    thursday = datetime(2026, 3, 12, tzinfo=MONDAY.tzinfo)
    assert find_never_started(MONDAY, thursday - MINUTE, CALENDAR, 7) is None
    found = find_never_started(MONDAY, thursday, CALENDAR, 7)
    assert found is not None
    assert found.facts == {"since": "2026-03-02", "school_days": 7}


@given(
    st.dates(date(2026, 1, 1), date(2026, 12, 31)),
    st.integers(1, 30),
    st.frozensets(st.dates(date(2025, 11, 1), date(2026, 12, 31)), max_size=30),
)
def test_the_last_silent_day_is_where_silence_begins(today: date, days: int, holidays: frozenset[date]) -> None:
    calendar = WeekdayCalendar(holidays=holidays)
    since = find_silent_since(today, calendar, days)
    assert since is not None
    assert calendar.count_school_days(since, today) >= days
    assert calendar.count_school_days(since + DAY, today) < days


def test_without_school_nobody_is_silent() -> None:
    class Never(WeekdayCalendar):
        def is_school_day(self, day: date) -> bool:
            return False

    assert find_silent_since(MONDAY.date(), Never(), 1) is None
