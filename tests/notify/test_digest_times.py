"""When digests come: by each one's own clock, on school days, once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lms_bot.core.clock import UTC, to_utc
from lms_bot.insight.school_calendar import SchoolCalendar
from lms_bot.notify.digest_times import LATEST, find_due_digest, find_start
from lms_bot.notify.preferences import FOR_EVER, Preferences
from lms_bot.settings.checks import WEEKDAYS
from lms_bot.store.database import open_store

BERLIN = ZoneInfo("Europe/Berlin")
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture(scope="module")
def calendar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SchoolCalendar]:
    path: Path = tmp_path_factory.mktemp("calendar") / "store.db"
    store = open_store(f"sqlite:///{path}")
    calendar = SchoolCalendar(frozenset(WEEKDAYS[:5]), BERLIN, (), store)
    calendar.declare(date(2026, 3, 19), date(2026, 3, 19), "a day off")
    yield calendar
    store.close_thread()


def live(calendar: SchoolCalendar, first: str, days: int, every: timedelta = 10 * MINUTE, **chosen: Any) -> list[str]:
    """When digests come, looked for now and then."""
    now, end = (datetime.fromisoformat(first).replace(tzinfo=BERLIN) + days * DAY for days in (0, days))
    last_at: datetime | None = None
    found: list[str] = []
    while now < end:
        due_at = find_due_digest(Preferences(**chosen), last_at, BERLIN, calendar, to_utc(now))
        if due_at is not None:
            found.append(to_utc(now).astimezone(BERLIN).strftime("%a %d %H:%M"))
            last_at = due_at
        now += every
    return found


def test_it_comes_at_half_past_seven_on_school_days(calendar: SchoolCalendar) -> None:
    assert live(calendar, "2026-03-16", 9) == [
        "Mon 16 07:30", "Tue 17 07:30", "Wed 18 07:30", "Fri 20 07:30", "Mon 23 07:30", "Tue 24 07:30",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({"digest": "18:00"}, ["Mon 16 18:00", "Tue 17 18:00", "Wed 18 18:00"]),
        ({"digest": "wed 07:30"}, ["Wed 18 07:30"]),
        ({"digest": "off"}, []),
        ({"level": "off"}, []),
        ({"muted_until": FOR_EVER}, []),
        ({"workdays": ("tue",)}, ["Tue 17 07:30"]),
        ({"quiet": ("22:00", "09:00")}, ["Mon 16 09:00", "Tue 17 09:00", "Wed 18 09:00"]),
    ],
)
def test_what_people_chose(calendar: SchoolCalendar, chosen: dict[str, Any], expected: list[str]) -> None:
    assert live(calendar, "2026-03-16", 4, **chosen) == expected


def test_a_bot_that_was_away_tells_late_but_not_in_the_night(calendar: SchoolCalendar) -> None:
    at = datetime(2026, 3, 16, 7, 30, tzinfo=BERLIN)
    for late, is_told in ((timedelta(), True), (LATEST - MINUTE, True), (LATEST, False)):
        found = find_due_digest(Preferences(), at - DAY, BERLIN, calendar, to_utc(at + late))
        assert (found is not None) == is_told


@given(st.integers(0, 5000), st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Apia"]))
def test_it_is_never_told_twice_for_one_day(calendar: SchoolCalendar, minutes: int, zone_name: str) -> None:
    zone = ZoneInfo(zone_name)
    now = datetime(2026, 3, 16, tzinfo=UTC) + minutes * MINUTE
    due_at = find_due_digest(Preferences(), None, zone, calendar, now)
    if due_at is not None:
        assert due_at <= now
        assert find_due_digest(Preferences(), due_at, zone, calendar, now) is None
        assert find_due_digest(Preferences(), due_at, zone, calendar, due_at + LATEST - MINUTE) is None


def test_it_tells_what_happened_since_the_last() -> None:
    due_at = datetime(2026, 3, 16, 6, 30, tzinfo=UTC)
    assert find_start(Preferences(), due_at - 3 * DAY, due_at) == due_at - 3 * DAY
    assert find_start(Preferences(), None, due_at) == due_at - DAY
    assert find_start(Preferences(digest="mon 07:30"), None, due_at) == due_at - 7 * DAY
    assert find_start(Preferences(), due_at - 300 * DAY, due_at) > due_at - 40 * DAY
