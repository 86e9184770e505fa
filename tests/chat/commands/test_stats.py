"""`stats`: how many events there are."""

from __future__ import annotations

from datetime import timedelta

from lms_bot.core.activities import ActivityType
from lms_bot.core.errors import LMSUnavailable
from tests.worlds.chat_world import ADMIN, JANE, JOHN, JOSE, ZOE, World, add_exam, lines_of

WATCHED = ActivityType.CONTENT_WATCHED
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def small_stats_of_nothing(world: World) -> str:
    world.people.students_of[1] = (JOSE,)
    return lines_of(world, "stats")[-1]


def test_stats_count_ones_own_students_in_total_and_lately(world: World) -> None:
    add_exam(world, JOHN, "Algebra", 80, ago=8 * DAY)
    add_exam(world, JOHN, "Algebra", 20)
    add_exam(world, JANE, "Algebra", 20, ago=30 * DAY)
    world.add_event(ZOE, WATCHED)

    assert lines_of(world, "stats") == [
        "📊 **Your 3 students** · 3 events, 1 in the last 7 days",
        "",
        "| Events | In total | Last 7 days | The 7 before |",
        "|---|---|---|---|",
        "| 🎉 Exams passed | 1 | 0 | 1 |",
        "| ❌ Exams failed | 2 | 1 | 0 |",
        "| **All** | 3 | 1 | 1 |",
    ]
    assert small_stats_of_nothing(world) == "No activity."


def test_stats_all_shows_events_types_and_people(small_world: World) -> None:
    small_world.add_event(ZOE)
    text = small_world.ask("stats all", ADMIN).text
    assert "| Total events | 5 |" in text
    assert "| 🎉 Exams passed | 1 |" in text
    assert "| Mapped mentors | 5 |" in text


def test_stats_all_does_without_the_lms(small_world: World) -> None:
    small_world.people.lms_trouble = LMSUnavailable("the LMS is away")
    assert small_world.ask("stats all", ADMIN).text.endswith("**People**: not known now, the LMS is away.")
