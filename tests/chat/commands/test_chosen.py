"""What people chose, and changing it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lms_bot.notify.preferences import Preferences
from tests.worlds.chat_world import ADMIN, ARJUN, BOSS, JOHN, MARIA, World, close_world, make_user, open_world, owe


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
    ("said", "sentence"),
    [
        ("notify", "When shall I tell you"),
        ("notify all", "When shall I tell you"),
        ("notify off", "When shall I tell you"),
        ("notify all weekly", "When shall I tell you"),
        ("notify exams watched now", "Which events?"),
        ("notify @**John** now", "Which events?"),
        ("mute", "Whom, or `all`?"),
        ("mute all sometime", "I could not read until when."),
        ("mute all 3", "I could not read until when."),
        ("mute all until 2020-01-01", "I could not read until when."),
        ("mute john sometime", "I know who you mean, but not until when."),
        ("unmute", "Whom, or `all`?"),
        ("quiet", "Quiet from when to when"),
        ("quiet please", "Quiet from when to when"),
        ("quiet 21:00", "Quiet from when to when"),
        ("quiet 21-21", "Quiet from when to when"),
        ("quiet 25-7", "Quiet from when to when"),
        ("quiet 21-7 except passed", "Only failed exams"),
        ("quiet except exams", "Only failed exams"),
        ("workdays", "Which days do you work?"),
        ("workdays holidays", "Which days do you work?"),
    ],
)
def test_bad_input_is_answered_with_usage_and_an_example_and_changes_nothing(
    small_world: World, said: str, sentence: str
) -> None:
    before = chosen(small_world)
    reply = small_world.ask(said)
    assert reply.text.startswith(sentence) and reply.is_private
    assert f"Usage: `{said.split(maxsplit=1)[0]} " in reply.text and "\nFor example: `" in reply.text
    assert "@**" not in reply.text
    assert chosen(small_world) == before and small_world.wakes == 0


def test_a_change_wakes_the_sender_and_asking_does_not(small_world: World) -> None:
    for number, said in enumerate(("notify all now", "mute john", "unmute all", "quiet 21-7", "workdays mon-fri"), 1):
        small_world.ask(said)
        assert small_world.wakes == number
    small_world.ask("settings")
    assert small_world.wakes == 5


def test_choices_are_each_persons_own(world: World) -> None:
    world.ask("mute john", MARIA)
    world.ask("quiet 21-7", ARJUN)
    world.ask("notify all off", ADMIN)
    assert chosen(world, MARIA).mutes and not chosen(world, ARJUN).mutes
    assert chosen(world, ARJUN).quiet and not chosen(world, MARIA).quiet
    assert chosen(world, BOSS) == Preferences(default=chosen(world).default)


def test_an_admin_who_mentors_nobody_can_choose_as_well(small_world: World) -> None:
    assert small_world.ask("mute all until tomorrow", ADMIN).text.startswith("🔕 You are told nothing")
    assert "everything until" in small_world.ask("settings", ADMIN).text


def test_a_change_says_what_is_still_held_back(small_world: World) -> None:
    for said in ("mute john", "quiet 12:00-15:00"):
        small_world.ask(said)
    owe(small_world, JOHN)
    text = small_world.ask("unmute john").text
    assert text.endswith("📥 1 event held back: 1 until <time:2026-03-18T14:00:00Z>.")
    assert "held back:" not in small_world.ask("quiet off").text
