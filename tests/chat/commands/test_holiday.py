"""`holiday`: on which days there is no school."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from lms_bot.chat.commands.holiday import MOST_SHOWN, UNCLEAR_DAYS, read_days_ahead
from lms_bot.core.markdown import MAX_MESSAGE_LENGTH
from lms_bot.insight.school_calendar import Declared, SchoolCalendar
from lms_bot.settings.checks import WEEKDAYS
from tests.worlds.chat_world import ADMIN, MARIA

if TYPE_CHECKING:
    from tests.worlds.chat_world import World


NOW = datetime(2026, 11, 27, 23, 30, tzinfo=timezone.utc)  # in Berlin it is the 28th, a Saturday
TODAY = date(2026, 11, 28)
BREAK = Declared(date(2026, 12, 23), date(2027, 1, 6), "Christmas break")

Ask = Callable[[str], str]


@pytest.fixture
def calendar(small_world: World) -> SchoolCalendar:
    return SchoolCalendar(frozenset(WEEKDAYS[:5]), ZoneInfo("Europe/Berlin"), ("DE-BY",), small_world.store)


@pytest.fixture
def ask(small_world: World, calendar: SchoolCalendar) -> Ask:
    """What an admin is answered to `holiday` with these words after it."""
    small_world.change(calendar=calendar)

    def answer(said: str) -> str:
        return small_world.ask(f"holiday {said}", ADMIN, NOW).text

    return answer


@pytest.mark.parametrize(
    "said",
    [
        "2026-12-23..2027-01-06 Christmas break",
        "2026-12-23 .. 2027-01-06 Christmas break",
        "2026-12-23…2027-01-06 Christmas break",
        "2026-12-23 to 2027-01-06: Christmas break",
        "2026-12-23 - 2027-01-06, Christmas break please",
        "2026-12-23 – 2027-01-06 – Christmas break",  # noqa: RUF001
        "from 2026-12-23 until 2027-01-06 (Christmas break)",
        "23 December to 6 January “Christmas break”",
        "December 23 2026 through January 6 2027 Christmas break",
        "23.12.2026-06.01.2027 Christmas break",
    ],
)
def test_a_holiday_is_declared(ask: Ask, calendar: SchoolCalendar, said: str) -> None:
    assert ask(said) == (
        "🏖️ No school from 23 December 2026 to 6 January 2027: Christmas break. That is 8 school days fewer."
        " `holiday off 2026-12-23..2027-01-06` takes it back."
    )
    assert calendar.get_declared() == [BREAK]


def test_a_single_day_needs_no_name(ask: Ask, calendar: SchoolCalendar) -> None:
    assert ask("2026-12-24") == (
        "🏖️ No school on 24 December 2026. That is 1 school day fewer. `holiday off 2026-12-24` takes it back."
    )
    assert "There was none then anyway." in ask("today Open day")
    assert calendar.get_declared() == [
        Declared(TODAY, TODAY, "Open day"),
        Declared(date(2026, 12, 24), date(2026, 12, 24), ""),
    ]


@pytest.mark.parametrize(
    ("said", "first", "last"),
    [
        ("today", TODAY, TODAY),
        ("28 november", TODAY, TODAY),
        ("tomorrow", date(2026, 11, 29), date(2026, 11, 29)),
        ("monday", date(2026, 11, 30), date(2026, 11, 30)),
        ("27 november", date(2027, 11, 27), date(2027, 11, 27)),
        ("27 november 2026", date(2026, 11, 27), date(2026, 11, 27)),
        ("march", date(2027, 3, 1), date(2027, 3, 31)),
        ("monday to wednesday", date(2026, 11, 30), date(2026, 12, 2)),
        ("tomorrow to 2026-12-02", date(2026, 11, 29), date(2026, 12, 2)),
        ("the 24.12.", date(2026, 12, 24), date(2026, 12, 24)),
    ],
)
def test_days_lie_ahead(said: str, first: date, last: date) -> None:
    assert read_days_ahead(said, TODAY) == (first, last)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("Christmas", UNCLEAR_DAYS),
        ("off", UNCLEAR_DAYS),
        ("off Christmas", UNCLEAR_DAYS),
        ("off 2026-12-24 Christmas", UNCLEAR_DAYS),
        ("2026-02-30", UNCLEAR_DAYS),
        ("10/11/2026", UNCLEAR_DAYS),
        ("2027-01-06..2026-12-23", "That holiday would end before it begins."),
        ("2027", "That is too long: a holiday has at most 184 days."),
        ("2026-12-23..2029-01-06", "That is too long: a holiday has at most 184 days."),
    ],
)
def test_what_cannot_be_read_is_said(ask: Ask, calendar: SchoolCalendar, said: str, problem: str) -> None:
    assert ask(said).startswith(f"{problem}\nUsage: `holiday [[off] <day>[..<day>] [name]]`")
    assert calendar.get_declared() == []


def test_only_admins_declare_one(small_world: World, calendar: SchoolCalendar) -> None:
    small_world.change(calendar=calendar)
    assert "for admins only" in small_world.ask("holiday 2026-12-24", MARIA).text
    assert calendar.get_declared() == []


def test_a_holiday_is_taken_back(ask: Ask, calendar: SchoolCalendar) -> None:
    ask("2026-12-23..2027-01-06 Christmas break")
    assert ask("off 2026-12-23..2027-01-06") == (
        "🏫 No declared holiday from 23 December 2026 to 6 January 2027 any more: 8 school days then."
    )
    assert calendar.get_declared() == []
    assert (
        ask("off 2026-12-23") == "Nobody declared a holiday on 23 December 2026. `holiday` shows what was declared."
    )
    assert ask("off 2027-01-06") == (
        "Nobody declared a holiday on 6 January 2027. Epiphany is one that `LMS_HOLIDAYS` names: it ends only there."
    )


def test_all_that_is_known_is_listed(ask: Ask, calendar: SchoolCalendar) -> None:
    calendar.declare(date(2026, 9, 1), date(2026, 9, 2), "Over")
    calendar.declare(BREAK.first, BREAK.last, BREAK.name)
    lines = ask("").splitlines()
    assert lines[:9] == [
        "🏫 **School days**: Monday, Tuesday, Wednesday, Thursday, Friday (Europe/Berlin)",
        "**Holidays of**: `DE-BY`",
        "**Declared**:",
        "- `2026-12-23..2027-01-06` Christmas break",
        "",
        "| Next holiday |  |",
        "|---|---|",
        "| 23 December 2026 to 6 January 2027 | Christmas break |",
        "| 26 March 2027 | Good Friday |",
    ]


def test_where_nothing_is_known(ask: Ask, small_world: World, calendar: SchoolCalendar) -> None:
    calendar.holidays, calendar._sources = (), []
    assert ask("please").splitlines() == [
        "🏫 **School days**: Monday, Tuesday, Wednesday, Thursday, Friday (Europe/Berlin)",
        "**Holidays of**: none, `LMS_HOLIDAYS` names them",
        "**Declared**: none. `holiday 2026-12-23..2027-01-06 Christmas` declares one.",
        "",
        "No holiday within a year.",
    ]


def test_a_name_is_text(ask: Ask) -> None:
    told = ask("2026-12-24 @**all** | [x](http://evil.com)")
    listed = ask("")
    assert all("@**all**" not in text and "](http" not in text for text in (told, listed))


def test_the_list_fits_a_message(ask: Ask, calendar: SchoolCalendar) -> None:
    for month in range(1, 13):
        for day in range(1, 28):
            calendar.declare(date(2027, month, day), date(2027, month, day), f"{day} " + "x" * 80)
    assert len(ask("")) <= MAX_MESSAGE_LENGTH
    assert "… and" in ask("")
    assert sum(line.startswith("| ") for line in ask("").splitlines()) == 1 + MOST_SHOWN
