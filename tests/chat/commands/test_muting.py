"""`mute` and `unmute`: hearing nothing for some time."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from lms_bot.chat.language.arguments import UNKNOWN_STUDENT
from lms_bot.core.errors import LMSUnavailable
from lms_bot.notify.preferences import FOR_EVER, Preferences
from tests.worlds.chat_world import JANE, MARIA, NOW, World, close_world, make_user, open_world


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("empty") / "store.db"
    close_world(open_world(f"sqlite:///{path}"))
    return path


@pytest.fixture
def small_world(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Maria lives in Berlin: there it is 13:00, on a Wednesday."""
    path = tmp_path_factory.mktemp("chat") / "store.db"
    shutil.copy(empty_store, path)
    world = open_world(f"sqlite:///{path}")
    world.people.zulip_users[MARIA] = make_user(MARIA, "Maria", timezone="Europe/Berlin")
    yield world
    close_world(world)


def chosen(world: World, who: int = MARIA) -> Preferences:
    preferences: Preferences = world.context.preferences.get(who)
    return preferences


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
def test_a_student_is_muted_for_days_or_until_unmuted(small_world: World, said: str, until: str) -> None:
    text = small_world.ask(f"mute {said}").text
    assert chosen(small_world).mutes == {"11": until}
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
def test_all_is_muted_until_a_time_in_ones_own_zone(small_world: World, said: str, until: str) -> None:
    small_world.ask(f"mute {said}")
    assert chosen(small_world).muted_until == until and not chosen(small_world).mutes


def test_muting_says_until_when_and_how_to_end_it(small_world: World) -> None:
    assert "until <time:2026-03-18T23:00:00Z>." in small_world.ask("mute all until tomorrow").text
    assert "until you write `unmute all`." in small_world.ask("mute all").text
    assert "until you write `unmute john_doe`." in small_world.ask("mute john").text
    assert "no exception" not in small_world.ask("mute all").text
    small_world.ask("quiet except failed")
    assert "Failed exams are no exception to that." in small_world.ask("mute all").text


def test_without_grouping_nobody_is_promised_one_message(small_world: World) -> None:
    small_world.change(is_grouping=False)
    assert small_world.ask("mute john").text.endswith("you are told of it afterwards.")


def test_mutes_that_are_over_are_forgotten(small_world: World) -> None:
    small_world.ask("mute john 1 day")
    small_world.ask("mute jane 3 days", now=NOW + timedelta(days=2))
    assert set(chosen(small_world).mutes) == {"12"}
    assert "Nothing was muted." in small_world.ask("unmute all", now=NOW + timedelta(days=9)).text


def test_unmute_one_or_all(small_world: World) -> None:
    for said in ("mute john", "mute jane 3 days", "mute all until monday"):
        small_world.ask(said)

    assert small_world.ask("unmute john").text.splitlines() == [
        "🔔 **John Doe (john_doe)** is no longer muted."
        " What that held back comes now, unless something else holds it.",
        "⚠️ But everything is muted until <time:2026-03-22T23:00:00Z>.",
    ]
    assert small_world.ask("unmute john").text.startswith("🔔 **John Doe (john_doe)** was not muted.")
    assert small_world.ask("unmute all").text.startswith("🔔 Everything is no longer muted")
    assert chosen(small_world).mutes == {} and chosen(small_world).muted_until is None
    assert small_world.ask("unmute all").text == "🔔 Nothing was muted."


def test_several_students_of_a_name_are_listed_and_the_number_mutes(small_world: World) -> None:
    assert "2. John Doe (john_doe)" in small_world.ask("mute jo 3 days").text
    assert not chosen(small_world).mutes
    small_world.ask("2")
    assert list(chosen(small_world).mutes) == ["11"]


def test_somebody_elses_student_and_nobody_read_the_same(small_world: World) -> None:
    for command in ("mute", "unmute"):
        said = {small_world.ask(f"{command} {name}").text for name in ("zoe_m", "Zoë", "14", "nobody", "77")}
        assert said == {UNKNOWN_STUDENT}
    assert small_world.ask("mute zoe_m 3 days").text == UNKNOWN_STUDENT
    assert small_world.ask("mute zoe_m when hell freezes").text == UNKNOWN_STUDENT


def test_a_student_taken_from_a_mentor_can_still_be_unmuted_by_number_and_is_not_named(small_world: World) -> None:
    small_world.ask("mute john")
    small_world.people.students_of[1] = (JANE,)

    text = small_world.ask("settings").text
    assert "a former student of yours, 11 until you write `unmute 11`" in text and "John" not in text
    assert small_world.ask("unmute john").text == UNKNOWN_STUDENT
    assert small_world.ask("unmute 11").text.startswith("🔔 **a former student of yours, 11** is no longer muted")
    assert chosen(small_world).mutes == {}


def test_muting_needs_to_know_whose_students_are_whose(small_world: World) -> None:
    small_world.people.students_trouble = LMSUnavailable("away")
    assert small_world.ask("mute john").text.startswith("The LMS does not answer just now.")
    assert small_world.ask("mute all").text.startswith("🔕 You are told nothing")
    assert small_world.ask("settings").text.startswith("⚙️ **Your settings**")
    assert small_world.ask("unmute all").text.startswith("🔔 Everything is no longer muted")
