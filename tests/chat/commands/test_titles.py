"""`exam`, `content`, `find`: by titles, and by what else is looked for."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lms_bot.core.activities import ActivityType
from tests.worlds.chat_world import JANE, JOHN, JOSE, ZOE, World, add_exam, lines_of, make_student

WATCHED = ActivityType.CONTENT_WATCHED
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
AN_HOUR_AGO = "<time:2026-03-18T11:00:00Z>"


def test_an_exam_shows_who_took_it_and_with_what_result(world: World) -> None:
    add_exam(world, JOHN, "Algebra", 20, ago=DAY)
    add_exam(world, JOHN, "Algebra", 80)
    add_exam(world, JANE, "Algebra", 40)
    add_exam(world, JOSE, "Algebra", None)
    add_exam(world, ZOE, "Algebra", 99)
    add_exam(world, JOHN, "Algebra II", 99)

    assert world.ask("exam algebra").text == (
        "📝 **Algebra** · 3 of your 3 students: 1 failed, 1 left open, 1 passed · their best: 60% on average\n"
        "\n"
        "| Student | Result | When |\n"
        "|---|---|---|\n"
        "| Jane Smith | ❌ failed 40% | Wed 18 Mar |\n"
        "| José García | 📝 left open | Wed 18 Mar |\n"
        "| John Doe | 🎉 passed 80% (2 tries) | Wed 18 Mar |"
    )


def test_a_content_shows_who_did_it(small_world: World) -> None:
    small_world.add_event(JOHN, WATCHED, activity_title="Intro video", activity_metadata=None)
    assert lines_of(small_world, "content intro")[0] == "📚 **Intro video** · 1 of your 3 students: 1 watched"
    assert "None of your students has taken an exam" in small_world.ask("exam intro").text


def test_several_exams_of_a_title_are_listed_and_a_number_chooses_one(small_world: World) -> None:
    add_exam(small_world, JOHN, "Algebra I", 80)
    add_exam(small_world, JANE, "Algebra II, page 2", 80)
    add_exam(small_world, ZOE, "Algebra III", 80)

    lines = lines_of(small_world, "exam algebra")

    assert lines == [
        "Several titles match **algebra**. Which one do you mean?",
        "",
        "1. 📝 Algebra I · 1 student",
        "2. 📝 Algebra II, page 2 · 1 student",
        "",
        "Answer with the number.",
    ]
    assert lines_of(small_world, "1")[0].startswith("📝 **Algebra I** · 1 of your 3 students")
    assert lines_of(small_world, "2")[0].startswith("📝 **Algebra II, page 2** · 1 of your 3 students")


def test_a_number_after_a_list_of_titles_asks_what_was_asked_for(small_world: World) -> None:
    for number in range(25):
        pupil = make_student(100 + number, f"pupil_{number}")
        small_world.people.students_of[1] += (pupil,)
        add_exam(small_world, pupil, "Algebra I", 80)
    add_exam(small_world, JOHN, "Algebra II", 80)

    small_world.ask("chart exam algebra")
    chart = small_world.ask("1")
    small_world.ask("exam algebra page 2")

    assert small_world.ask("1").text.endswith("Page 2 of 2, the last.")
    assert chart == small_world.ask("chart exam algebra i")


def test_titles_that_begin_alike_for_ever_can_be_told_apart_and_paged(small_world: World) -> None:
    for number in range(25):
        pupil = make_student(100 + number, f"pupil_{number}")
        small_world.people.students_of[1] += (pupil,)
        add_exam(small_world, pupil, f"{'A' * 300} one", 80)

    following = lines_of(small_world, "exam aaa")[-1].split("`")[1]
    assert lines_of(small_world, following)[-1] == "Page 2 of 2, the last."

    add_exam(small_world, JOHN, f"{'A' * 300} two", 80)
    assert "1 student" in lines_of(small_world, "exam aaa")[3]
    assert "· 1 of your 28 students" in small_world.ask("2").text


@pytest.mark.parametrize("said", ["who took algebra?", 'exam "algebra"', "exam “Algebra” page 1", "exam algebra!"])
def test_punctuation_around_a_title_does_not_hurt(small_world: World, said: str) -> None:
    add_exam(small_world, JOHN, "Algebra", 80)
    assert small_world.ask(said).text.startswith("📝 **Algebra** ·")


@pytest.mark.parametrize("said", ["exam unit 3 - forces", "exam unit 3 \u2013 forces", "exam UNIT 3: FORCES"])
def test_a_title_is_found_whatever_its_dashes_are(small_world: World, said: str) -> None:
    add_exam(small_world, JOHN, "Unit 3 \u2013 Forces", 80)
    assert lines_of(small_world, said)[0].startswith("📝 **Unit 3 \u2013 Forces** · 1 of your 3 students")


@pytest.mark.parametrize("title", ["How to", "A", "What is this?"])
def test_a_title_may_be_of_words_that_mean_nothing_elsewhere(small_world: World, title: str) -> None:
    add_exam(small_world, JOHN, title, 80)
    assert small_world.ask(f"exam {title}").text.startswith(f"📝 **{title}** ·")


def test_of_many_exams_the_first_are_listed_and_the_rest_counted(small_world: World) -> None:
    for number in range(12):
        add_exam(small_world, JOHN, f"Algebra {number}", 80)
    lines = lines_of(small_world, "exam algebra")
    assert len(lines) == 2 + 10 + 2
    assert lines[-1] == "There are more: `find algebra` shows all. Answer with the number."


def test_a_title_nobody_has_is_answered_with_the_closest(small_world: World) -> None:
    add_exam(small_world, JOHN, "Algebra", 80)
    add_exam(small_world, ZOE, "Algebraic", 80)
    assert small_world.ask("exam algbra").text == f"↳ `exam Algebra`\n\n{small_world.ask('exam algebra').text}"
    add_exam(small_world, JOHN, "Algebra 2", 80)
    assert lines_of(small_world, "exam algbra") == [
        "None of your students has taken an exam of that title. Do you mean one of these?",
        "",
        "1. 📝 Algebra · 1 student",
        "2. 📝 Algebra 2 · 1 student",
        "",
        "Answer with the number.",
    ]
    assert small_world.ask("1").text.startswith("📝 **Algebra** ·")
    assert "`find` looks for a part of one." in small_world.ask("exam xyzzy").text
    assert small_world.ask("exam algebraic").text.startswith("None of your students has taken an exam")


def test_find_shows_students_exams_and_contents_with_the_command_to_look_further(world: World) -> None:
    add_exam(world, JANE, "Jane Eyre", 80)
    world.add_event(JOHN, WATCHED, activity_title="Calamity Jane")
    add_exam(world, ZOE, "Jane Goodall", 80)

    lines = lines_of(world, "find jane")

    assert lines == [
        "🔎 **jane** · 1 student, 1 exam, 1 content",
        "",
        "- 👤 Jane Smith (jane_smith): `student jane_smith`",
        "- 📚 Calamity Jane · 1 student: `content Calamity Jane`",
        "- 📝 Jane Eyre · 1 student: `exam Jane Eyre`",
    ]
    assert [lines_of(world, line.split("`")[1])[0][0] for line in lines[2:]] == ["🎓", "📚", "📝"]


def test_find_says_where_there_is_nothing(small_world: World) -> None:
    add_exam(small_world, ZOE, "Algebra", 80)
    for said in ("find zoe", "find algebra", "find algebra page 7"):
        assert small_world.ask(said).text.startswith("🔎 I found no student, exam or content for **")
