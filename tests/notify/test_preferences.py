"""When somebody is told, by what they chose: checked minute by minute against what the choices say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lms_bot.core.activities import ActivityType
from lms_bot.core.clock import UTC, find_zone, to_utc
from lms_bot.notify.preference_book import PreferenceBook
from lms_bot.notify.preferences import FAR_FUTURE, FOR_EVER, Preferences, Told
from lms_bot.settings.checks import WEEKDAYS
from lms_bot.store.database import Store, open_store
from lms_bot.store.models import Preference

BERLIN = ZoneInfo("Europe/Berlin")
JOHN, JANE = 11, 12
PASSED, FAILED, STARTED = "exam_passed", "exam_failed", "exam_started"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
STEP = timedelta(minutes=15)

ZONES: list[tzinfo] = [
    UTC,
    *map(
        ZoneInfo,
        (
            *("Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland", "Australia/Lord_Howe"),
            *("America/Havana", "Africa/Cairo", "Pacific/Chatham", "Pacific/Apia", "America/St_Johns"),
        ),
    ),
]


def local(text: str, zone: tzinfo = BERLIN) -> datetime:
    """A moment by the wall clock of a zone."""
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def due_of(
    preferences: Preferences,
    kind: str,
    student: int,
    since: datetime,
    zone: tzinfo,
    now: datetime | None = None,
) -> datetime | None:
    plan = preferences.make_plan(Told(kind, student), since, zone, now)
    return None if plan is None else plan.due_at


def told(preferences: Preferences, since: str, kind: str = PASSED, now: str | None = None) -> str | None:
    """When it is told, by the wall clock in Berlin."""
    due = due_of(preferences, kind, JOHN, local(since), BERLIN, local(now) if now else None)
    return due.astimezone(BERLIN).strftime("%a %Y-%m-%d %H:%M") if due else None


# ---- what the words say ----


def test_without_choices_everything_is_told_at_once() -> None:
    since = local("2026-03-18 12:34:56")
    for kind in ActivityType:
        assert due_of(Preferences(), kind.value, JOHN, since, BERLIN) == since


def test_what_is_off_is_not_told_and_the_admins_default_gives_way_to_a_choice() -> None:
    preferences = Preferences(default={PASSED: "off", STARTED: "off"}, notify={STARTED: "now", FAILED: "off"})
    since = "2026-03-18 12:00"
    assert told(preferences, since, PASSED) is None
    assert told(preferences, since, FAILED) is None
    assert told(preferences, since, STARTED) == "Wed 2026-03-18 12:00"


@pytest.mark.parametrize(
    ("when", "since", "due"),
    [
        ("hourly", "2026-03-18 12:00", "Wed 2026-03-18 12:00"),
        ("hourly", "2026-03-18 12:00:01", "Wed 2026-03-18 13:00"),
        ("hourly", "2026-03-18 23:59", "Thu 2026-03-19 00:00"),
        ("hourly", "2026-03-29 01:30", "Sun 2026-03-29 03:00"),  # the clock is put forward at two
        ("hourly", "2026-10-25 02:30", "Sun 2026-10-25 02:00"),  # and back at three: it is two again
        ("daily", "2026-03-18 12:00", "Wed 2026-03-18 18:00"),
        ("daily", "2026-03-18 18:00", "Wed 2026-03-18 18:00"),
        ("daily", "2026-03-18 18:00:01", "Thu 2026-03-19 18:00"),
        ("daily", "2026-03-28 19:00", "Sun 2026-03-29 18:00"),
    ],
)
def test_rounds(when: str, since: str, due: str) -> None:
    assert told(Preferences(notify={PASSED: when}), since) == due


def test_a_full_hour_is_one_of_the_askers_zone() -> None:
    kolkata = ZoneInfo("Asia/Kolkata")
    due = due_of(Preferences(notify={PASSED: "hourly"}), PASSED, JOHN, local("2026-03-18 12:10", kolkata), kolkata)
    assert due == local("2026-03-18 13:00", kolkata)


@pytest.mark.parametrize(
    ("since", "due"),
    [
        ("2026-03-18 20:59:59", "Wed 2026-03-18 20:59"),
        ("2026-03-18 21:00", "Thu 2026-03-19 07:00"),
        ("2026-03-19 00:00", "Thu 2026-03-19 07:00"),
        ("2026-03-19 06:59:59", "Thu 2026-03-19 07:00"),
        ("2026-03-19 07:00", "Thu 2026-03-19 07:00"),
        ("2026-03-28 23:00", "Sun 2026-03-29 07:00"),
        ("2026-10-24 23:00", "Sun 2026-10-25 07:00"),
    ],
)
def test_quiet_over_midnight(since: str, due: str) -> None:
    assert told(Preferences(quiet=("21:00", "07:00")), since) == due


def test_quiet_within_a_day_and_no_time_at_all() -> None:
    assert told(Preferences(quiet=("12:00", "13:30")), "2026-03-18 12:00") == "Wed 2026-03-18 13:30"
    assert told(Preferences(quiet=("12:00", "12:00")), "2026-03-18 12:00") == "Wed 2026-03-18 12:00"


def test_an_hour_that_comes_twice_is_quiet_twice() -> None:
    preferences = Preferences(quiet=("21:00", "02:30"))
    second = local("2026-10-25 02:10").replace(fold=1)
    assert due_of(preferences, PASSED, JOHN, second, BERLIN) == to_utc(second) + timedelta(minutes=20)


@pytest.mark.parametrize(
    ("since", "due"),
    [
        ("2026-03-20 20:00", "Fri 2026-03-20 20:00"),
        ("2026-03-20 22:00", "Mon 2026-03-23 07:00"),
        ("2026-03-21 12:00", "Mon 2026-03-23 07:00"),
        ("2026-03-22 23:00", "Mon 2026-03-23 07:00"),
    ],
)
def test_quiet_times_and_work_days_together(since: str, due: str) -> None:
    assert told(Preferences(quiet=("21:00", "07:00"), workdays=WEEKDAYS[:5]), since) == due


def test_the_daily_message_comes_at_its_hour_on_a_work_day_also_after_a_mute() -> None:
    friday_evening, until = "2026-03-20 19:00", local("2026-03-24 09:00").isoformat()
    daily = {PASSED: "daily"}
    assert told(Preferences(notify=daily, workdays=WEEKDAYS[:5]), friday_evening) == "Mon 2026-03-23 18:00"
    assert told(Preferences(notify=daily, muted_until=until), friday_evening) == "Tue 2026-03-24 18:00"
    assert told(Preferences(notify=daily, quiet=("17:00", "19:30")), "2026-03-20 12:00") == "Fri 2026-03-20 19:30"


def test_failed_exams_may_pass_in_quiet_times_but_no_mute() -> None:
    night, until = "2026-03-21 23:00", local("2026-03-21 23:30").isoformat()
    preferences = Preferences(quiet=("21:00", "07:00"), workdays=WEEKDAYS[:5], failed_pass=True, muted_until=until)
    assert told(preferences, night, FAILED) == "Sat 2026-03-21 23:30"
    assert told(preferences, night, PASSED) == "Mon 2026-03-23 07:00"


def test_mutes_are_of_one_student_or_of_all_and_end() -> None:
    since = local("2026-03-18 12:00")
    preferences = Preferences(mutes={str(JOHN): local("2026-03-18 15:00").isoformat(), "99": FOR_EVER})
    assert due_of(preferences, PASSED, JOHN, since, BERLIN) == local("2026-03-18 15:00")
    assert due_of(preferences, PASSED, JOHN, since + 4 * HOUR, BERLIN) == since + 4 * HOUR
    assert due_of(preferences, PASSED, JANE, since, BERLIN) == since
    both = Preferences(mutes=preferences.mutes, muted_until=local("2026-03-18 16:00").isoformat())
    assert due_of(both, PASSED, JOHN, since, BERLIN) == local("2026-03-18 16:00")


def test_the_end_of_a_mute_may_be_naive_or_at_the_end_of_the_calendar() -> None:
    assert told(Preferences(muted_until="2026-03-18T15:00:00"), "2026-03-18 12:00") == "Wed 2026-03-18 16:00"
    assert told(Preferences(muted_until="9999-12-31T23:59:59+00:00"), "2026-03-18 12:00") == "Wed 9000-01-01 01:00"


def test_what_is_late_still_keeps_quiet() -> None:
    """It was due in the evening, the bot was away, and now it is night."""
    preferences = Preferences(quiet=("21:00", "07:00"))
    assert told(preferences, "2026-03-18 20:00", now="2026-03-18 22:00") == "Thu 2026-03-19 07:00"
    assert told(preferences, "2026-03-18 20:00", now="2026-03-18 20:30") == "Wed 2026-03-18 20:00"
    assert told(preferences, "2026-03-18 20:00", now="2026-03-19 07:00") == "Wed 2026-03-18 20:00"


@pytest.mark.parametrize("hours", [-23.98, -12, 0, 14, 23.98])
def test_a_mute_without_end_is_far_away_in_every_zone(hours: float) -> None:
    zone = timezone(timedelta(hours=hours))
    for when in ("now", "hourly", "daily"):
        for workdays in (None, ("sun",), ("mon", "tue")):
            preferences = Preferences(
                notify={PASSED: when}, muted_until=FOR_EVER, quiet=("21:00", "07:00"), workdays=workdays
            )
            due = due_of(preferences, PASSED, JOHN, local("2026-03-18 12:00"), zone, local("2026-03-18 12:00"))
            assert due is not None and due >= FAR_FUTURE


def test_days_that_are_none_hold_nothing_back() -> None:
    assert told(Preferences(workdays=("someday",)), "2026-03-18 12:00") == "Wed 2026-03-18 12:00"


def test_a_zone_nobody_knows_is_utc() -> None:
    assert {find_zone(name) for name in ("Mars/Olympus", "", None, "../../etc/passwd", "a\0b", "Europe")} == {UTC}


# ---- minute by minute ----


def is_open(preferences: Preferences, moment: datetime, zone: tzinfo) -> bool:
    """Whether it is neither quiet nor a day off, by the wall clock."""
    wall = moment.astimezone(zone)
    if preferences.workdays and WEEKDAYS[wall.weekday()] not in preferences.workdays:
        return False
    if preferences.quiet is None:
        return True
    start, end = map(time.fromisoformat, preferences.quiet)
    now = wall.time().replace(tzinfo=None)
    return not (start <= now < end if start <= end else now >= start or now < end)


def was_put_forward(moment: datetime, zone: tzinfo) -> bool:
    """Whether the clock jumped on the day before this moment."""
    before = (moment - DAY).astimezone(zone).utcoffset() or timedelta()
    return (moment.astimezone(zone).utcoffset() or timedelta()) > before


QUARTERS = st.integers(0, 95).map(lambda number: f"{number // 4:02}:{number % 4 * 15:02}")
QUIET = st.one_of(st.none(), st.tuples(QUARTERS, QUARTERS))
WORKDAYS = st.one_of(
    st.none(),
    st.sets(st.sampled_from(WEEKDAYS), min_size=1).map(lambda days: tuple(one for one in WEEKDAYS if one in days)),
)
CHANGES_OF_CLOCK = ("2026-03-28", "2026-10-24", "2026-03-07", "2026-10-31", "2026-04-04", "2026-10-03", "2026-04-23")
MOMENTS = st.tuples(st.sampled_from(CHANGES_OF_CLOCK), st.integers(0, 96 * 3)).map(
    lambda found: datetime.fromisoformat(found[0]).replace(tzinfo=UTC) + found[1] * STEP
)
CHOICES = st.builds(Preferences, quiet=QUIET, workdays=WORKDAYS)


@settings(max_examples=400, deadline=None)
@given(CHOICES, MOMENTS, st.sampled_from(ZONES))
def test_it_is_told_at_the_first_moment_that_is_open(preferences: Preferences, since: datetime, zone: tzinfo) -> None:
    due = due_of(preferences, PASSED, JOHN, since, zone)

    assert due is not None and due.utcoffset() == timedelta() and since <= due <= since + 9 * DAY
    assert is_open(preferences, due, zone)
    moment = since
    while moment < due:
        if is_open(preferences, moment, zone):  # only where the quiet time's end was jumped over
            assert due - moment <= HOUR and was_put_forward(moment, zone)
        moment += STEP


@settings(max_examples=300, deadline=None)
@given(CHOICES, MOMENTS, st.integers(0, 400), st.sampled_from(ZONES))
def test_what_was_due_before_is_told_now_if_now_is_open(
    preferences: Preferences, since: datetime, later: int, zone: tzinfo
) -> None:
    now = since + later * STEP
    due = due_of(preferences, PASSED, JOHN, since, zone, now)
    assert due is not None
    if due <= now:
        assert is_open(preferences, now, zone)
    else:
        assert due == due_of(preferences, PASSED, JOHN, max(now, since), zone) or due > now
        assert is_open(preferences, due, zone)


@settings(max_examples=300, deadline=None)
@given(MOMENTS, st.integers(0, 899), st.sampled_from(ZONES))
def test_hourly_is_within_the_hour_and_daily_within_a_day(since: datetime, seconds: int, zone: tzinfo) -> None:
    since += timedelta(seconds=seconds)
    hourly = due_of(Preferences(notify={PASSED: "hourly"}), PASSED, JOHN, since, zone)
    daily = due_of(Preferences(notify={PASSED: "daily"}), PASSED, JOHN, since, zone)

    assert hourly is not None and since <= hourly < since + HOUR
    is_same_clock = hourly.astimezone(zone).utcoffset() == since.astimezone(zone).utcoffset()
    assert hourly.astimezone(zone).minute == 0 or not is_same_clock
    assert daily is not None and since <= daily < since + DAY + 2 * HOUR
    assert daily.astimezone(zone).time().replace(tzinfo=None) == time(18)


@settings(max_examples=200, deadline=None)
@given(CHOICES, MOMENTS, st.sampled_from(ZONES), st.sampled_from(["now", "hourly", "daily"]))
def test_whatever_is_chosen_it_comes_within_two_weeks(
    preferences: Preferences, since: datetime, zone: tzinfo, when: str
) -> None:
    chosen = Preferences(notify={PASSED: when}, quiet=preferences.quiet, workdays=preferences.workdays)
    due = due_of(chosen, PASSED, JOHN, since, zone)
    assert due is not None and since <= due <= since + 14 * DAY and is_open(chosen, due, zone)


# ---- remembering ----


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    store = open_store(store_url)
    yield store
    store.close_thread()


def test_choices_are_remembered_and_others_left_alone(store: Store) -> None:
    book = PreferenceBook(store, {STARTED: "off"})
    book.change(1, quiet=("21:00", "07:00"), workdays=("mon", "tue"), failed_pass=True)
    book.change(1, mutes={str(JOHN): FOR_EVER}, muted_until="2026-03-18T15:00:00+00:00")
    book.change(1, notify={PASSED: "daily"})

    again = PreferenceBook(store, {STARTED: "hourly"})
    assert again.get(1) == Preferences(
        default={STARTED: "hourly"},
        notify={PASSED: "daily"},
        mutes={str(JOHN): FOR_EVER},
        muted_until="2026-03-18T15:00:00+00:00",
        quiet=("21:00", "07:00"),
        workdays=("mon", "tue"),
        failed_pass=True,
    )
    assert again.get(2) == Preferences(default={STARTED: "hourly"})


@pytest.mark.parametrize(
    "kept",
    [
        {"colour": "blue"},
        {"notify": {PASSED: "weekly"}},
        {"notify": None},
        {"mutes": {str(JOHN): "soon"}},
        {"mutes": [1]},
        {"muted_until": 5},
        {"muted_until": "9999-12-31T23:59:59-23:00"},
        {"quiet": ["21:00"]},
        {"quiet": ["dusk", "dawn"]},
        {"workdays": "mon"},
        {"workdays": 5},
    ],
)
@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_choice_that_cannot_be_read_is_as_if_it_were_not_made(store: Store, kept: dict[str, Any]) -> None:
    with store.transaction():
        Preference.create(zulip_user_id=1, choices={"failed_pass": True, **kept})
    preferences = PreferenceBook(store, {}).get(1)
    since = local("2026-03-18 23:00")
    assert preferences.failed_pass
    assert due_of(preferences, PASSED, JOHN, since, BERLIN) == since


def test_who_chose_by_the_hour_or_by_the_day_needs_a_zone() -> None:
    assert not Preferences(notify={PASSED: "off"}, muted_until=FOR_EVER).depend_on_zone
    for choices in ({"quiet": ("21:00", "07:00")}, {"workdays": ("mon",)}, {"default": {PASSED: "daily"}}):
        assert Preferences(**choices).depend_on_zone


# ---- levels ----

WATCHED, COMPLETED = "content_watched", "exam_completed"


def paces(preferences: Preferences) -> dict[str, str | None]:
    """How each kind of news comes; a recovery is a pass of what was failed before."""
    news = {kind: (kind, False) for kind in (FAILED, PASSED, COMPLETED, STARTED, WATCHED)} | {
        "recovery": (PASSED, True)
    }
    found = {name: preferences.get_pace(kind, JOHN, is_recovery=each) for name, (kind, each) in news.items()}
    return {name: pace and pace.value for name, pace in found.items()}


CALM = {
    FAILED: "urgent", "recovery": "urgent", PASSED: "result", COMPLETED: "result",
    STARTED: "summed", WATCHED: "summed",
}  # fmt: skip
DIGEST = {**CALM, PASSED: "summed", COMPLETED: "summed"}
EVERYTHING = dict.fromkeys(CALM, "at once")


@pytest.mark.parametrize(
    ("preferences", "expected"),
    [
        (Preferences(), CALM),
        (Preferences(level="calm"), CALM),
        (Preferences(level="digest"), DIGEST),
        (Preferences(level="everything"), EVERYTHING),
        (Preferences(level="now"), EVERYTHING),
        (Preferences(level="off"), dict.fromkeys(CALM)),
        (Preferences(default={"all": "everything"}), EVERYTHING),
        (Preferences(default={"all": "everything"}, level="calm"), CALM),
        (Preferences(default={"all": "calm", STARTED: "off"}), {**CALM, STARTED: None}),
        (Preferences(default={"all": "calm", STARTED: "off"}, level="digest"), DIGEST),
        (Preferences(notify={WATCHED: "now"}), {**CALM, WATCHED: "at once"}),
        (Preferences(notify={FAILED: "off", PASSED: "digest"}), {**DIGEST, FAILED: None, COMPLETED: "result"}),
        (Preferences(notify={FAILED: "digest"}), {**CALM, FAILED: "summed"}),
        (Preferences(notify={FAILED: "off"}, students={str(JOHN): "everything"}), EVERYTHING),
        (Preferences(level="everything", students={str(JANE): "off"}), EVERYTHING),
        (Preferences(level="everything", students={str(JOHN): "digest"}), DIGEST),
    ],
)
def test_the_more_precise_choice_wins(preferences: Preferences, expected: dict[str, str | None]) -> None:
    assert paces(preferences) == expected


def test_failed_exams_are_told_in_quiet_times_unless_said_otherwise() -> None:
    night = "2026-03-18 23:00"
    quiet: dict[str, Any] = {"quiet": ("21:00", "07:00"), "workdays": ("mon", "tue")}
    assert told(Preferences(**quiet), night, FAILED) == "Wed 2026-03-18 23:00"
    assert told(Preferences(**quiet, failed_pass=False), night, FAILED) == "Mon 2026-03-23 07:00"
    assert told(Preferences(**quiet), night, PASSED) == "Mon 2026-03-23 07:00"


def test_what_an_admin_says_in_the_chat_goes_before_the_setting(store: Store) -> None:
    book = PreferenceBook(store, {"all": "calm"})
    before = book.get_version()
    book.change_default({"all": "everything"})
    assert book.get_version() != before
    assert PreferenceBook(store, {"all": "digest"}).get(1).general.value == "everything"
    book.change(1, level="digest")
    assert {key: one.general.value for key, one in book.get_all([1, 2]).items()} == {1: "digest", 2: "everything"}
    book.change_default(None)
    assert book.get(2).general.value == "calm"


@pytest.mark.parametrize(
    "kept", [{"digest": "teatime"}, {"digest": "xxx 07:30"}, {"level": "loud"}, {"students": {"x": "off"}}]
)
def test_a_level_that_cannot_be_read_is_as_if_it_were_not_chosen(store: Store, kept: dict[str, Any]) -> None:
    with store.transaction():
        Preference.create(zulip_user_id=1, choices={**kept, "quiet": ["21:00", "07:00"]})
    assert PreferenceBook(store, {}).get(1) == Preferences(quiet=("21:00", "07:00"))
