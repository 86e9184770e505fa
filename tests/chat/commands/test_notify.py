"""`notify`: how soon news of a type is told."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lms_bot.core.activities import ActivityType
from tests.worlds.chat_world import MARIA, World, close_world, make_user, open_world

if TYPE_CHECKING:
    from lms_bot.notify.preferences import Preferences

ALL_TYPES = {kind.value for kind in ActivityType}


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
    ("said", "types"),
    [
        ("exam_started", {"exam_started"}),
        ("exam started", {"exam_started"}),
        ("Exams Started", {"exam_started"}),
        ("started exams", {"exam_started"}),
        ("starts", {"exam_started", "content_started"}),
        ("failed", {"exam_failed"}),
        ("failures", {"exam_failed"}),
        ("failed exams", {"exam_failed"}),
        ("passed", {"exam_passed"}),
        ("finished", {"exam_completed", "content_completed"}),
        ("content finished", {"content_completed"}),
        ("videos", {"content_watched"}),
        ("watched", {"content_watched"}),
        ("exams", {"exam_started", "exam_completed", "exam_passed", "exam_failed"}),
        ("contents", {"content_started", "content_completed", "content_watched"}),
        ("all", ALL_TYPES),
        ("everything", ALL_TYPES),
        ("me of all exams", {"exam_started", "exam_completed", "exam_passed", "exam_failed"}),
        ("me when an exam is failed", {"exam_failed"}),
    ],
)
def test_event_types_as_people_say_them(small_world: World, said: str, types: set[str]) -> None:
    small_world.ask(f"notify {said} daily")
    assert chosen(small_world).notify == dict.fromkeys(types, "daily")


@pytest.mark.parametrize(
    ("said", "when"),
    [
        *(("now", "now"), ("at once", "now"), ("hourly", "hourly"), ("every hour", "hourly"), ("DAILY", "daily")),
        *(("every day", "daily"), ("off", "off"), ("never", "off"), ("not at all please", "off")),
    ],
)
def test_how_soon_as_people_say_it(small_world: World, said: str, when: str) -> None:
    small_world.ask(f"notify failed {said}")
    assert chosen(small_world).notify == {"exam_failed": when}


def test_notify_says_what_it_means_and_keeps_the_other_choices(small_world: World) -> None:
    assert small_world.ask("notify exam started off").text == (
        "🔕 Not told at all, now or later: 📝 Exams started. `history` still shows it."
    )
    assert small_world.ask("notify watched daily").text == "🔔 Told every day at 18:00: 👀 Contents viewed."
    assert small_world.ask("notify failed hourly").text == "🔔 Told every full hour: ❌ Exams failed."
    assert chosen(small_world).notify == {
        "exam_started": "off",
        "content_watched": "daily",
        "exam_failed": "hourly",
    }
    assert small_world.ask("notify all now").text == "🔔 Told at once: everything."
    assert chosen(small_world).notify == dict.fromkeys(ALL_TYPES, "now")
