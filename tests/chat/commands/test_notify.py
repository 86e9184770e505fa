"""`notify`: how soon news of a type is told."""

from __future__ import annotations

import pytest

from lms_bot.core.activities import ActivityType
from tests.worlds.chat_world import World, chosen

ALL_TYPES = {kind.value for kind in ActivityType}


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
def test_event_types_as_people_say_them(berlin_world: World, said: str, types: set[str]) -> None:
    berlin_world.ask(f"notify {said} daily")
    assert chosen(berlin_world).notify == dict.fromkeys(types, "daily")


@pytest.mark.parametrize(
    ("said", "when"),
    [
        *(("now", "now"), ("at once", "now"), ("hourly", "hourly"), ("every hour", "hourly"), ("DAILY", "daily")),
        *(("every day", "daily"), ("off", "off"), ("never", "off"), ("not at all please", "off")),
    ],
)
def test_how_soon_as_people_say_it(berlin_world: World, said: str, when: str) -> None:
    berlin_world.ask(f"notify failed {said}")
    assert chosen(berlin_world).notify == {"exam_failed": when}


def test_notify_says_what_it_means_and_keeps_the_other_choices(berlin_world: World) -> None:
    assert berlin_world.ask("notify exam started off").text == (
        "🔕 Not told at all, now or later: 📝 Exams started. `history` still shows it."
    )
    assert berlin_world.ask("notify watched daily").text == "🔔 Told every day at 18:00: 👀 Contents viewed."
    assert berlin_world.ask("notify failed hourly").text == "🔔 Told every full hour: ❌ Exams failed."
    assert chosen(berlin_world).notify == {
        "exam_started": "off",
        "content_watched": "daily",
        "exam_failed": "hourly",
    }
    assert berlin_world.ask("notify all now").text == "🔔 Told at once: everything."
    assert chosen(berlin_world).notify == dict.fromkeys(ALL_TYPES, "now")
