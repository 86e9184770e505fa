"""What mentors read all day: each answer as it is written, over a real store."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from lms_bot.chat.commands.notes import write_note
from lms_bot.core.activities import ActivityType
from lms_bot.settings.settings import load_settings
from lms_bot.store.conversation import AuditEntry
from lms_bot.store.models import LMSActivityEvent
from tests.worlds.chat_world import (
    ADMIN,
    BOTH,
    JANE,
    JOHN,
    JOSE,
    MARIA,
    NOW,
    PUPIL,
    ZOE,
    World,
    make_student,
    make_user,
)

PASSED, FAILED, STARTED = ActivityType.EXAM_PASSED, ActivityType.EXAM_FAILED, ActivityType.EXAM_STARTED
WATCHED = ActivityType.CONTENT_WATCHED
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
AN_HOUR_AGO = "<time:2026-03-18T11:00:00Z>"


def add_exam(world: World, student: object, title: str, percentage: float | None, ago: timedelta = HOUR) -> None:
    """An exam that is passed with half of the points, or left open where there is no percentage."""
    kind = STARTED if percentage is None else PASSED if percentage >= 50 else FAILED
    result = None if percentage is None else {"percentage": percentage}
    world.add_event(student, kind, ago=ago, activity_title=title, activity_metadata=result)  # type: ignore[arg-type]


def lines_of(world: World, said: str, who: int = MARIA) -> list[str]:
    return world.ask(said, who).text.splitlines()


def get_looks(world: World) -> list[tuple[int | None, str]]:
    with world.app.store.session():
        return [(look.student_id, look.command) for look in AuditEntry.select().order_by(AuditEntry.look_id)]


# ---- history ----


def test_history_shows_what_when_result_and_number_newest_first(world: World) -> None:
    first = world.add_event(JOHN, STARTED, ago=2 * HOUR, activity_metadata=None)
    second = world.add_event(JOHN, PASSED)

    reply = world.ask("history john_doe")

    assert reply.is_private
    assert reply.text == (
        "**John Doe (john_doe)** · all that is known · 2 events\n"
        "\n"
        "| When | What | Result | Event |\n"
        "|---|---|---|---|\n"
        f"| {AN_HOUR_AGO} | 🎉 passed: Mathematics Final Exam | 85 (85%) | `#{second.event_id}` |\n"
        f"| <time:2026-03-18T10:00:00Z> | 📝 started: Mathematics Final Exam |  | `#{first.event_id}` |"
    )


def test_history_of_somebody_who_did_nothing_says_so(small_world: World) -> None:
    assert small_world.ask("history john_doe today").text == "**John Doe (john_doe)** · today\n\nNo activity."


def test_history_may_be_of_exams_or_contents_alone_and_of_a_period(small_world: World) -> None:
    add_exam(small_world, JOHN, "Algebra", 80)
    small_world.add_event(JOHN, WATCHED, activity_title="Video")
    small_world.add_event(JOHN, WATCHED, activity_title="Old", ago=9 * DAY)

    exams, contents = (lines_of(small_world, f"history john {what} this week") for what in ("exams", "content"))

    assert exams[0] == "**John Doe (john_doe)** · this week · exams · 1 event" and "Algebra" in exams[4]
    assert contents[0] == "**John Doe (john_doe)** · this week · contents · 1 event" and "Video" in contents[4]


def test_a_long_history_comes_in_pages_that_say_how_to_get_the_next(small_world: World) -> None:
    for number in range(45):
        small_world.add_event(JOHN, PASSED, ago=timedelta(minutes=number), activity_title=f"Exam {number:02}")

    first, last = (lines_of(small_world, f"history john exams{page}") for page in ("", " page 3"))

    assert len(first) == 4 + 20 + 2 and "Exam 00" in first[4]
    assert first[-1] == "Page 1 of 3. `history john_doe exams page 2` shows the next."
    assert len(last) == 4 + 5 + 2 and "Exam 44" in last[-3]
    assert last[-1] == "Page 3 of 3, the last."
    assert lines_of(small_world, "history john page 4")[0] == "There are only 3 pages."
    assert small_world.ask(first[-1].split("`")[1]).text.count("Exam 2") == 10


def test_every_command_that_a_page_names_shows_the_page_it_names(small_world: World) -> None:
    students = tuple(make_student(100 + number, f"pupil_{number:02}") for number in range(25))
    small_world.people.students_of[1] = students
    for student in students:
        add_exam(small_world, student, "Algebra", 80)
        add_exam(small_world, student, f"Essay of {student.username}", 80)
    for said in ("summary this week", "students", "exam algebra", "find pupil"):
        note = lines_of(small_world, said)[-1]
        assert note.startswith("Page 1 of "), said
        assert "Page 2 of " in lines_of(small_world, note.split("`")[1])[-1], said


# ---- student ----


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
        "| Last activity | 👀 watched: Video 85 (85%) |\n"
        "|---|---|\n"
        "| Exams | 6 attempts at 4 exams: 3 passed, 2 failed |\n"
        "| Left open | 1: Art since <time:2026-03-16T12:00:00Z> |\n"
        "| Best / last / average | 90% / 90% / 63.3% |\n"
        "| Trend | ↗ rising: 88% in the last 2, 47% in the 3 before |\n"
        "| Pass rate | 60% (3 of 5) |\n"
        "| Percentile | 100, by average, among 2 of your students |\n"
        "| This week | 1 content done |\n"
        "\n"
        "```spoiler All attempts · 6\n"
        "| Exam | Last | Earlier |\n"
        "|---|---|---|\n"
        "| Art | 📝 left open <time:2026-03-16T12:00:00Z> |  |\n"
        "| Chemistry | 🎉 90% <time:2026-03-06T12:00:00Z> |  |\n"
        "| Algebra | 🎉 85% <time:2026-03-04T12:00:00Z> | ❌ 40%, ❌ 35% |\n"
        "| Physics | 🎉 66.5% <time:2026-03-02T12:00:00Z> |  |\n"
        "```"
    )


@pytest.mark.parametrize("said", ["card john", "how is john doing?", "progress of John Doe", "report john please"])
def test_a_card_may_be_asked_for_in_other_words(small_world: World, said: str) -> None:
    assert small_world.ask(said).text.startswith("🎓 **John Doe (john_doe)**")


def test_a_card_of_somebody_who_did_nothing_says_so(small_world: World) -> None:
    assert small_world.ask("student jane").text == "🎓 **Jane Smith (jane_smith)**\n\nNo activity."


def test_a_card_shows_the_newest_notes_and_where_the_others_are(small_world: World) -> None:
    add_exam(small_world, JOHN, "Algebra", 80)
    with small_world.app.store.session():
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
    may_ask = {"lms_students_may_ask": "true"}
    small_world.app.settings = load_settings(may_ask, environ={}, dotenv=None, require_lms=False)
    small_world.app.users.get_student_for_zulip_user = lambda user: JOHN
    add_exam(small_world, JOHN, "Algebra", 80)
    add_exam(small_world, JANE, "Algebra", 20)
    with small_world.app.store.session():
        write_note(JOHN.student_id, MARIA, "Maria", "is tired", now=NOW)

    card = small_world.ask("student", PUPIL).text

    assert card.startswith("🎓 **John Doe (john_doe)**")
    assert "Percentile" not in card and "tired" not in card
    assert small_world.ask("history", PUPIL).text.startswith("**John Doe (john_doe)** · all that is known · 1 event")
    assert small_world.ask("history exams today", PUPIL).text.startswith("**John Doe (john_doe)** · today · exams")
    for said in ("summary", "students", "stats", "compare john jane", "exam algebra", "find jane", "student jane"):
        assert "Jane" not in small_world.ask(said, PUPIL).text, said


# ---- compare ----


@pytest.mark.parametrize(
    "said", ["compare john jane", "compare John Doe and Jane Smith", "compare john with jane please"]
)
def test_two_students_are_compared_side_by_side(small_world: World, said: str) -> None:
    add_exam(small_world, JOHN, "Algebra", 40, ago=DAY)
    add_exam(small_world, JOHN, "Algebra", 80)
    add_exam(small_world, JOHN, "Physics", 90)
    add_exam(small_world, JANE, "Algebra", 50)

    assert small_world.ask(said).text == (
        "⚖️ **John Doe (john_doe)** has the higher average: 70%, **Jane Smith (jane_smith)** 50%\n"
        "\n"
        "|  | John Doe (john_doe) | Jane Smith (jane_smith) |\n"
        "|---|---|---|\n"
        f"| Last seen | {AN_HOUR_AGO} | {AN_HOUR_AGO} |\n"
        "| Average | 70% | 50% |\n"
        "| Best | 90% | 50% |\n"
        "| Last | 90% | 50% |\n"
        "| Trend | ↗ rising |  |\n"
        "| Pass rate | 66.7% | 100% |\n"
        "| Passed | 2 | 1 |\n"
        "| Failed | 1 |  |\n"
        "\n"
        "```spoiler Best at the 1 exam that both took\n"
        "| Exam | John Doe (john_doe) | Jane Smith (jane_smith) |\n"
        "|---|---|---|\n"
        "| Algebra | 🎉 80% | 🎉 50% |\n"
        "```"
    )


def test_a_comparison_needs_two_students(small_world: World) -> None:
    assert lines_of(small_world, "compare john john_doe")[0] == "That is the same student twice."
    assert "Usage: `compare <student> <student>`" in lines_of(small_world, "compare john")
    assert "never" in small_world.ask("compare john jane").text


# ---- summary ----


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
        "| Student | ❌ Failed | 📝 Left open | 🎉 Passed | Last |\n"
        "|---|---|---|---|---|\n"
        f"| Jane Smith (jane_smith) | 1 | 1 |  | {AN_HOUR_AGO} |\n"
        f"| John Doe (john_doe) |  |  | 1 | {AN_HOUR_AGO} |\n"
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


@pytest.mark.parametrize(
    ("said", "before", "start", "end"),
    [
        ("today", "yesterday by this time", (3, 17, 0), (3, 17, 12)),
        ("yesterday", "the day before", (3, 16, 0), (3, 17, 0)),
        ("this week", "last week by this time", (3, 9, 0), (3, 11, 12)),
        ("last week", "the 7 days before", (3, 2, 0), (3, 9, 0)),
        ("this month", "February by this time", (2, 1, 0), (2, 18, 12)),
        ("last month", "January", (1, 1, 0), (2, 1, 0)),
        ("february", "January", (1, 1, 0), (2, 1, 0)),
        ("last 7 days", "the 7 days before", (3, 3, 12), (3, 11, 0)),
        ("2026-03-10..2026-03-12", "the 3 days before", (3, 7, 0), (3, 10, 0)),
        ("last hour", "the hour before", (3, 18, 10), (3, 18, 11)),
    ],
)
def test_a_period_is_compared_with_the_like_one_before(
    small_world: World, said: str, before: str, start: tuple[int, int, int], end: tuple[int, int, int]
) -> None:
    """What is at its first moment and just before its end counts; what is beside it does not."""
    first, last = (datetime(2026, *moment, tzinfo=NOW.tzinfo) for moment in (start, end))
    second = timedelta(seconds=1)
    for moment in (first, last - second):
        add_exam(small_world, JOHN, "Algebra", 80, ago=NOW - moment)
    for moment in (first - second,):
        add_exam(small_world, JOHN, "Algebra", 20, ago=NOW - moment)

    text = small_world.ask(f"summary {said}").text

    assert before in text
    assert "2 passed" in text or "passed (▼ 2)" in text or "passed (▼ 1)" in text, text
    assert "failed (▼" not in text and "failed." not in text


# ---- students ----


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
        "|  | Student | Last activity | Last result |\n"
        "|---|---|---|---|\n"
        f"| ❌ 📝 | Jane Smith (jane_smith) | {AN_HOUR_AGO} | ❌ 20% Algebra |\n"
        "| 💤 | José García (jgarcia) | <time:2026-03-10T12:00:00Z> | 🎉 80% Algebra |\n"
        "|  | John Doe (john_doe) | <time:2026-03-18T10:00:00Z> | 🎉 80% Algebra |\n"
        f"|  | Zoë Müller (zoe_m) | {AN_HOUR_AGO} | 🎉 80% Algebra |\n"
        "\n"
        "❌ failed their last exam · 📝 left an exam open for more than a day · 💤 did nothing for more than 7 days"
    )


def test_students_of_whom_nothing_is_known_are_silent(small_world: World) -> None:
    small_world.people.students_of[1] = (JANE,)
    assert lines_of(small_world, "students")[:5] == [
        "👥 **Your 1 student** · 1 silent",
        "",
        "|  | Student | Last activity |",
        "|---|---|---|",
        "| 💤 | Jane Smith (jane_smith) | none known |",
    ]


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


# ---- stats ----


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


def small_stats_of_nothing(world: World) -> str:
    world.people.students_of[1] = (JOSE,)
    return lines_of(world, "stats")[-1]


# ---- exam, content ----


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
        "| Student | Result | Attempts | Best | When |\n"
        "|---|---|---|---|---|\n"
        f"| Jane Smith (jane_smith) | ❌ failed 40% |  |  | {AN_HOUR_AGO} |\n"
        f"| José García (jgarcia) | 📝 left open |  |  | {AN_HOUR_AGO} |\n"
        f"| John Doe (john_doe) | 🎉 passed 80% | 2 | 80% | {AN_HOUR_AGO} |"
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
    assert lines_of(small_world, "exam algbra") == [
        "None of your students has taken an exam of that title. Do you mean one of these?",
        "",
        "1. 📝 Algebra · 1 student",
        "",
        "Answer with the number.",
    ]
    assert small_world.ask("yes").text.startswith("📝 **Algebra** ·")
    assert "`find` looks for a part of one." in small_world.ask("exam xyzzy").text
    assert small_world.ask("exam algebraic").text.startswith("None of your students has taken an exam")


# ---- find ----


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


# ---- admins ----


def test_an_admin_asks_about_everybody_and_that_is_written_down(world: World) -> None:
    add_exam(world, ZOE, "Algebra", 80)
    add_exam(world, JOHN, "Algebra", 20)

    assert lines_of(world, "students all", ADMIN)[0] == ("👥 **All 4 students** · 1 failed their last exam, 2 silent")
    assert lines_of(world, "exam algebra", ADMIN)[0].startswith("📝 **Algebra** · 2 students: 1 failed, 1 passed")
    assert "Zoë Müller" in world.ask("summary all", ADMIN).text
    assert lines_of(world, "find zoe", ADMIN)[-1] == "- 👤 Zoë Müller (zoe_m): `student zoe_m`"
    assert world.ask("student zoe", ADMIN).text.startswith("🎓 **Zoë Müller (zoe_m)**")
    assert world.ask("compare zoe john", ADMIN).text.startswith("⚖️ **Zoë Müller (zoe_m)** has the higher")
    assert world.ask("history john", ADMIN).text.startswith("**John Doe")
    assert world.ask("stats all", ADMIN).text.count("By type** · 2 events") == 1
    assert get_looks(world) == [
        (None, "students all"),
        (None, "exam"),
        (None, "summary all"),
        (None, "find"),
        (ZOE.student_id, "student"),
        (ZOE.student_id, "compare"),
        (JOHN.student_id, "compare"),
        (JOHN.student_id, "history"),
    ]


def test_what_is_ones_own_is_no_look(small_world: World) -> None:
    add_exam(small_world, ZOE, "Algebra", 80)
    for said in ("students", "summary", "student zoe", "history zoe", "find zoe"):
        assert "Zo" in small_world.ask(said, BOTH).text
    assert get_looks(small_world) == []


def test_an_answer_reads_the_names_of_no_more_students_than_it_shows(small_world: World) -> None:
    """A former student is called as the latest event says; one's own as the LMS does."""
    add_exam(small_world, JOHN, "Algebra", 80)
    with small_world.app.store.transaction():
        LMSActivityEvent.update(student_display_name="Johnny").execute()
    assert "| John Doe (john_doe) |" in small_world.ask("summary").text
    assert "| Johnny (john_doe) |" in small_world.ask("summary", ADMIN).text


# ---- nothing is too long ----


def test_a_page_fits_a_message_whatever_the_lms_says(small_world: World) -> None:
    """Hostile names and titles of 500 characters, many attempts and long notes."""
    names = ["x" * 500, "@**all** " * 60, "[a](b) <time:2026> " * 30, "| ` $$ " * 70]
    named = [(200 + number, names[number % 4]) for number in range(30)]
    students = tuple(make_student(key, f"jo {key} {name}"[:500], name) for key, name in named)
    small_world.people.students_of[1] = students
    small_world.people.zulip_users[MARIA] = make_user(MARIA, "M" * 90)
    for number, student in enumerate(students):
        for percentage in (10, 90, None):
            add_exam(small_world, student, f"mine {number} {names[number % 4]}"[:500], percentage)
            add_exam(small_world, students[0], f"title {number} {names[number % 4]}"[:500], percentage)
        add_exam(small_world, student, names[2][:500], 40)
    with small_world.app.store.session():
        for _ in range(3):
            write_note(200, MARIA, "M" * 500, "| ` $$ @**all** " * 100, now=NOW)
    asked = (
        "history 200",
        "student 200",
        "compare 200 201",
        "summary",
        "students",
        "find title",
        "exam title",
        "find jo",
    )
    for said in (*asked, "find jo", f"exam {names[2][:150]}"):
        text = small_world.ask(said).text
        assert 100 < len(text) <= 9_800, said
        assert text.count("```") % 2 == 0
