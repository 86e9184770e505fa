"""On which days there is school."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from holidays import country_holidays
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lms_bot.core.errors import ConfigError
from lms_bot.insight.school_calendar import DECLARED_CACHE_SECONDS, Declared, SchoolCalendar
from lms_bot.settings.checks import WEEKDAYS
from lms_bot.store.database import Store, open_store

MON_TO_FRI = frozenset(WEEKDAYS[:5])
BERLIN = ZoneInfo("Europe/Berlin")
ONE_DAY = timedelta(days=1)
YEAR_AROUND = (date(2025, 12, 1), date(2027, 2, 1))

MakeCalendar = Callable[..., SchoolCalendar]


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store(store_url: str) -> Store:
    return open_store(store_url)


@pytest.fixture
def small_store(empty_store: Path, tmp_path: Path) -> Store:
    path = tmp_path / "calendar.db"
    path.write_bytes(empty_store.read_bytes())
    return open_store(f"sqlite:///{path}")


@pytest.fixture
def make_calendar(small_store: Store) -> MakeCalendar:
    def make(*holidays: str, days: frozenset[str] = MON_TO_FRI) -> SchoolCalendar:
        return SchoolCalendar(days, BERLIN, holidays, small_store)

    return make


@pytest.fixture
def read_file(make_calendar: MakeCalendar, tmp_path: Path) -> Callable[..., list[Declared]]:
    """The holidays around 2026 that a file with these lines names."""

    def read(*lines: str, ending: str = "\r\n") -> list[Declared]:
        path = tmp_path / "terms.ics"
        path.write_bytes(ending.join(["BEGIN:VCALENDAR", "VERSION:2.0", *lines, "END:VCALENDAR", ""]).encode())
        return make_calendar(str(path)).get_holidays(*YEAR_AROUND)

    return read


def event(*lines: str) -> tuple[str, ...]:
    return ("BEGIN:VEVENT", "UID:1", *lines, "END:VEVENT")


def get_problem(error: pytest.ExceptionInfo[ConfigError]) -> str:
    (problem,) = error.value.problems
    assert problem.startswith("LMS_HOLIDAYS: ") and "\n" not in problem
    return problem


def test_days_begin_in_the_schools_zone(make_calendar: MakeCalendar) -> None:
    calendar = make_calendar()
    assert calendar.get_date(datetime(2026, 7, 1, 22, 30, tzinfo=timezone.utc)) == date(2026, 7, 2)
    assert calendar.get_midnight(date(2026, 7, 2)) == datetime(2026, 7, 1, 22, tzinfo=timezone.utc)
    assert calendar.get_midnight(date(2026, 1, 2)) == datetime(2026, 1, 1, 23, tzinfo=timezone.utc)
    assert calendar.get_midnight(date(2026, 1, 2)).utcoffset() == timedelta(0)


def test_days_of_the_week(make_calendar: MakeCalendar) -> None:
    calendar = make_calendar(days=frozenset({"sun", "mon"}))
    monday = date(2026, 3, 2)
    assert [calendar.is_school_day(monday + number * ONE_DAY) for number in range(7)] == [True, *[False] * 5, True]
    assert calendar.find_next_school_day(monday) == monday
    assert calendar.find_next_school_day(monday + ONE_DAY) == monday + 6 * ONE_DAY


def test_a_region_has_more_holidays_than_its_country(make_calendar: MakeCalendar) -> None:
    epiphany, new_year = date(2026, 1, 6), date(2026, 1, 1)
    country, region, small = make_calendar("DE"), make_calendar("DE-BY"), make_calendar("de-by")
    assert not country.is_school_day(new_year) and country.is_school_day(epiphany)
    assert not region.is_school_day(new_year) and not region.is_school_day(epiphany)
    assert small.get_holidays(*YEAR_AROUND) == region.get_holidays(*YEAR_AROUND)


def test_a_holiday_observed_the_year_before(make_calendar: MakeCalendar) -> None:
    assert not make_calendar("US").is_school_day(date(2021, 12, 31))


def test_several_sources_add_up(make_calendar: MakeCalendar, tmp_path: Path) -> None:
    path = tmp_path / "TERMS.ICS"
    lines = ["BEGIN:VCALENDAR", *event("DTSTART;VALUE=DATE:20261224", "SUMMARY:Winter", "DTEND;VALUE=DATE:20261227")]
    path.write_text("\n".join([*lines, "END:VCALENDAR"]))
    found = make_calendar("DE", str(path)).get_holidays(date(2026, 12, 1), date(2027, 1, 1))
    assert [(one.first, one.last) for one in found] == [
        (date(2026, 12, 24), date(2026, 12, 26)),  # the file's name joins what the country has two names for
        (date(2027, 1, 1), date(2027, 1, 1)),
    ]
    assert found[0].name == "Winter"


@pytest.mark.parametrize(
    ("entry", "hint"),
    [
        ("XX", "like DE-BY"),
        ("Germany", "did you mean DE?"),
        ("DE-XX", "its regions are BB, BE, BW, BY"),
        ("DE-", "its regions are"),
        ("VA-XX", "it has no regions"),
        ("none.ics", "cannot be read (No such file or directory)"),
        (".ics", "cannot be read"),
    ],
)
def test_what_is_unknown_is_said_at_once(make_calendar: MakeCalendar, entry: str, hint: str) -> None:
    with pytest.raises(ConfigError) as error:
        make_calendar("DE", entry)
    assert hint in get_problem(error) and entry[:2] in get_problem(error)


def test_without_the_package(make_calendar: MakeCalendar, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "holidays", None)
    make_calendar()
    with pytest.raises(ConfigError) as error:
        make_calendar("DE")
    assert "pip install 'lms-bot[holidays]'" in get_problem(error)


@pytest.mark.parametrize(
    ("lines", "first", "last"),
    [
        (("DTSTART;VALUE=DATE:20260330", "DTEND;VALUE=DATE:20260411"), date(2026, 3, 30), date(2026, 4, 10)),
        (("DTSTART;VALUE=DATE:20260330",), date(2026, 3, 30), date(2026, 3, 30)),
        (("DTSTART:20260330",), date(2026, 3, 30), date(2026, 3, 30)),
        (("dtstart;value=date:20260330",), date(2026, 3, 30), date(2026, 3, 30)),
        (("DTSTART;VALUE=DATE:20260330", "DTEND;VALUE=DATE:20260330"), date(2026, 3, 30), date(2026, 3, 30)),
        (("DTSTART;VALUE=DATE:20260330", "DURATION:P2D"), date(2026, 3, 30), date(2026, 3, 31)),
        (("DTSTART;VALUE=DATE:20260330", "DURATION:P1W"), date(2026, 3, 30), date(2026, 4, 5)),
        (("DTSTART:20260330T220000Z", "DTEND:20260331T100000Z"), date(2026, 3, 31), date(2026, 3, 31)),
        (("DTSTART:20260330T000000", "DTEND:20260331T000000"), date(2026, 3, 30), date(2026, 3, 30)),
        (("DTSTART:20260330T080000", "DTEND:20260331T000100"), date(2026, 3, 30), date(2026, 3, 31)),
        (("DTSTART:20260330T080000",), date(2026, 3, 30), date(2026, 3, 30)),
        (("DTSTART:20260330T000000",), date(2026, 3, 30), date(2026, 3, 30)),
        (('DTSTART;TZID="America/New_York":20260330T200000', "DURATION:PT1H"), date(2026, 3, 31), date(2026, 3, 31)),
        (("DTSTART;TZID=W. Europe Standard Time:20260330T080000",), date(2026, 3, 30), date(2026, 3, 30)),
        (("DTSTART;VALUE=D", " ATE:202603", "\t30"), date(2026, 3, 30), date(2026, 3, 30)),
        (("DTSTART;VALUE=DATE:20251230", "DTEND;VALUE=DATE:20260103"), date(2025, 12, 30), date(2026, 1, 2)),
        (
            ("DTSTART;VALUE=DATE:20260330", "BEGIN:VALARM", "DTSTART:20260101", "DURATION:P9D", "END:VALARM"),
            date(2026, 3, 30),
            date(2026, 3, 30),
        ),
    ],
)
@pytest.mark.parametrize("ending", ["\r\n", "\n"])
def test_days_of_a_files_event(
    read_file: Callable[..., list[Declared]], lines: tuple[str, ...], first: date, last: date, ending: str
) -> None:
    assert read_file(*event(*lines), ending=ending) == [Declared(first, last, "")]


def test_names_in_a_file(read_file: Callable[..., list[Declared]]) -> None:
    lines = event(r"SUMMARY;LANGUAGE=en:Easter\, first\; half: “so”\n\\o/", "DTSTART:20260330")
    assert [one.name for one in read_file(*lines)] == [r"Easter, first; half: “so” \o/"]


def test_every_year(read_file: Callable[..., list[Declared]]) -> None:
    eve = event("DTSTART;VALUE=DATE:20191231", "DTEND;VALUE=DATE:20200102", "RRULE:FREQ=YEARLY")
    spans = [(one.first, one.last) for one in read_file(*eve)]
    assert spans == [(date(2025, 12, 31), date(2026, 1, 1)), (date(2026, 12, 31), date(2027, 1, 1))]
    said_twice = event("DTSTART:20190501", "RRULE:FREQ=YEARLY;INTERVAL=1;BYMONTH=5;BYMONTHDAY=1;WKST=MO")
    assert [one.first for one in read_file(*said_twice)] == [date(2026, 5, 1)]
    assert read_file(*event("DTSTART:20200229", "RRULE:FREQ=YEARLY")) == []
    assert read_file(*event("DTSTART:20280501", "RRULE:FREQ=YEARLY")) == []


def test_what_is_cancelled_or_no_event_is_none(read_file: Callable[..., list[Declared]]) -> None:
    cancelled = event("DTSTART:20260330", "STATUS:CANCELLED", "RRULE:FREQ=DAILY")
    zone = ("BEGIN:VTIMEZONE", "BEGIN:STANDARD", "DTSTART:20260101T000000", "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10")
    todo = ("BEGIN:VTODO", "DTSTART:20260401", "END:VTODO")
    assert read_file(*cancelled, *zone, "END:STANDARD", "END:VTIMEZONE", *todo) == []


@pytest.mark.parametrize(
    ("lines", "hint"),
    [
        (event("DTSTART:20260330", "RRULE:FREQ=WEEKLY;COUNT=3"), "RRULE FREQ=WEEKLY;COUNT=3"),
        (event("DTSTART:20260330", "RRULE:FREQ=YEARLY;BYDAY=2MO;BYMONTH=3"), "only FREQ=YEARLY is"),
        (event("DTSTART:20260330", "RRULE:FREQ=YEARLY;BYMONTHDAY=30"), "only FREQ=YEARLY is"),
        (event("DTSTART:20260330", "RRULE:FREQ=YEARLY;UNTIL=20300101"), "in line 6"),
        (event("DTSTART:20260330", "EXDATE:20270330"), "has EXDATE in line 6"),
        (event("DTSTART:20260230"), "has no time in line 5: 20260230"),
        (event("DTSTART:tomorrow"), "has no time in line 5: tomorrow"),
        (event("DTSTART:20260330", "DTEND:"), "has no time in line 6"),
        (event("DTSTART:20260330", "DURATION:long"), "has no DURATION in line 6"),
        (event("DTSTART:99991231", "DURATION:P9W"), "outside of the calendar in line 3"),
        (event("SUMMARY:never"), "an event without DTSTART in line 3"),
        (("BEGIN:VEVENT", "DTSTART:20260330"), "ends in line 5 what was not begun"),
        (("<html>",), "is no calendar in line 3"),
    ],
)
def test_what_is_not_understood_in_a_file_is_said(
    read_file: Callable[..., list[Declared]], lines: tuple[str, ...], hint: str
) -> None:
    with pytest.raises(ConfigError) as error:
        read_file(*lines)
    assert hint in get_problem(error) and "terms.ics" in get_problem(error)


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (b"", "holds no calendar"),
        (b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260330", "is cut off"),
        (b"BEGIN:VCALENDAR\nSUMMARY:\xff\nEND:VCALENDAR", "is not UTF-8"),
    ],
)
def test_what_is_no_calendar_file(make_calendar: MakeCalendar, tmp_path: Path, content: bytes, hint: str) -> None:
    (tmp_path / "a.ics").write_bytes(content)
    with pytest.raises(ConfigError) as error:
        make_calendar("a.ics")
    assert hint in get_problem(error)


def test_a_file_with_a_byte_order_mark(make_calendar: MakeCalendar, tmp_path: Path) -> None:
    lines = ["BEGIN:VCALENDAR", *event("DTSTART:20260330"), "END:VCALENDAR"]
    (tmp_path / "a.ics").write_text("\n".join(lines), encoding="utf-8-sig")
    assert not make_calendar("a.ics").is_school_day(date(2026, 3, 30))


def test_what_is_declared_is_seen_by_all_in_a_while(store: Store) -> None:
    clock = Clock()
    here, there = (SchoolCalendar(MON_TO_FRI, BERLIN, (), store, clock=clock) for _ in range(2))
    first, last = date(2026, 12, 23), date(2027, 1, 6)
    assert there.is_school_day(first) and there.count_school_days(first - ONE_DAY, last + ONE_DAY) == 11
    here.declare(first, last, "Christmas")
    assert here.get_declared() == [Declared(first, last, "Christmas")] and not here.is_school_day(first)
    clock.now += DECLARED_CACHE_SECONDS - 1
    assert there.is_school_day(first)
    clock.now += 1
    assert not there.is_school_day(first) and there.count_school_days(first - ONE_DAY, last + ONE_DAY) == 0
    assert there.find_next_school_day(first) == date(2027, 1, 7)
    assert there.take_back(first, last) and there.is_school_day(first)
    clock.now += DECLARED_CACHE_SECONDS
    assert here.is_school_day(first) and here.get_declared() == []
    store.close_thread()


def test_a_part_is_taken_back_or_named_anew(make_calendar: MakeCalendar) -> None:
    calendar = make_calendar()
    first, last = date(2026, 12, 20), date(2026, 12, 30)
    calendar.declare(first, last, "Break")
    assert not calendar.take_back(last + ONE_DAY, last + ONE_DAY)
    assert calendar.take_back(date(2026, 12, 22), date(2026, 12, 23))
    calendar.declare(date(2026, 12, 30), date(2027, 1, 2), "New year")
    assert calendar.get_declared() == [
        Declared(first, date(2026, 12, 21), "Break"),
        Declared(date(2026, 12, 24), date(2026, 12, 29), "Break"),
        Declared(date(2026, 12, 30), date(2027, 1, 2), "New year"),
    ]
    assert calendar.get_holidays(date(2026, 12, 21), date(2026, 12, 24)) == [
        Declared(date(2026, 12, 21), date(2026, 12, 21), "Break"),
        Declared(date(2026, 12, 24), date(2026, 12, 24), "Break"),
    ]


def test_where_there_is_never_school_the_search_ends(make_calendar: MakeCalendar) -> None:
    calendar = make_calendar(days=frozenset())
    assert calendar.find_next_school_day(date(2026, 3, 2)) == date(2026, 3, 2)


days = st.dates(date(2023, 12, 20), date(2028, 3, 10))


@given(
    school_days=st.frozensets(st.sampled_from(WEEKDAYS)),
    declared=st.lists(st.tuples(days, st.integers(0, 400)), max_size=3),
    after=days,
    before=days,
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_days_are_counted_one_by_one(
    small_store: Store,
    school_days: frozenset[str],
    declared: list[tuple[date, int]],
    after: date,
    before: date,
) -> None:
    calendar = SchoolCalendar(school_days, BERLIN, ("DE-BY",), small_store)
    calendar.take_back(date(2020, 1, 1), date(2040, 1, 1))
    for first, length in declared:
        calendar.declare(first, first + length * ONE_DAY, "")
    free = {first + number * ONE_DAY for first, length in declared for number in range(length + 1)}
    free |= set(country_holidays("DE", subdiv="BY", years=range(2023, 2029)))
    between = [after + number * ONE_DAY for number in range(1, (before - after).days)]
    school = [day for day in between if WEEKDAYS[day.weekday()] in school_days and day not in free]
    assert calendar.count_school_days(after, before) == len(school)
    assert [day for day in between if calendar.is_school_day(day)] == school


def test_counting_takes_no_time(make_calendar: MakeCalendar) -> None:
    calendar = make_calendar("DE-BY")
    calendar.count_school_days(date(2016, 1, 1), date(2026, 1, 1))
    begun = time.perf_counter()
    for _ in range(1000):
        calendar.count_school_days(date(2016, 1, 1), date(2026, 1, 1))
    assert (time.perf_counter() - begun) / 1000 < 0.001
