"""`mute`, `unmute`, `quiet`, `workdays`: of whom, and when, nothing is told."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lms_bot.chat.language.arguments import UNKNOWN_STUDENT
from lms_bot.core.errors import LMSUnavailable
from lms_bot.notify.preferences import FOR_EVER, Preferences
from tests.worlds.chat_world import JANE, MARIA, NOW, World, chosen


@pytest.mark.parametrize(
    "said",
    ["21:00-07:00", "9pm-7am", "21-7", "21:00 to 07:00", "from 9pm until 7am", "21:00 – 07:00", "21:00 - 07:00"],  # noqa: RUF001
)
def test_quiet_times(berlin_world: World, said: str) -> None:
    text = berlin_world.ask(f"quiet {said}").text
    assert chosen(berlin_world) == Preferences(default=chosen(berlin_world).default, quiet=("21:00", "07:00"))
    assert text == (
        "🌙 Quiet from 21:00 to 07:00 (Europe/Berlin): what happens then is held back and told afterwards."
        " Failed exams are told even then; `quiet except nothing` holds them back, too."
    )


@pytest.mark.parametrize(
    ("said", "passes"),
    [
        ("quiet 21:00-07:00 except failed", True),
        ("quiet 21-7 but failed exams", True),
        ("quiet except failed", True),
        ("quiet except for exam_failed", True),
        ("quiet except failed on", True),
        ("workdays mon-fri except failed", True),
        ("quiet except nothing", False),
        ("quiet except failed off", False),
        ("quiet 21:00-07:00 without exceptions", False),
        ("quiet 21:00-07:00 no exception", False),
    ],
)
def test_failed_exams_may_pass(berlin_world: World, said: str, passes: bool) -> None:
    berlin_world.context.preferences.change(MARIA, failed_pass=not passes)
    berlin_world.ask(said)
    assert chosen(berlin_world).failed_pass is passes


def test_what_is_not_said_of_quiet_times_stays_as_it_is(berlin_world: World) -> None:
    berlin_world.ask("quiet 21:00-07:00 except failed")
    text = berlin_world.ask("quiet 22:00-06:00").text
    assert chosen(berlin_world).quiet == ("22:00", "06:00") and chosen(berlin_world).failed_pass
    assert text.endswith("Failed exams are told even then; `quiet except nothing` holds them back, too.")
    berlin_world.ask("quiet except nothing")
    assert chosen(berlin_world).quiet == ("22:00", "06:00")
    assert berlin_world.ask("quiet off").text == "🔔 You have no quiet times."
    assert chosen(berlin_world).quiet is None


@pytest.mark.parametrize(
    ("said", "days"),
    [
        ("mon-fri", ("mon", "tue", "wed", "thu", "fri")),
        ("sun-thu", ("mon", "tue", "wed", "thu", "sun")),
        ("mon,wed,fri", ("mon", "wed", "fri")),
        ("mon, wed and fri", ("mon", "wed", "fri")),
        ("Monday to Friday", ("mon", "tue", "wed", "thu", "fri")),
        ("off", None),
        ("every day", None),
        ("mon-sun", None),
    ],
)
def test_work_days(berlin_world: World, said: str, days: tuple[str, ...] | None) -> None:
    berlin_world.ask("workdays sat")
    berlin_world.ask(f"workdays {said}")
    assert chosen(berlin_world).workdays == days


def test_work_days_say_what_they_mean(berlin_world: World) -> None:
    assert berlin_world.ask("workdays sun,mon").text == (
        "📅 You are told on Monday, Sunday (Europe/Berlin): what happens on other days is held back and told"
        " afterwards. Failed exams are told even then; `quiet except nothing` holds them back, too."
    )
    assert "On days off, what happens is held back." in berlin_world.ask("quiet off").text
    assert berlin_world.ask("workdays off").text == "🔔 You are told on every day of the week."


@pytest.mark.parametrize(
    ("said", "until"),
    [
        ("john_doe", FOR_EVER),
        ("John Doe", FOR_EVER),
        ("john_doe 3 days", "2026-03-21T12:00:00+00:00"),
        ("john doe for 3 days please", "2026-03-21T12:00:00+00:00"),
        ("john until tomorrow", "2026-03-18T23:00:00+00:00"),
        ("john until monday", "2026-03-22T23:00:00+00:00"),
    ],
)
def test_a_student_is_muted_for_days_or_until_unmuted(berlin_world: World, said: str, until: str) -> None:
    text = berlin_world.ask(f"mute {said}").text
    assert chosen(berlin_world).mutes == {"11": until}
    assert text.startswith("🔕 You are told nothing of **John Doe (john_doe)** until ")
    assert "held back" in text and text.endswith("you are told of it afterwards, together.")


@pytest.mark.parametrize(
    ("said", "until"),
    [
        ("all", FOR_EVER),
        ("everything", FOR_EVER),
        ("all until tomorrow", "2026-03-18T23:00:00+00:00"),
        ("all 3 days", "2026-03-21T12:00:00+00:00"),
        ("all until monday", "2026-03-22T23:00:00+00:00"),
        ("all until 18:00", "2026-03-18T17:00:00+00:00"),
        ("all until 9am", "2026-03-19T08:00:00+00:00"),
    ],
)
def test_all_is_muted_until_a_time_in_ones_own_zone(berlin_world: World, said: str, until: str) -> None:
    berlin_world.ask(f"mute {said}")
    assert chosen(berlin_world).muted_until == until and not chosen(berlin_world).mutes


def test_muting_says_until_when_and_how_to_end_it(berlin_world: World) -> None:
    assert "until <time:2026-03-18T23:00:00Z>." in berlin_world.ask("mute all until tomorrow").text
    assert "until you write `unmute all`." in berlin_world.ask("mute all").text
    assert "until you write `unmute john_doe`." in berlin_world.ask("mute john").text
    assert "no exception" not in berlin_world.ask("mute all").text
    berlin_world.ask("quiet 21-7 except failed")
    assert "Failed exams are no exception to that." in berlin_world.ask("mute all").text


def test_without_grouping_nobody_is_promised_one_message(berlin_world: World) -> None:
    berlin_world.change(is_grouping=False)
    assert berlin_world.ask("mute john").text.endswith("you are told of it afterwards.")


def test_mutes_that_are_over_are_forgotten(berlin_world: World) -> None:
    berlin_world.ask("mute john 1 day")
    berlin_world.ask("mute jane 3 days", now=NOW + timedelta(days=2))
    assert set(chosen(berlin_world).mutes) == {"12"}
    assert "Nothing was muted." in berlin_world.ask("unmute all", now=NOW + timedelta(days=9)).text


def test_unmute_one_or_all(berlin_world: World) -> None:
    for said in ("mute john", "mute jane 3 days", "mute all until monday"):
        berlin_world.ask(said)

    assert berlin_world.ask("unmute john").text.splitlines() == [
        "🔔 **John Doe (john_doe)** is no longer muted."
        " What that held back comes now, unless something else holds it.",
        "⚠️ But everything is muted until <time:2026-03-22T23:00:00Z>.",
    ]
    assert berlin_world.ask("unmute john").text.startswith("🔔 **John Doe (john_doe)** was not muted.")
    assert berlin_world.ask("unmute all").text.startswith("🔔 Everything is no longer muted")
    assert chosen(berlin_world).mutes == {} and chosen(berlin_world).muted_until is None
    assert berlin_world.ask("unmute all").text == "🔔 Nothing was muted."


def test_several_students_of_a_name_are_listed_and_the_number_mutes(berlin_world: World) -> None:
    assert "2. John Doe (john_doe)" in berlin_world.ask("mute jo 3 days").text
    assert not chosen(berlin_world).mutes
    berlin_world.ask("2")
    assert list(chosen(berlin_world).mutes) == ["11"]


def test_somebody_elses_student_and_nobody_read_the_same(berlin_world: World) -> None:
    for command in ("mute", "unmute"):
        said = {berlin_world.ask(f"{command} {name}").text for name in ("zoe_m", "Zoë", "14", "nobody", "77")}
        assert said == {UNKNOWN_STUDENT}
    assert berlin_world.ask("mute zoe_m 3 days").text == UNKNOWN_STUDENT
    assert berlin_world.ask("mute zoe_m when hell freezes").text == UNKNOWN_STUDENT


def test_a_student_taken_from_a_mentor_can_still_be_unmuted_by_number_and_is_not_named(berlin_world: World) -> None:
    berlin_world.ask("mute john")
    berlin_world.people.students_of[1] = (JANE,)

    text = berlin_world.ask("settings").text
    assert "a former student of yours, 11 until you write `unmute 11`" in text and "John" not in text
    assert berlin_world.ask("unmute john").text == UNKNOWN_STUDENT
    assert berlin_world.ask("unmute 11").text.startswith("🔔 **a former student of yours, 11** is no longer muted")
    assert chosen(berlin_world).mutes == {}


def test_muting_needs_to_know_whose_students_are_whose(berlin_world: World) -> None:
    berlin_world.people.students_trouble = LMSUnavailable("away")
    assert berlin_world.ask("mute john").text.startswith("The LMS does not answer just now.")
    assert berlin_world.ask("mute all").text.startswith("🔕 You are told nothing")
    assert berlin_world.ask("settings").text.startswith("⚙️ **Your settings**")
    assert berlin_world.ask("unmute all").text.startswith("🔔 Everything is no longer muted")
