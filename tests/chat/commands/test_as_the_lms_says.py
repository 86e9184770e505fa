"""Answers say what the LMS says now: exams told apart by what they are, corrected results, attempts that moved."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lms_bot.core.activities import ActivityType
from tests.worlds.chat_world import ADMIN, JANE, JOHN, JOSE, ZOE, World, lines_of, make_student

if TYPE_CHECKING:
    from lms_bot.lms.people import Student

DAY = timedelta(days=1)
ALGEBRA, GEOMETRY = 7, 8
ROW = 501
FAILED, PASSED, STARTED = ActivityType.EXAM_FAILED, ActivityType.EXAM_PASSED, ActivityType.EXAM_STARTED
WATCHED = ActivityType.CONTENT_WATCHED
NO_EXAM = "None of your students has taken an exam of that title."


def exam(percentage: int | None, exam_id: int = ALGEBRA, title: str | None = "Midterm", course: str = "") -> Any:
    """What an exam's row says beside whose and when it is."""
    metadata = {"percentage": percentage} | ({"course_title": course} if course else {})
    return {"activity_id": exam_id, "activity_title": title, "activity_metadata": metadata}


def take(
    world: World,
    percentage: int | None,
    student: Student = JOHN,
    *,
    exam_id: int = ALGEBRA,
    title: str = "Midterm",
    course: str = "",
    row: int | None = None,
    days: int = 1,
) -> None:
    """So many days ago; passed with half of the points, or left open where there is no percentage."""
    kind = STARTED if percentage is None else PASSED if percentage >= 50 else FAILED
    said = exam(percentage, exam_id, title, course)
    world.add_event(student, kind, attempt_id=row, ago=days * DAY, **said)


def take_both(world: World, *students: Student) -> None:
    """Two exams of one title, by each of these."""
    for student in students or (JOHN,):
        take(world, 80, student, course="Algebra I")
        take(world, 30, student, exam_id=GEOMETRY, course="Geometry", days=2)


def add_pupils(world: World, count: int) -> list[Student]:
    """More students of Maria's, by username."""
    pupils = [make_student(100 + number, f"pupil_{number:02}") for number in range(count)]
    world.people.students_of[1] += tuple(pupils)
    return pupils


# ---- two of one title ----


def test_two_exams_of_one_title_are_told_apart_by_their_courses(world: World) -> None:
    take(world, 80, course="Algebra I")
    take(world, 30, JANE, exam_id=GEOMETRY, course="Geometry")

    assert lines_of(world, "exam midterm") == [
        "Several titles match **midterm**. Which one do you mean?",
        "",
        "1. 📝 Midterm · Algebra I · 1 student",
        "2. 📝 Midterm · Geometry · 1 student",
        "",
        "Answer with the number.",
    ]
    chosen = world.ask("2").text
    assert chosen.startswith("📝 **Midterm · Geometry** · 1 of your 3 students: 1 failed")
    assert "Jane Smith" in chosen and "❌ failed 30%" in chosen
    assert "John Doe" not in chosen and "80%" not in chosen


@pytest.mark.parametrize(
    "said",
    ["exam midterm algebra i", "exam Midterm · Algebra I", "exam MIDTERM - algebra i", "who took midterm algebra i?"],
)
def test_the_title_with_its_label_finds_the_one(world: World, said: str) -> None:
    take_both(world)
    assert world.ask(said).text.startswith("📝 **Midterm · Algebra I** · 1 of your 3 students: 1 passed")


def test_two_exams_of_one_title_without_courses_are_told_apart_by_when_they_were_first_taken(world: World) -> None:
    take(world, 80)
    take(world, 30, exam_id=GEOMETRY, days=2)
    take(world, 45, JANE, exam_id=GEOMETRY)

    assert lines_of(world, "exam midterm")[2:4] == [
        "1. 📝 Midterm · 2026-03-17 · 1 student",
        "2. 📝 Midterm · 2026-03-16 · 2 students",
    ]
    assert "2 of your 3 students: 2 failed" in world.ask("exam midterm 2026-03-16").text


def test_where_neither_course_nor_day_tells_them_apart_the_number_does(small_world: World) -> None:
    take(small_world, 80, course="Algebra I")
    take(small_world, 30, exam_id=GEOMETRY, course="Algebra I")
    take(small_world, 20, exam_id=9, course="Algebra I", days=2)

    assert lines_of(small_world, "exam midterm")[2:5] == [
        "1. 📝 Midterm · 2026-03-17, number 7 · 1 student",
        "2. 📝 Midterm · 2026-03-17, number 8 · 1 student",
        "3. 📝 Midterm · 2026-03-16, number 9 · 1 student",
    ]
    assert "failed 30%" in small_world.ask("exam midterm 2026-03-17, number 8").text


def test_what_nobody_else_has_needs_no_label(world: World) -> None:
    take(world, 80, course="Algebra I")
    take(world, 30, ZOE, exam_id=GEOMETRY, course="Geometry")  # not a student of hers

    assert world.ask("exam midterm").text.startswith("📝 **Midterm** · 1 of your 3 students")
    assert "2. 📝 Midterm · Geometry · 1 student" in lines_of(world, "exam midterm", ADMIN)


def test_find_lists_both_with_the_commands_that_show_them(world: World) -> None:
    take_both(world)
    lines = lines_of(world, "find midterm")
    assert lines == [
        "🔎 **midterm** · 2 exams",
        "",
        "- 📝 Midterm · Algebra I · 1 student: `exam Midterm Algebra I`",
        "- 📝 Midterm · Geometry · 1 student: `exam Midterm Geometry`",
    ]
    shown = [world.ask(line.split("`")[1]).text.partition(" · 1 of your")[0] for line in lines[2:]]
    assert shown == ["📝 **Midterm · Algebra I**", "📝 **Midterm · Geometry**"]


@pytest.mark.parametrize("title", ["Midterm", "M" * 300])
def test_the_next_page_is_of_the_same_exam(small_world: World, title: str) -> None:
    for pupil in add_pupils(small_world, 25):
        take(small_world, 80, pupil, title=title, course="Algebra I")
    take(small_world, 30, title=title, exam_id=GEOMETRY, course="Geometry")

    small_world.ask(f"exam {title[:200]}")
    first = lines_of(small_world, "1")
    following = lines_of(small_world, first[-1].split("`")[1])

    assert first[-1].startswith("Page 1 of 2.") and following[-1] == "Page 2 of 2, the last."
    assert first[0] == following[0] and " · Algebra I** · 25 of your 28 students" in first[0]


def test_a_title_with_its_label_is_not_taken_for_a_part_of_another_title(small_world: World) -> None:
    take_both(small_world)
    take(small_world, 55, exam_id=9, title="Midterm Geometry for beginners")
    assert small_world.ask("exam midterm geometry").text.startswith("📝 **Midterm · Geometry** ·")

    take(small_world, 60, exam_id=10, title="Midterm Geometry")
    assert lines_of(small_world, "exam midterm geometry")[2:4] == [
        "1. 📝 Midterm Geometry · 1 student",
        "2. 📝 Midterm · Geometry · 1 student",
    ]
    assert "failed 30%" in small_world.ask("2").text


def test_a_label_that_cannot_be_typed_is_chosen_by_its_number(small_world: World) -> None:
    take(small_world, 80, course="…")
    take(small_world, 30, exam_id=GEOMETRY, course="Geometry")
    assert len(lines_of(small_world, "exam midterm …")) == 2 + 2 + 2
    assert "passed 80%" in small_world.ask("1").text


def test_the_card_lists_two_exams_of_one_title_apart(world: World) -> None:
    take_both(world)
    take(world, None, exam_id=GEOMETRY, course="Geometry", days=3)

    card = world.ask("student john_doe").text

    assert "| Last activity | 🎉 passed: Midterm · Algebra I 80% |" in card
    assert "| Exams | 3 attempts at 2 exams: 1 passed, 1 failed |" in card
    assert "| Left open | 1: Midterm · Geometry since" in card
    assert "| Midterm · Algebra I | 🎉 80%" in card
    assert "| Midterm · Geometry | ❌ 30% Mon 16 Mar | 📝 left open |" in card


def test_the_card_calls_exams_as_the_list_of_titles_does(small_world: World) -> None:
    """To somebody who sees a third one, the courses do not tell them apart."""
    take_both(small_world)
    take(small_world, 30, ZOE, exam_id=9, course="Geometry", days=3)

    card, all_of_them = small_world.ask("student john_doe").text, small_world.ask("student john_doe", ADMIN).text

    assert "| Midterm · Geometry |" in card
    assert "| Midterm · 2026-03-16 |" in all_of_them
    assert "failed 30%" in small_world.ask("exam midterm 2026-03-16", ADMIN).text


def test_a_comparison_and_a_chart_tell_two_exams_of_one_title_apart(world: World) -> None:
    take_both(world, JOHN, JANE)
    comparison, chart = world.ask("compare john_doe jane_smith").text, world.ask("chart john_doe").text
    assert "| Midterm · Algebra I | 🎉 80% | 🎉 80% |" in comparison
    assert "| Midterm · Geometry | ❌ 30% | ❌ 30% |" in comparison
    assert "| Midterm · Algebra I | 🎉 80% |" in chart and "| Midterm · Geometry | ❌ 30% |" in chart


def test_contents_of_one_title_are_told_apart_too(world: World) -> None:
    for number, (student, course) in enumerate(((JOHN, "Algebra I"), (JANE, "Geometry"))):
        said: Any = exam(None, 70 + number, "Welcome", course)
        world.add_event(student, WATCHED, **said)

    assert lines_of(world, "content welcome")[2:4] == [
        "1. 📚 Welcome · Algebra I · 1 student",
        "2. 📚 Welcome · Geometry · 1 student",
    ]
    chosen = world.ask("2").text
    assert chosen == world.ask("content welcome geometry").text
    assert "Jane Smith" in chosen and "John Doe" not in chosen


@pytest.mark.parametrize(
    "said", ["student john_doe", "exam midterm", "find midterm", "compare john_doe jane_smith", "chart john_doe"]
)
def test_the_store_is_asked_as_often_for_many_exams_of_one_title_as_for_two(
    small_world: World, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    asked: list[str] = []
    database = small_world.store.database
    execute = database.execute_sql

    def note(sql: str, params: Any = None) -> Any:
        asked.append(sql)
        return execute(sql, params)  # type: ignore[no-untyped-call]

    def count() -> int:
        for _ in range(2):  # after which what is kept is kept
            small_world.ask(said)
        asked.clear()
        small_world.ask(said)
        return len(asked)

    monkeypatch.setattr(database, "execute_sql", note)
    take_both(small_world, JOHN, JANE)
    for_two = count()
    for number in range(10, 30):
        take(small_world, 60, JOHN, exam_id=number, course=f"Course {number}")
        take(small_world, 60, JANE, exam_id=number, course=f"Course {number}")
    assert count() == for_two


# ---- renamed, gone ----


def test_a_renamed_exam_is_one_and_is_found_by_its_present_title(world: World) -> None:
    take(world, 30)
    take(world, 80, JANE, title="Halfway")

    assert world.ask("exam halfway").text.startswith("📝 **Halfway** · 2 of your")
    assert NO_EXAM in world.ask("exam midterm").text
    assert "I found no" in world.ask("find midterm").text
    card = world.ask("student john_doe").text
    assert "1 attempt at 1 exam" in card and "| Halfway | ❌ 30%" in card and "Midterm" not in card


def test_an_exam_that_is_renamed_after_it_was_offered_is_shown_all_the_same(small_world: World) -> None:
    take_both(small_world)
    small_world.ask("exam midterm")
    take(small_world, 45, JANE, exam_id=GEOMETRY, title="Halfway")
    assert small_world.ask("2").text.startswith("📝 **Halfway** · 2 of your 3 students: 2 failed")


def test_an_exam_that_is_gone_from_the_lms_is_found_by_its_last_title(world: World) -> None:
    take(world, 80, row=ROW)
    take(world, 80, title="Halfway", row=ROW + 1)
    for row in (ROW, ROW + 1):
        world.read_again(JOHN, PASSED, attempt_id=row, ago=DAY, **exam(80, 0, None))

    assert world.ask("exam halfway").text.startswith("📝 **Halfway** · 1 of your 3 students: 1 passed")
    assert "| Halfway | 🎉 80%" in world.ask("student john_doe").text
    assert NO_EXAM in world.ask("exam midterm").text


def test_a_content_that_is_gone_from_the_lms_is_found_by_its_last_title(world: World) -> None:
    lesson: Any = {"activity_title": "Welcome", "activity_metadata": None}
    world.add_event(JOHN, WATCHED, attempt_id=ROW, **lesson)
    world.read_again(JOHN, WATCHED, attempt_id=ROW, activity_id=0, activity_title=None, activity_metadata=None)
    assert world.ask("content welcome").text.startswith("📚 **Welcome** · 1 of your 3 students: 1 watched")


# ---- results that are corrected ----


@pytest.mark.parametrize(
    "said", ["student john_doe", "students", "exam midterm", "chart john_doe", "compare john_doe jane_smith"]
)
def test_a_corrected_percentage_is_in_every_answer(world: World, said: str) -> None:
    take(world, 60, row=ROW)
    take(world, 70, JANE)
    world.read_again(JOHN, PASSED, attempt_id=ROW, ago=DAY, **exam(85))
    answer = world.ask(said).text
    assert "85%" in answer and "60%" not in answer


@pytest.mark.parametrize(("first", "last"), [(PASSED, FAILED), (FAILED, PASSED)])
def test_a_result_that_was_turned_and_turned_back_is_as_it_was(
    world: World, first: ActivityType, last: ActivityType
) -> None:
    world.add_event(JOHN, first, attempt_id=ROW, **exam(70))
    world.add_event(JOHN, last, attempt_id=ROW, **exam(30))
    world.read_again(JOHN, first, attempt_id=ROW, **exam(75))

    expected = first.outcome
    assert f"{expected} 75%" in world.ask("exam midterm").text
    assert ("1 failed their last exam" in world.ask("students").text) == (first is FAILED)
    card = world.ask("student john_doe").text
    assert f"1 attempt at 1 exam: 1 {expected}" in card and "| Best / last / average | 75% / 75% / 75% |" in card


# ---- attempts that moved, are gone, or were given up ----


def test_an_attempt_that_moved_is_of_the_student_who_has_it_now(world: World) -> None:
    take(world, 80, row=ROW)
    world.read_again(JOSE, PASSED, attempt_id=ROW, ago=DAY, **exam(80))

    assert "🎉 passed: Midterm 80%" in world.ask("student jgarcia").text
    assert "No activity." in world.ask("student john_doe").text
    takers = world.ask("exam midterm").text
    assert "1 of your 3 students" in takers and "José García" in takers and "John Doe" not in takers
    listed = {line.split(" | ")[0].lstrip("|❌📝💤 "): line for line in lines_of(world, "students") if " | " in line}
    assert "🎉 80% Midterm" in listed["José García"]
    assert "none known" in listed["John Doe"]


def test_an_attempt_that_moved_leaves_the_others_of_the_student(world: World) -> None:
    take(world, 80, row=ROW)
    take(world, 40, exam_id=GEOMETRY, title="Geometry", days=3)
    world.read_again(JOSE, PASSED, attempt_id=ROW, ago=DAY, **exam(80))
    card = world.ask("student john_doe").text
    assert "average 40% · last seen <time:2026-03-15T12:00:00Z>" in card and "1 attempt at 1 exam: 1 failed" in card
    assert "❌ 40% Geometry" in world.ask("students").text


def test_an_attempt_that_is_gone_shows_nowhere(world: World) -> None:
    take(world, 30, row=ROW)
    world.lose(ROW)

    assert "No activity." in world.ask("student john_doe").text
    assert NO_EXAM in world.ask("exam midterm").text
    assert "I found no" in world.ask("find midterm").text
    for said in ("students", "compare john_doe jane_smith", "chart john_doe"):
        answer = world.ask(said).text
        assert "Midterm" not in answer and "30%" not in answer and "failed their last exam" not in answer, said

    world.read_again(JOHN, FAILED, attempt_id=ROW, ago=DAY, **exam(30))
    assert "❌ failed 30%" in world.ask("exam midterm").text


def test_of_whom_no_attempt_is_left_the_events_are_shown_to_an_admin_by_name(world: World) -> None:
    former = make_student(77, "amy_f", "Amy", "Former")
    take(world, 80, former, row=ROW)
    world.lose(ROW)
    world.context.counters.catch_up()

    assert "| Amy Former | 🎉 1 |" in world.ask("summary this week all", ADMIN).text
    assert world.ask("history amy", ADMIN).text.startswith("**Amy Former (amy_f)** · all that is known · 1 event")
    assert "No activity." in world.ask("student amy_f", ADMIN).text


def test_an_attempt_that_was_withdrawn_is_shown_as_that_and_is_neither_open_nor_a_result(world: World) -> None:
    take(world, 30, exam_id=GEOMETRY, title="Geometry", days=6)
    take(world, None, row=ROW, days=5)
    assert "1 left an exam open" in world.ask("students").text

    world.read_again(JOHN, STARTED, attempt_id=ROW, ago=4 * DAY, is_withdrawn=True, **exam(10))

    students, card = world.ask("students").text, world.ask("student john_doe").text
    assert "left" not in students and "❌ 30% Geometry" in students
    assert "| Last activity | 🚪 withdrawn: Midterm |" in card and "average 30%" in card
    assert "2 attempts at 2 exams: 1 failed, 1 withdrawn" in card and "| Midterm | 🚪 withdrawn" in card
    assert "Left open" not in card and "10%" not in card
    assert "1 of your 3 students: 1 withdrawn" in world.ask("exam midterm").text
    assert "🚪 withdrawn" in world.ask("chart john_doe").text
    world.context.counters.catch_up()
    assert "left open" not in world.ask("summary past 10 days").text
    assert "Left open" not in world.ask("compare john_doe jane_smith").text
