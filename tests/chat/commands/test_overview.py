"""`students`, `summary`, `stats`: many students at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from lms_bot.core.activities import ActivityType
from lms_bot.core.errors import LMSUnavailable
from lms_bot.store.concerns import ConcernKind
from tests.worlds.chat_world import (
    ADMIN,
    BOTH,
    JANE,
    JOHN,
    JOSE,
    MARIA,
    ZOE,
    World,
    add_exam,
    lines_of,
    make_student,
    make_user,
)
from tests.worlds.concerns import open_concern

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
AN_HOUR_AGO = "<time:2026-03-18T11:00:00Z>"
WATCHED = ActivityType.CONTENT_WATCHED


def test_summary_is_by_student_worst_first_with_totals_and_what_changed(world: World) -> None:
    add_exam(world, JOHN, "Algebra", 80)
    add_exam(world, JANE, "Algebra", 20)
    add_exam(world, JANE, "Physics", None)
    add_exam(world, ZOE, "Algebra", 20)
    add_exam(world, JOSE, "Algebra", 20, ago=25 * HOUR)
    add_exam(world, JOSE, "Physics", 20, ago=25 * HOUR)
    add_exam(world, JOSE, "Physics", 20, ago=23 * HOUR)  # yesterday, but later than it is now

    assert world.ask("summary today").text == (
        "📊 **Summary** · today · 2 of 3 students: 1 failed (▼ 1), 1 left open (▲ 1), 1 passed (▲ 1)\n"
        "\n"
        "| Student | ❌ 📝 🎉 | Last |\n"
        "|---|---|---|\n"
        "| Jane Smith | ❌ 1 📝 1 | 11:00 |\n"
        "| John Doe | 🎉 1 | 11:00 |\n"
        "\n"
        "1 student without activity. ▲ ▼ against yesterday by this time."
    )


def test_nothing_to_summarise_is_said_with_what_there_was_before(small_world: World) -> None:
    add_exam(small_world, JOHN, "Algebra", 80, ago=DAY + HOUR)
    assert lines_of(small_world, "summary")[2:] == [
        "No activity.",
        "3 students without activity.",
        "Compare yesterday by this time: 1 passed.",
    ]


def test_what_cannot_be_summarised_is_answered_with_examples(small_world: World) -> None:
    for said in ("summary fortnite", "summary exams"):
        assert "A period is for example" in small_world.ask(said).text


def test_students_have_a_row_each_who_needs_attention_first(world: World) -> None:
    world.people.students_of[1] = (JOHN, JANE, JOSE, ZOE)
    add_exam(world, ZOE, "Algebra", 80)
    add_exam(world, ZOE, "Algebra", 20, ago=2 * HOUR)
    add_exam(world, JANE, "Algebra", 20)
    add_exam(world, JANE, "Physics", None, ago=2 * DAY)
    add_exam(world, JOHN, "Algebra", 80, ago=2 * DAY)
    add_exam(world, JOHN, "Physics", None, ago=2 * HOUR)
    add_exam(world, JOSE, "Algebra", 80, ago=8 * DAY)

    assert world.ask("students").text == (
        "👥 **Your 4 students** · 1 failed their last exam, 1 left an exam open, 1 silent\n"
        "\n"
        "| Student | Last result | Last activity |\n"
        "|---|---|---|\n"
        "| ❌ 📝 Jane Smith | ❌ 20% Algebra | Wed 18 Mar |\n"
        "| 💤 José García | 🎉 80% Algebra | Tue 10 Mar |\n"
        "| John Doe | 🎉 80% Algebra | Wed 18 Mar |\n"
        "| Zoë Müller | 🎉 80% Algebra | Wed 18 Mar |\n"
        "\n"
        "❌ failed their last exam · 📝 left an exam open for more than a day · 💤 did nothing for more than 7 days"
    )


def test_the_day_of_the_last_activity_is_the_askers_and_names_another_year(small_world: World) -> None:
    """At noon UTC it is 01:00 of the next day in Auckland."""
    small_world.people.zulip_users[MARIA] = make_user(MARIA, "Maria", timezone="Pacific/Auckland")
    add_exam(small_world, JOHN, "Algebra", 80)
    add_exam(small_world, JANE, "Algebra", 80, ago=100 * DAY)

    text = small_world.ask("students").text

    assert "| 🎉 80% Algebra | Thu 19 Mar |" in text and "| 🎉 80% Algebra | Tue 9 Dec 2025 |" in text


def test_students_begins_with_who_needs_the_mentor_most(small_world: World) -> None:
    pupils = tuple(make_student(100 + number, f"pupil{number}", "Pupil", f"No {number}") for number in range(7))
    small_world.people.students_of[1] = pupils
    for pupil in pupils:
        open_concern(small_world, pupil, ConcernKind.LEFT_OPEN)
    open_concern(small_world, pupils[6], ConcernKind.FAILING, facts={"in_row": 3})

    lines = lines_of(small_world, "students")

    assert lines[0] == "⚡ **Pupil No 6** failed 3 exams in a row · since Tue 10 Mar"
    assert lines[4].startswith("📝 **Pupil No 3** started")
    assert lines[5:8] == ["… and 3 more: `needs`", "", lines[7]] and lines[7].startswith("👥 **Your 7 students**")


def test_students_of_whom_nothing_is_known_are_silent(small_world: World) -> None:
    small_world.people.students_of[1] = (JANE,)
    assert lines_of(small_world, "students")[:5] == [
        "👥 **Your 1 student** · 1 silent",
        "",
        "| Student | Last activity |",
        "|---|---|",
        "| 💤 Jane Smith | none known |",
    ]


def test_inactive_students_are_left_out_and_can_be_asked_about(small_world: World) -> None:
    students = small_world.people.students_of
    students[1] = tuple(replace(one, is_active=one != JOHN) for one in students[1])
    add_exam(small_world, JANE, "Algebra", 20)

    lines = lines_of(small_world, "students")
    assert lines[0].startswith("👥 **Your 2 students** ·") and "1 silent" in lines[0]
    assert not any("John Doe" in line for line in lines)
    assert lines[-1].endswith("1 inactive student left out.")
    assert "1 of 2 students" in lines_of(small_world, "summary")[0]
    assert "John Doe" in lines_of(small_world, "student john")[0]

    students[1] = tuple(replace(one, is_active=False) for one in students[1])
    assert "3 inactive students left out." in small_world.ask("students").text
    assert "without activity" not in small_world.ask("summary").text


def test_where_nobody_needs_attention_students_says_so(small_world: World) -> None:
    small_world.people.students_of[1] = (JOHN,)
    add_exam(small_world, JOHN, "Algebra", 80)
    lines = lines_of(small_world, "students")
    assert lines[0] == "👥 **Your 1 student** · nobody needs attention"
    assert lines[-1].startswith("| John Doe")


@pytest.mark.parametrize("said", ["students", "stats", "summary", "exam algebra", "content video"])
def test_a_mentor_without_students_is_told_kindly(small_world: World, said: str) -> None:
    small_world.people.students_of[1] = ()
    assert small_world.ask(said).text == "The LMS gives you no students."


def test_summary_of_days_goes_by_the_askers_midnight(small_world: World) -> None:
    """At noon UTC it is 01:00 in Auckland: what was two hours ago was yesterday."""
    small_world.people.zulip_users[MARIA] = make_user(MARIA, "Maria", timezone="Pacific/Auckland")
    small_world.add_event(JOHN, ago=2 * HOUR)

    assert "John" not in small_world.ask("summary today").text
    assert "John" in small_world.ask("summary yesterday").text


@pytest.mark.parametrize(
    "said", ["summary", "summary today", "summary of this week", "summary last hour", "summary 7 days"]
)
def test_periods_of_a_summary(small_world: World, said: str) -> None:
    small_world.add_event(JOHN, ago=HOUR / 2)
    assert "John Doe" in small_world.ask(said).text


def test_an_admin_who_mentors_nobody_means_everybody(small_world: World) -> None:
    small_world.add_event(ZOE)
    assert small_world.ask("summary week", ADMIN) == small_world.ask("summary week all", ADMIN)
    assert small_world.ask("stats", ADMIN) == small_world.ask("stats all", ADMIN)


def test_an_admin_who_mentors_has_both(small_world: World) -> None:
    small_world.add_event(ZOE)
    small_world.add_event(JOHN)
    assert "John" not in small_world.ask("summary", BOTH).text
    assert "John" in small_world.ask("summary all", BOTH).text


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
        "| Events | In total | Last 7 days |",
        "|---|---|---|",
        "| 🎉 Exams passed | 1 | 0 (▼ 1) |",
        "| ❌ Exams failed | 2 | 1 (▲ 1) |",
        "| **All** | 3 | 1 (=) |",
        "",
        "▲ ▼ against the 7 days before.",
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
