"""`student` and `compare`: how one student is doing, or two side by side."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from lms_bot.chat.commands.notes import write_note
from lms_bot.core.activities import ActivityType
from tests.worlds.chat_world import JANE, JOHN, MARIA, NOW, PUPIL, ZOE, World, add_exam, lines_of, make_student

WATCHED = ActivityType.CONTENT_WATCHED
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
AN_HOUR_AGO = "<time:2026-03-18T11:00:00Z>"


def test_a_card_tells_how_a_student_is_doing(world: World) -> None:
    results = [("Algebra", 35), ("Algebra", 40), ("Physics", 66.5), ("Algebra", 85), ("Chemistry", 90)]
    for days, (title, percentage) in zip(range(20, 10, -2), results, strict=True):
        add_exam(world, JOHN, title, percentage, ago=days * DAY)
    add_exam(world, JOHN, "Art", None, ago=2 * DAY)
    world.add_event(JOHN, WATCHED, activity_title="Video")
    add_exam(world, JANE, "Algebra", 50)
    add_exam(world, ZOE, "Algebra", 10)  # not a student of hers

    assert world.ask("student john").text == (
        f"🎓 **John Doe (john_doe)** · average 63.3% ↗ rising · last seen {AN_HOUR_AGO}\n"
        "\n"
        "| Last activity | 👀 watched: Video 85% |\n"
        "|---|---|\n"
        "| Exams | 6 attempts at 4 exams: 3 passed, 2 failed |\n"
        "| Left open | 1: Art since Mon 16 Mar |\n"
        "| Best / last / average | 90% / 90% / 63.3% |\n"
        "| Trend | ↗ rising: 88% in the last 2, 47% in the 3 before |\n"
        "| Pass rate | 60% (3 of 5) |\n"
        "| Rank | 1st of 2 of your students, by average |\n"
        "| This week | 1 content done |\n"
        "\n"
        "```spoiler All attempts · 6\n"
        "| Exam | Last | Earlier |\n"
        "|---|---|---|\n"
        "| Art | 📝 left open Mon 16 Mar |  |\n"
        "| Chemistry | 🎉 90% Fri 6 Mar |  |\n"
        "| Algebra | 🎉 85% Wed 4 Mar | ❌ 40%, ❌ 35% |\n"
        "| Physics | 🎉 66.5% Mon 2 Mar |  |\n"
        "```"
    )


@pytest.mark.parametrize("said", ["card john", "how is john doing?", "progress of John Doe", "report john please"])
def test_a_card_may_be_asked_for_in_other_words(small_world: World, said: str) -> None:
    assert small_world.ask(said).text.startswith("🎓 **John Doe (john_doe)**")


@pytest.mark.parametrize(
    "shown", ["Ana M. L\u00f3pez", "Martin L. King, Jr.", "St. John Smith", "Doe, Jane", "O\u2019Neil"]
)
@pytest.mark.parametrize("how", ["student {}", "history {}", "how is {} doing?"])
def test_a_student_is_found_by_the_name_that_is_shown(small_world: World, shown: str, how: str) -> None:
    pupil = replace(make_student(77, "pupil_77"), display_name=shown)
    small_world.people.students_of[1] += (pupil,)
    assert shown in small_world.ask(how.format(shown)).text.split("\n")[0]


def test_a_card_of_somebody_who_did_nothing_says_so(small_world: World) -> None:
    assert small_world.ask("student jane").text == "🎓 **Jane Smith (jane_smith)**\n\nNo activity."


def test_a_card_shows_the_newest_notes_and_where_the_others_are(small_world: World) -> None:
    add_exam(small_world, JOHN, "Algebra", 80)
    with small_world.store.session():
        for number in range(4):
            write_note(JOHN.student_id, MARIA, "Maria", f"note {number}", now=NOW)

    notes = small_world.ask("student john").text.partition("📌 ")[2].splitlines()

    assert notes[0] == "**Notes** · 4"
    assert [line.rpartition(" ")[2] for line in notes[2:5]] == ["3", "2", "1"]
    assert notes[-1] == "`notes john_doe` shows all."


@pytest.mark.parametrize(
    ("percentages", "trend"),
    [
        ([50, 50, 50, 90, 90, 90], "↗ rising: 90% in the last 3, 50% in the 3 before"),
        ([80, 30], "↘ falling: 30% in the last, 80% in the one before"),
        ([80, 81, 80, 84], "→ steady: 82% in the last 2, 80% in the 2 before"),
        ([10, 90, 90, 90, 90, 90, 90], "→ steady: 90% in the last 3, 90% in the 3 before"),
    ],
)
def test_a_trend_compares_the_latest_results_with_those_before(
    small_world: World, percentages: list[int], trend: str
) -> None:
    for days, percentage in enumerate(reversed(percentages)):
        add_exam(small_world, JOHN, "Algebra", percentage, ago=days * DAY + HOUR)
    assert f"| Trend | {trend} |" in small_world.ask("student john").text


def test_a_single_result_has_no_trend_and_no_percentile(small_world: World) -> None:
    add_exam(small_world, JOHN, "Algebra", 80)
    text = small_world.ask("student john").text
    assert "Trend" not in text and "Percentile" not in text and "average 80% · last seen" in text


def test_a_student_who_may_ask_means_themselves_and_learns_nothing_of_others(small_world: World) -> None:
    small_world.let_students_ask()
    add_exam(small_world, JOHN, "Algebra", 80)
    add_exam(small_world, JANE, "Algebra", 20)
    with small_world.store.session():
        write_note(JOHN.student_id, MARIA, "Maria", "is tired", now=NOW)

    card = small_world.ask("student", PUPIL).text

    assert card.startswith("🎓 **John Doe (john_doe)**")
    assert "Percentile" not in card and "tired" not in card
    assert small_world.ask("history", PUPIL).text.startswith("**John Doe (john_doe)** · all that is known · 1 event")
    assert small_world.ask("history exams today", PUPIL).text.startswith("**John Doe (john_doe)** · today · exams")
    for said in ("summary", "students", "stats", "compare john jane", "exam algebra", "find jane", "student jane"):
        assert "Jane" not in small_world.ask(said, PUPIL).text, said


@pytest.mark.parametrize(
    "said", ["compare john jane", "compare John Doe and Jane Smith", "compare john with jane please"]
)
def test_two_students_are_compared_side_by_side(small_world: World, said: str) -> None:
    add_exam(small_world, JOHN, "Algebra", 40, ago=DAY)
    add_exam(small_world, JOHN, "Algebra", 80)
    add_exam(small_world, JOHN, "Physics", 90)
    add_exam(small_world, JANE, "Algebra", 50)

    assert small_world.ask(said).text == (
        "⚖️ **John Doe** has the higher average: 70%, **Jane Smith** 50%\n"
        "\n"
        "|  | John Doe | Jane Smith |\n"
        "|---|---|---|\n"
        "| Last seen | Wed 18 Mar | Wed 18 Mar |\n"
        "| Average | 70% | 50% |\n"
        "| Best | 90% | 50% |\n"
        "| Last | 90% | 50% |\n"
        "| Trend | ↗ rising |  |\n"
        "| Pass rate | 66.7% | 100% |\n"
        "| Passed | 2 | 1 |\n"
        "| Failed | 1 |  |\n"
        "\n"
        "```spoiler Best at the 1 exam that both took\n"
        "| Exam | John Doe | Jane Smith |\n"
        "|---|---|---|\n"
        "| Algebra | 🎉 80% | 🎉 50% |\n"
        "```"
    )


def test_a_comparison_needs_two_students(small_world: World) -> None:
    assert lines_of(small_world, "compare john john_doe")[0] == "That is the same student twice."
    assert "Usage: `compare <student> <student>`" in lines_of(small_world, "compare john")
    assert "never" in small_world.ask("compare john jane").text
