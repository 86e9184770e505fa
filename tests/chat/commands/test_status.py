"""`status`: the watch, what is on its way, and what is held back."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from lms_bot.store.messages import MessageState
from lms_bot.store.models import KeyValue
from tests.worlds.chat_world import (
    BOTH,
    JANE,
    JOHN,
    JOSE,
    MARIA,
    NOW,
    World,
    close_world,
    make_student,
    make_user,
    open_world,
    owe,
)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


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


def test_many_moments_are_summed_up(small_world: World) -> None:
    for number in range(9):
        student = make_student(100 + number, f"{number}_student")
        small_world.people.students_of[1] += (student,)
        small_world.ask(f"mute {number}_student {number + 1} days")
        owe(small_world, student)
    text = small_world.ask("settings").text
    assert "9 events held back: 1 until " in text and text.count("1 until <time:") == 5 and ", 4 later." in text


def test_status_tells_what_is_held_back_from_what_is_on_its_way(small_world: World) -> None:
    small_world.ask("mute john")
    owe(small_world, JOHN)
    assert small_world.ask("status").text.splitlines()[-1] == (
        "📬 You have been told all the rest. 📥 1 event held back: 1 until you unmute."
    )
    owe(small_world, JANE)
    message = small_world.add_message(state=MessageState.READY.value)
    small_world.add_delivery(small_world.add_event(JOSE), f"zulip:{MARIA}", message=message)
    assert "📬 2 events on the way to you. 📥 1 event held back" in small_world.ask("status").text


def test_status_tells_of_the_watch_the_students_and_what_is_on_its_way(world: World) -> None:
    with world.store.transaction():
        KeyValue.put("last_good_poll", (NOW - timedelta(seconds=30)).isoformat())
    event = world.add_event(JOHN)
    world.add_delivery(event, f"zulip:{MARIA}")

    assert world.ask("status").text.splitlines() == [
        "👁️ I am watching the LMS, last <time:2026-03-18T11:59:30Z>.",
        "👥 You have 3 students.",
        "📬 1 event on the way to you.",
    ]
    assert world.ask("status", BOTH).text.endswith("📬 You have been told all.")


def test_status_warns_when_the_last_look_into_the_lms_is_long_ago(small_world: World) -> None:
    assert small_world.ask("status").text.startswith("⚠️ I have not been able")
    with small_world.store.transaction():
        KeyValue.put("last_good_poll", (NOW - HOUR).isoformat())
    assert small_world.ask("status").text.startswith("⚠️ I could last look into the LMS <time:2026-03-18T11:00:00Z>")
